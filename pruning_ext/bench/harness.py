"""Timing several providers of one result on the same inputs, so that their ratios can be believed.

Every subject's result is checked before it is timed. Repetitions are interleaved: each round times every
subject once, so that a slow minute of the machine falls on all of them; the median over rounds counts.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from tqdm import tqdm

from pruning_ext.bench.floors import Floor, rate_of
from pruning_ext.bench.memory import peak_memory

OURS = "pruning_ext"  # how the names of this package's providers begin
SAMPLE_SECONDS = 0.05  # shorter calls are repeated within one sample
SLOW_SECONDS = 1.0  # a call that takes longer is timed in at most SLOW_ROUNDS rounds
SLOW_ROUNDS = 3


@dataclass(frozen=True)
class Check:
    """What a result was compared with: its error, the largest allowed, and on how many rows."""

    error: float
    limit: float
    rows: int
    notes: dict[str, float] = field(default_factory=dict)


class Job(Protocol):
    """A call that can be checked and timed, in this process or in another one."""

    def check(self, threads: int) -> Check:
        """Call once and compare the result with the truth."""

    def seconds(self, threads: int, loops: int) -> float:
        """Seconds per call over ``loops`` calls."""

    def memory(self, threads: int) -> int | None:
        """Bytes by which one call raises the peak of memory; ``None`` where the system reports none."""


@dataclass(frozen=True)
class Call:
    """A job of this process: ``run()`` gives the result, ``compare(result)`` its error."""

    run: Callable[[], Any]
    compare: Callable[[Any], Check]
    device: str = "cpu"

    def check(self, threads: int) -> Check:
        torch.set_num_threads(threads)
        return self.compare(self.run())

    def seconds(self, threads: int, loops: int) -> float:
        torch.set_num_threads(threads)
        if loops > 1:
            self.run()  # wakes the threads and warms the caches that the last subject left cold
        self._wait()
        started = time.perf_counter()
        for _ in range(loops):
            self.run()
        self._wait()
        return (time.perf_counter() - started) / loops

    def memory(self, threads: int) -> int | None:
        torch.set_num_threads(threads)
        return peak_memory(self.run, self.device)

    def _wait(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Subject:
    """One provider on one case.

    Attributes:
        family, case, provider: where it stands in the tables.
        threads: torch's number of threads while it runs.
        device: where its tensors are, ``"cpu"`` or ``"cuda"``.
        rows: rows (of KDE and KEN) or pairs (of MI) it really computes in one call; times are divided by
        them,
            never extrapolated.
        pairs: elementary pairs in one call; ``unit`` says of what.
        parameters: the numbers that make the case, such as ``n`` and ``k``.
        job: the call, and its check.
        floor: the work that no method of its kind can avoid, if one is measured.
        replaced: that of the methods which it makes needless.
    """

    family: str
    case: str
    provider: str
    threads: int
    rows: int
    pairs: int
    job: Job
    device: str = "cpu"
    unit: str = "pairs"
    parameters: Mapping[str, float] = field(default_factory=dict)
    floor: Floor | None = None
    replaced: Floor | None = None

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from the others of its family."""
        return self.case, self.provider, self.threads, self.device


@dataclass(frozen=True)
class Measurement:
    """One long-form row of a results file. Times in milliseconds per row (of MI: per pair), memory in bytes.

    ``error_limit`` is ``None`` where a provider owes nothing, as in the gaps of a row. ``floor_share`` is the
    share of the time that ``floor`` alone would take at the rate measured in the same run
    (:mod:`pruning_ext.bench.floors`); both are ``None`` where no floor is measured. In the same way
    ``times_floor`` says how many times as fast it is as the best method of the kind it replaces could be,
    whose floor is ``replaced_floor``.
    """

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
    error_limit: float | None
    checked_rows: int
    notes: dict[str, float]
    samples: int
    device: str = "cpu"
    unit: str = "pairs"
    parameters: dict[str, float] = field(default_factory=dict)
    seconds: float = float("nan")
    floor: str | None = None
    floor_share: float | None = None
    replaced_floor: str | None = None
    times_floor: float | None = None


class WrongResult(AssertionError):
    """A provider's result is further from the truth than it claims: it is not timed."""


def verify(subject: Subject) -> Check:
    """Run once and check; raises :class:`WrongResult` where the error is above the limit, or NaN."""
    check = subject.job.check(subject.threads)
    if not check.error <= check.limit:
        raise WrongResult(
            f"{subject.provider} on {subject.family} {subject.case}: "
            f"error {check.error:.3g} is above {check.limit:.3g}"
        )
    return check


def measure(
    subjects: Sequence[Subject],
    rounds: int,
    show_progress: bool | None = None,
    *,
    refused: list[str] | None = None,
    strict: bool = True,
) -> list[Measurement]:
    """Check all subjects, then time them in ``rounds`` interleaved rounds, then measure the floors.

    Args:
        subjects: who is timed; the truth of a case may be shared between them.
        rounds: samples of each; those slower than a second a call get at most three.
        show_progress: draw bars on stderr; ``None``: where it is a terminal.
        refused: gets a sentence for each wrong result of another provider, which is left out; ``None``: that
            is an error.
        strict: a wrong result of this package, and any other exception, is an error; ``False``: a provider
            whose first calls fail for any reason is refused, and the others are measured.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, is {rounds}")
    hide = None if show_progress is None else not show_progress
    before = torch.get_num_threads()
    try:
        entered: list[tuple[Subject, Check, int | None, int, list[float]]] = []
        for subject in tqdm(subjects, desc="checks", leave=False, disable=hide):
            first = _first_calls(subject, refused, strict)
            if first is not None:
                entered.append((subject, *first, []))
        for number in tqdm(range(rounds), desc="rounds", leave=False, disable=hide):
            for subject, _, _, loops, taken in entered:
                if number < SLOW_ROUNDS or taken[0] < SLOW_SECONDS:
                    taken.append(subject.job.seconds(subject.threads, loops))
        return [measurement(subject, check, memory, taken) for subject, check, memory, _, taken in entered]
    finally:
        torch.set_num_threads(before)


def _first_calls(
    subject: Subject, refused: list[str] | None, strict: bool
) -> tuple[Check, int | None, int] | None:
    """The check, the peak of memory, and how many calls make a sample; ``None``: the subject is refused."""
    try:
        check = verify(subject)
        started = time.perf_counter()
        memory = subject.job.memory(subject.threads)
        seconds = time.perf_counter() - started
        if seconds < SAMPLE_SECONDS:  # or one call is a sample, and another would only cost time
            seconds = subject.job.seconds(subject.threads, 1)
    except Exception as error:
        is_wrong = isinstance(error, WrongResult)
        may_fail = not strict or (is_wrong and not subject.provider.startswith(OURS))
        if refused is None or not may_fail:
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        name = f"{subject.provider} on {subject.family} {subject.case}"
        refused.append(str(error) if is_wrong else f"{name}: {said}")
        return None
    return check, memory, max(1, round(SAMPLE_SECONDS / max(seconds, 1e-6)))


def measurement(subject: Subject, check: Check, memory: int | None, taken: Sequence[float]) -> Measurement:
    """The row of ``subject`` whose calls took the seconds ``taken``."""
    median = statistics.median(taken)
    low, _, high = statistics.quantiles([*taken, median], n=4, method="inclusive")
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
        error_limit=check.limit if math.isfinite(check.limit) else None,
        checked_rows=check.rows,
        notes=check.notes,
        samples=len(taken),
        device=subject.device,
        unit=subject.unit,
        parameters=dict(subject.parameters),
        seconds=median,
        **_beside("floor", "floor_share", subject.floor, subject, median),
        **_beside("replaced_floor", "times_floor", subject.replaced, subject, median),
    )


def _beside(name: str, value: str, floor: Floor | None, subject: Subject, seconds: float) -> dict[str, Any]:
    """The floor's name, and its own time as a share of what was measured."""
    rate = None if floor is None else rate_of(floor.name, subject.threads, subject.device)
    if floor is None or rate is None:
        return {}
    return {name: floor.name, value: floor.amount / rate / seconds}
