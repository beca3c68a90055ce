"""Timing several providers of one result on the same inputs, so that their ratios can be believed.

Every subject's result is checked before it is timed. Repetitions are interleaved: each round times every
subject once, so that a slow minute of the machine falls on all of them; the median over rounds counts.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pruning_ext import _core

SAMPLE_SECONDS = 0.05  # shorter calls are repeated within one sample


@dataclass(frozen=True)
class Check:
    """What a result was compared with: its error, the largest allowed, and on how many rows."""

    error: float
    limit: float
    rows: int
    notes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """One provider on one case.

    Attributes:
        family, case, provider: where it stands in the tables.
        threads: torch's number of threads while it runs.
        rows: rows it really computes in one call; times are divided by them, never extrapolated.
        pairs: elementary pairs (sample, point) in one call.
        run: the call.
        check: compares the call's result with the truth.
    """

    family: str
    case: str
    provider: str
    threads: int
    rows: int
    pairs: int
    run: Callable[[], Any]
    check: Callable[[Any], Check]


@dataclass(frozen=True)
class Measurement:
    """One long-form row of a results file. Times in milliseconds per row, memory in bytes."""

    family: str
    case: str
    provider: str
    threads: int
    rows: int
    ms_per_row: float
    ms_per_row_quartiles: tuple[float, float]
    pairs_per_second: float
    peak_memory_bytes: int | None
    error: float
    error_limit: float
    checked_rows: int
    notes: dict[str, float]
    samples: int


class WrongResult(AssertionError):
    """A provider's result is further from the truth than it claims: it is not timed."""


def verify(subject: Subject) -> Check:
    """Run once and check; raises :class:`WrongResult` where the error is above the limit, or NaN."""
    torch.set_num_threads(subject.threads)
    check = subject.check(subject.run())
    if not check.error <= check.limit:
        raise WrongResult(
            f"{subject.provider} on {subject.case}: error {check.error:.3g} is above {check.limit:.3g}"
        )
    return check


def peak_memory(call: Callable[[], Any]) -> int | None:
    """By how many bytes the resident set's peak rises during ``call``; ``None`` where that is not told."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # or freed memory of earlier calls would be used again unseen
        Path("/proc/self/clear_refs").write_text("5")
        before = memory_status("VmRSS")
        call()
        return max(0, memory_status("VmHWM") - before)
    except OSError:
        return None


def memory_status(key: str) -> int:
    """``VmRSS`` (resident now) or ``VmHWM`` (its peak) of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":"))


def measure(subjects: Sequence[Subject], rounds: int) -> list[Measurement]:
    """Check all subjects, then time them in ``rounds`` interleaved rounds."""
    before = torch.get_num_threads()
    try:
        checks = [verify(subject) for subject in tqdm(subjects, desc="checks", leave=False, disable=None)]
        memory, loops = [], []
        for subject in subjects:
            torch.set_num_threads(subject.threads)
            memory.append(peak_memory(subject.run))
            loops.append(max(1, round(SAMPLE_SECONDS / max(_timed(subject.run, 1), 1e-6))))
        samples: list[list[float]] = [[] for _ in subjects]
        for _ in tqdm(range(rounds), desc="rounds", leave=False, disable=None):
            for index, subject in enumerate(subjects):
                torch.set_num_threads(subject.threads)
                if loops[index] > 1:
                    subject.run()  # wakes the threads and warms the caches that the last subject left cold
                samples[index].append(_timed(subject.run, loops[index]))
    finally:
        torch.set_num_threads(before)
    parts = zip(subjects, checks, memory, samples, strict=True)
    return [_measurement(*part) for part in parts]


def _timed(call: Callable[[], Any], loops: int) -> float:
    """Seconds per call."""
    started = time.perf_counter()
    for _ in range(loops):
        call()
    return (time.perf_counter() - started) / loops


def _measurement(subject: Subject, check: Check, memory: int | None, seconds: list[float]) -> Measurement:
    median = statistics.median(seconds)
    low, _, high = statistics.quantiles([*seconds, median], n=4, method="inclusive")
    return Measurement(
        family=subject.family,
        case=subject.case,
        provider=subject.provider,
        threads=subject.threads,
        rows=subject.rows,
        ms_per_row=1e3 * median / subject.rows,
        ms_per_row_quartiles=(1e3 * low / subject.rows, 1e3 * high / subject.rows),
        pairs_per_second=subject.pairs / median,
        peak_memory_bytes=memory,
        error=check.error,
        error_limit=check.limit,
        checked_rows=check.rows,
        notes=check.notes,
        samples=len(seconds),
    )


def environment() -> dict[str, Any]:
    """Machine, versions and commit: what a figure means nothing without."""
    packages = ("torch", "numpy", "scipy", "scikit-learn", "transformers", "pruning_ext")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "instruction_set": _core.isa(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "load_average": os.getloadavg()[0],
    }


def processor() -> str:
    """The processor's name as the kernel tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    named = re.search(r"model name\s*: (.+)", text)
    return named[1].strip() if named else platform.machine()


def machine_slug() -> str:
    """A file-name part such as ``amd-epyc-avx512-2-cores``."""
    words = f"{processor()} {_core.isa()} {os.cpu_count()} cores"
    return re.sub(r"[^a-z0-9]+", "-", words.lower().replace("(r)", "").replace("(tm)", "")).strip("-")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def document(family: str, measurements: Sequence[Measurement], **settings: Any) -> dict[str, Any]:
    """A results file: the environment, how it was measured, and one entry per measurement."""
    return {
        "family": family,
        "environment": environment(),
        "settings": settings,
        "measurements": [asdict(measurement) for measurement in measurements],
    }
