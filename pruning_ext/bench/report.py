"""Tables of measurements in plain text, and what has become slower since an older file."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pruning_ext.bench.environment import machine
from pruning_ext.bench.harness import Measurement
from pruning_ext.bench.numbers import aligned, duration, error, share
from pruning_ext.bench.provider import OURS
from pruning_ext.storage.files import read_json
from pruning_ext.storage.sizes import size_text

PAIR_SAMPLES = "pair-samples"  # the unit of what is computed for pairs of columns, not for rows


def tables(measurements: Sequence[Measurement]) -> str:
    """One table for each family and case, sorted by time, with the error beside it."""
    groups: dict[tuple[str, str, str], list[Measurement]] = {}
    for m in measurements:
        groups.setdefault((m.family, m.case, m.device), []).append(m)
    return "\n\n".join(_table(*key, group) for key, group in groups.items())


def _table(family: str, case: str, device: str, group: list[Measurement]) -> str:
    ours = {m.threads: m.ms_per_row for m in reversed(group) if m.provider.startswith(OURS)}
    one = one_of(group[0].unit)
    shown = ("quartiles", "x ours", "per second", "error", "memory", "floor")
    rows: list[tuple[str, ...]] = [("provider", "threads", f"{one}s", f"time/{one}", *shown)]
    for m in sorted(group, key=lambda m: m.ms_per_row):
        low, high = m.ms_per_row_quartiles
        rows.append(
            (
                m.provider,
                str(m.threads),
                str(m.rows),
                duration(m.ms_per_row / 1e3),
                share((high - low) / 2 / m.ms_per_row, 0),
                f"{m.ms_per_row / ours[m.threads]:.2f}" if m.threads in ours else "-",
                f"{m.pairs_per_second:.1e}",
                error(m.error),
                "-" if m.peak_memory_bytes is None else size_text(m.peak_memory_bytes),
                _floor(m),
            )
        )
    unit = group[0].unit
    where = "" if device == "cpu" else f" on {device}"
    title = f"{family}: {case}{where} (per second: {unit})"
    return "\n".join([title, *aligned(rows, left=1)])


def one_of(unit: str | None) -> str:
    """What a time is of, where calls are counted in ``unit``."""
    return "pair" if unit == PAIR_SAMPLES else "row"


def _floor(m: Measurement) -> str:
    """The share of the floor; or how often faster than that of the methods it replaces."""
    parts = []
    if m.floor_share is not None:
        parts.append(f"{share(m.floor_share)} of {m.floor}")
    if m.times_floor is not None and m.times_floor > 1:
        parts.append(f"{m.times_floor:.1f} x {m.replaced_floor}")
    return ", ".join(parts) or "-"


class OtherMachine(ValueError):
    """A file's times come from another machine."""


def read_baseline(path: Path, *, any_machine: bool = False) -> list[dict[str, Any]]:
    """The measurements of an older results file.

    Raises:
        OtherMachine: another processor, number of cores or instruction set, unless ``any_machine``.
        ValueError: not a results file.
        OSError: it cannot be read.
    """
    found = read_json(path)
    measurements = found.get("measurements")
    environment = found.get("environment")
    complete = isinstance(measurements, list) and isinstance(environment, dict)
    if not complete or not all(_has_time(m) for m in measurements or ()):
        raise ValueError(f"{path} is not a results file of this command with a time for each measurement")
    assert isinstance(environment, dict)
    assert isinstance(measurements, list)
    different = [
        f"{name} {environment.get(name)} instead of {here}"
        for name, here in machine().items()
        if environment.get(name) != here
    ]
    if different and not any_machine:
        raise OtherMachine(
            f"{path} was measured on another machine ({', '.join(different)}); "
            "pass --any-machine to compare all the same"
        )
    return measurements


def _has_time(measurement: Any) -> bool:
    if not isinstance(measurement, dict) or not {"case", "provider", "threads"} <= measurement.keys():
        return False
    time = measurement.get("ms_per_row")
    return isinstance(time, (int, float)) and time > 0


def regressions(
    measurements: Iterable[Measurement], baseline: Iterable[Mapping[str, Any]], threshold: float
) -> tuple[list[str], str]:
    """What became slower by more than ``threshold``, a line each; and a line on what was compared.

    This package's providers are judged, by time per row or pair; how the others' times changed says how
    much of a change is the machine's.

    Raises:
        ValueError: the two have no measurement of this package in common.
    """
    old = {_key(m): float(m["ms_per_row"]) for m in baseline}
    slower, compared, others = [], 0, []
    for m in measurements:
        before = old.get((m.family, m.case, m.provider, m.threads, m.device))
        if before is None:
            continue
        ratio = m.ms_per_row / before
        if not m.provider.startswith(OURS):
            others.append(ratio)
            continue
        compared += 1
        if ratio > threshold:
            slower.append(
                f"{m.family} {m.case}, {m.provider}, threads={m.threads}: {ratio:.2f} times as long, "
                f"{duration(m.ms_per_row / 1e3)} a {one_of(m.unit)} instead of {duration(before / 1e3)}"
            )
    if not compared:
        raise ValueError("nothing to compare: this run and the file have no case of pruning_ext in common")
    drift = f"; other providers took {statistics.median(others):.2f} times as long" if others else ""
    return slower, f"compared {compared} measurements, {len(slower)} slower by more than {threshold:g}{drift}"


def _key(m: Mapping[str, Any]) -> tuple[str, str, str, int, str]:
    return m.get("family", ""), m["case"], m["provider"], m["threads"], m.get("device", "cpu")
