"""Machine, versions and commit of a run, and the layout of a results file."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import pruning_ext
from pruning_ext._build import native
from pruning_ext.bench.floors import measured_rates
from pruning_ext.bench.harness import Measurement
from pruning_ext.storage.files import atomic_file

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "statsmodels",
    "KDEpy",
    "pykeops",
    "cuml",
    "transformers",
)


def environment() -> dict[str, Any]:
    """Everything JSON-ready; ``commit`` is ``None`` where the package does not lie in its git checkout."""
    commit, changes = _commit()
    return {
        **machine(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": _versions(),
        "commit": commit,
        "uncommitted_changes": changes,
        "load_average": os.getloadavg()[0],
        "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def machine() -> dict[str, Any]:
    """What must be equal for two files' times to be comparable."""
    return {"processor": processor(), "cores": os.cpu_count(), "instruction_set": _instruction_set()}


def document(family: str, measurements: Sequence[Measurement], **settings: Any) -> dict[str, Any]:
    """A results file: the environment, how it was measured, the floors, and one entry per measurement."""
    return {
        "family": family,
        "environment": environment(),
        "settings": settings,
        "rates": measured_rates(),
        "measurements": [asdict(measurement) for measurement in measurements],
    }


def write_results(path: Path, contents: dict[str, Any]) -> None:
    """Write a results file in one atomic step, without blanks: each measurement is a line."""
    lines = ",\n".join(f"{_compact(name)}:{_lines(value)}" for name, value in contents.items())
    with atomic_file(path) as temporary:
        temporary.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _lines(value: Any) -> str:
    """JSON of ``value``, a line for each entry of a list or dict of lists and dicts."""
    entries = list(value.values() if isinstance(value, dict) else value) if _is_container(value) else []
    if not entries or not all(map(_is_container, entries)):
        return _compact(value)
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_compact, entries)) + "\n]"
    return "{\n" + ",\n".join(f"{_compact(name)}:{_compact(entry)}" for name, entry in value.items()) + "\n}"


def _is_container(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
    words = f"{processor()} {_instruction_set()} {os.cpu_count()} cores"
    return re.sub(r"[^a-z0-9]+", "-", words.lower().replace("(r)", "").replace("(tm)", "")).strip("-")


def _instruction_set() -> str | None:
    """``None`` where only the op libraries are built, as on a GPU that is lent without a compiler."""
    try:
        name: str = native().isa()
    except ImportError:
        return None
    return name


def _versions() -> dict[str, str]:
    found = {name: _version(name) for name in PACKAGES}
    optional = {name: number for name, number in found.items() if number is not None}
    return {"pruning_ext": pruning_ext.__version__, **optional}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> tuple[str | None, bool | None]:
    root = Path(pruning_ext.__file__).resolve().parents[1]
    try:  # an installed package may lie in another project's checkout
        if _git(root, "rev-parse", "--show-toplevel") != str(root):
            return None, None
        commit = _git(root, "rev-parse", "HEAD")
        # The results of a run's earlier families are not code that the later ones ran.
        code = ("--", ".", ":(exclude)benchmarks/results", ":(exclude)benchmarks/figures/*.svg")
        return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no", *code))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
