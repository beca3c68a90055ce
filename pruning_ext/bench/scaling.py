"""Time and memory as one size grows: curves, the exponents of their upper halves, who overtakes whom.

A results file ``scaling-<machine>.json`` has under ``measurements`` one entry for each point, with ``curve``,
``x_name``, ``x``, ``provider``, ``threads``, ``seconds`` (a call), ``peak_memory_bytes``, and the
``exponent`` of the time and the ``memory_exponent`` of its provider's whole curve; under ``crossovers``, for
two providers of a curve, the ``x`` from which on the first is faster than the second wherever both were
measured (``null``: nowhere).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Literal

from pruning_ext.bench.curves import Curve, curves
from pruning_ext.bench.environment import document
from pruning_ext.bench.floors import forget_rates
from pruning_ext.bench.harness import Measurement, measure
from pruning_ext.bench.numbers import aligned, duration
from pruning_ext.storage.sizes import size_text

LEAST_MEMORY = 1 << 20  # bytes: below, the peak is the allocator's, not the method's


def run(
    size: Literal["smoke", "full"], *, rounds: int = 3, show_progress: bool | None = None
) -> dict[str, Any]:
    """Measure all curves, each interleaved; the results file."""
    forget_rates()
    started = time.perf_counter()
    entries: list[dict[str, Any]] = []
    crossovers: list[dict[str, Any]] = []
    for curve in curves(size):
        points = list(curve.points())
        found = measure([subject for _, subject in points], rounds, show_progress)
        entries += _entries(curve, [(x, m) for (x, _), m in zip(points, found, strict=True)])
        crossovers += _crossovers(curve, entries)
    results = document("scaling", [], size=size, smoke=size == "smoke", rounds=rounds)
    results["settings"]["seconds"] = time.perf_counter() - started
    return results | {"measurements": entries, "crossovers": crossovers}


def _entries(curve: Curve, points: Sequence[tuple[int, Measurement]]) -> list[dict[str, Any]]:
    entries = []
    for provider in dict.fromkeys(m.provider for _, m in points):
        own = [(x, m) for x, m in points if m.provider == provider]
        exponent = fit([(x, m.seconds) for x, m in own])
        memory = fit([(x, m.peak_memory_bytes) for x, m in own if (m.peak_memory_bytes or 0) >= LEAST_MEMORY])
        entries += [
            {
                "curve": curve.name,
                "x_name": curve.x_name,
                "x": x,
                "provider": provider,
                "threads": m.threads,
                "seconds": m.seconds,
                "peak_memory_bytes": m.peak_memory_bytes,
                "exponent": exponent,
                "memory_exponent": memory,
                "error": m.error,
                "samples": m.samples,
                "parameters": m.parameters,
            }
            for x, m in own
        ]
    return entries


def fit(points: Sequence[tuple[float, float | None]]) -> float | None:
    """The exponent ``p`` of ``y = c x^p``, by least squares of the logarithms of the upper half; ``None``:
    too few.
    """
    known = [(math.log(x), math.log(y)) for x, y in sorted(points) if y is not None and y > 0]
    upper = known[-max(3, (len(known) + 1) // 2) :]
    if len(upper) < 2:
        return None
    mean_x, mean_y = (sum(values) / len(upper) for values in zip(*upper, strict=True))
    variance = sum((x - mean_x) ** 2 for x, _ in upper)
    return sum((x - mean_x) * (y - mean_y) for x, y in upper) / variance


def _crossovers(curve: Curve, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    times: dict[str, dict[int, float]] = {}
    for entry in entries:
        if entry["curve"] == curve.name:
            times.setdefault(entry["provider"], {})[entry["x"]] = entry["seconds"]
    return [
        {
            "curve": curve.name,
            "x_name": curve.x_name,
            "faster": first,
            "slower": second,
            "from_x": overtakes(times[first], times[second]),
        }
        for first, second in curve.crossovers
        if first in times and second in times
    ]


def overtakes(first: dict[int, float], second: dict[int, float]) -> int | None:
    """The smallest measured ``x`` from which on ``first`` is below ``second`` at every ``x`` of both."""
    found = None
    for x in sorted(first.keys() & second.keys(), reverse=True):
        if first[x] >= second[x]:
            break
        found = x
    return found


def table(results: dict[str, Any]) -> str:
    """Each provider's curve in a line, and who overtakes whom."""
    head = ("curve", "provider", "from", "to", "time there", "exponent", "memory there", "exponent")
    rows: list[tuple[str, ...]] = [head]
    keys = dict.fromkeys((m["curve"], m["provider"]) for m in results["measurements"])
    for curve, provider in keys:
        own = [m for m in results["measurements"] if (m["curve"], m["provider"]) == (curve, provider)]
        last = own[-1]
        memory = last["peak_memory_bytes"]
        rows.append(
            (
                curve,
                provider,
                str(own[0]["x"]),
                str(last["x"]),
                duration(last["seconds"]),
                _two_digits(last["exponent"]),
                "-" if memory is None else size_text(memory),
                _two_digits(last["memory_exponent"]),
            )
        )
    lines = aligned(rows, left=2)
    for crossing in results["crossovers"]:
        names = f"{crossing['faster']} is faster than {crossing['slower']}"
        start = crossing["from_x"]
        where = "nowhere" if start is None else f"from {crossing['x_name']} = {start} on"
        lines.append(f"{crossing['curve']}: {names} {where}")
    return "\n".join(lines)


def _two_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
