"""The curves: which size grows, which providers are drawn, up to which size, and who may overtake whom."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pruning_ext.bench import kde, ken, mi
from pruning_ext.bench.harness import Subject
from pruning_ext.bench.provider import OURS, Provider, is_installed, thread_counts

DIRECT = f"{OURS}, direct sum (rtol=0)"
COMPILED = "torch.compile, broadcasting"
RFFT = "torch, binning + rfft, 2048 bins"
UNION_FIND = "numba, union-find"
COUNTERS = "numba loop, four tables"
INT8 = "torch, one-hot int8 matmul"


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
            if is_installed(provider_named(provider).needs):
                yield from ((x, self.subject(provider, x)) for x in self.xs if x <= most)


def provider_named(name: str) -> Provider:
    """The one of any family."""
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
