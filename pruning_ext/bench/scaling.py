"""Time and memory as one size grows: curves, the exponents of their upper halves, who overtakes whom.

A results file ``scaling-<machine>.json`` has under ``measurements`` one entry for each point, with ``curve``,
``x_name``, ``x``, ``provider``, ``threads``, ``seconds`` (a call), ``peak_memory_bytes``, and the
``exponent`` of the time and the ``memory_exponent`` of its provider's whole curve; under ``crossovers``, for
two providers of a curve, the ``x`` from which on the first is faster than the second wherever both were
measured (``null``: nowhere).
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pruning_ext.bench import kde, ken, mi, report
from pruning_ext.bench.environment import document
from pruning_ext.bench.floors import forget_rates
from pruning_ext.bench.harness import Measurement, Subject, measure
from pruning_ext.bench.provider import OURS, Provider, is_installed, thread_counts

DIRECT = f"{OURS}, direct sum (rtol=0)"
COMPILED = "torch.compile, broadcasting"
RFFT = "torch, binning + rfft, 2048 bins"
UNION_FIND = "numba, union-find"
COUNTERS = "numba loop, four tables"
INT8 = "torch, one-hot int8 matmul"
LEAST_MEMORY = 1 << 20  # bytes: below, the peak is the allocator's, not the method's


@dataclass(frozen=True)
class Curve:
    """``subject(provider, x)`` for each provider, up to the largest ``x`` that it gets."""

    name: str
    x_name: str
    xs: tuple[int, ...]
    most: dict[str, float]
    subject: Callable[[str, int], Subject]
    crossovers: tuple[tuple[str, str], ...] = ()

    def points(self) -> Iterator[tuple[int, Subject]]:
        """``(x, subject)`` of the providers that are installed."""
        for provider, most in self.most.items():
            if is_installed(_provider(provider).needs):
                yield from ((x, self.subject(provider, x)) for x in self.xs if x <= most)


def _provider(name: str) -> Provider:
    families = (kde, ken, mi)
    return next(p for family in families for p in family.providers() if p.name == name)


def _doubling(first: int, last: int, factor: int = 2) -> tuple[int, ...]:
    return tuple(first * factor**i for i in range(int(math.log(last / first, factor) + 1.5)))


def _kde(name: str, *, n: int, k: int, rows: int, threads: int = 1) -> Subject:
    provider = next(p for p in kde.providers() if p.name == name)
    share = dataclasses.replace(provider.settings, terms=sys.maxsize, rows=rows)
    return kde.subject(kde.Case(n, k, rows=rows), dataclasses.replace(provider, settings=share), threads)


def _ken(name: str, *, n: int, k: int, rows: int, threads: int = 1) -> Subject:
    provider = next(p for p in ken.providers() if p.name == name)
    whole = dataclasses.replace(provider, settings=sys.maxsize)
    return ken.subject(ken.Case(n, k, rows=rows), whole, threads)


def _mi(name: str, *, neurons: int, tokens: int, bins: int, threads: int = 1) -> Subject:
    provider = next(p for p in mi.providers() if p.name == name)
    case = mi.Case(neurons, tokens, bins)
    return mi.subject(case, dataclasses.replace(provider, settings=mi.Share(math.inf)), threads)


def curves(size: Literal["smoke", "full"]) -> list[Curve]:
    """All of them; ``"smoke"``: two tiny points each of two."""
    kde_curves, mi_curves = _kde_curves(), _mi_curves()
    if size == "full":
        return [*kde_curves, *_ken_curves(), *mi_curves, *_thread_curves()]
    return [dataclasses.replace(curve, xs=curve.xs[:2]) for curve in (kde_curves[1], mi_curves[2])]


def _kde_curves() -> list[Curve]:
    return [
        Curve("kde, rows", "rows", _doubling(16, 4096), {OURS: 4096, RFFT: 1024}, _kde_rows),
        Curve(
            "kde, row length (k = n / 2, 4 rows)",
            "n",
            _doubling(32, 32768),
            {OURS: 1 << 20, DIRECT: 4096, RFFT: 1 << 20, "numba, window of samples": 4096},
            lambda p, x: _kde(p, n=x, k=x // 2, rows=4),
            ((OURS, DIRECT), (OURS, RFFT), (OURS, "numba, window of samples")),
        ),
        Curve(
            "kde, torch.compile, row length (k = n / 2, 4 rows)",
            "n",
            (256, 1024, 4096),
            {OURS: 4096, COMPILED: 4096},
            lambda p, x: _kde(p, n=x, k=x // 2, rows=4),
            ((OURS, COMPILED),),
        ),
        Curve(
            "kde, points (n = 4096, 4 rows)",
            "k",
            _doubling(16, 16384, 4),
            {OURS: 1 << 20, DIRECT: 1024, RFFT: 1 << 20},
            lambda p, x: _kde(p, n=4096, k=x, rows=4),
            ((OURS, DIRECT), (OURS, RFFT)),
        ),
    ]


def _ken_curves() -> list[Curve]:
    return [
        Curve("ken, rows", "rows", _doubling(16, 4096, 4), {OURS: 4096, UNION_FIND: 64}, _ken_rows),
        Curve(
            "ken, row length (k = n / 2, 4 rows)",
            "n",
            _doubling(32, 8192),
            {OURS: 1 << 20, UNION_FIND: 2048},
            lambda p, x: _ken(p, n=x, k=x // 2, rows=4),
            ((OURS, UNION_FIND),),
        ),
        Curve(
            "ken, entries kept (n = 4096, 4 rows)",
            "k",
            _doubling(16, 2048, 2),
            {OURS: 1 << 20, UNION_FIND: 256},
            lambda p, x: _ken(p, n=4096, k=x, rows=4),
        ),
    ]


def _mi_curves() -> list[Curve]:
    return [
        Curve(
            "mi, neurons (4096 tokens, 16 bins)",
            "neurons",
            _doubling(32, 2048),
            {OURS: 1 << 20, COUNTERS: 256, INT8: 256},
            lambda p, x: _mi(p, neurons=x, tokens=4096, bins=16),
            ((OURS, COUNTERS),),
        ),
        Curve(
            "mi, tokens (256 neurons, 16 bins)",
            "tokens",
            _doubling(512, 65536),
            {OURS: 1 << 20, COUNTERS: 8192, INT8: 8192},
            lambda p, x: _mi(p, neurons=256, tokens=x, bins=16),
        ),
        Curve(
            "mi, bins (512 neurons, 4096 tokens)",
            "bins",
            _doubling(2, 128),
            {OURS: 128, COUNTERS: 128, INT8: 16},
            lambda p, x: _mi(p, neurons=512, tokens=4096, bins=x),
            ((COUNTERS, OURS), (OURS, INT8)),
        ),
    ]


def _thread_curves() -> list[Curve]:
    return [
        Curve(f"{family}, threads", "threads", thread_counts(), {OURS: math.inf}, subject)
        for family, subject in (("kde", _kde_threads), ("ken", _ken_threads), ("mi", _mi_threads))
    ]


def _kde_rows(provider: str, rows: int) -> Subject:
    return _kde(provider, n=768, k=384, rows=rows)


def _ken_rows(provider: str, rows: int) -> Subject:
    return _ken(provider, n=768, k=384, rows=rows)


def _kde_threads(provider: str, threads: int) -> Subject:
    return _kde(provider, n=4096, k=2048, rows=256, threads=threads)


def _ken_threads(provider: str, threads: int) -> Subject:
    return _ken(provider, n=4096, k=2048, rows=256, threads=threads)


def _mi_threads(provider: str, threads: int) -> Subject:
    return _mi(provider, neurons=1024, tokens=4096, bins=16, threads=threads)


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
                report.duration(last["seconds"]),
                _two_digits(last["exponent"]),
                "-" if memory is None else f"{memory / 1e6:.1f} MB",
                _two_digits(last["memory_exponent"]),
            )
        )
    lines = report.aligned(rows, left=2)
    for crossing in results["crossovers"]:
        names = f"{crossing['faster']} is faster than {crossing['slower']}"
        start = crossing["from_x"]
        where = "nowhere" if start is None else f"from {crossing['x_name']} = {start} on"
        lines.append(f"{crossing['curve']}: {names} {where}")
    return "\n".join(lines)


def _two_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
