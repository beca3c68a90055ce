"""The curves: which size grows, which providers are drawn, up to which size, and who may overtake whom."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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
    """``make(provider, **fixed)`` with ``x_name`` set to each ``x``; ``most``: a provider's largest ``x``."""

    name: str
    x_name: str
    xs: tuple[int, ...]
    most: dict[str, float]
    make: Callable[..., Subject]
    fixed: dict[str, int]
    crossovers: tuple[tuple[str, str], ...] = ()

    def subject(self, provider: str, x: int) -> Subject:
        """The provider at one point."""
        return self.make(provider, **self.fixed, **{self.x_name: x})

    def points(self) -> Iterator[tuple[int, Subject]]:
        """``(x, subject)`` of the providers that are installed."""
        for provider, most in self.most.items():
            if is_installed(provider_named(provider).needs):
                yield from ((x, self.subject(provider, x)) for x in self.xs if x <= most)


def provider_named(name: str, families: Sequence[Any] = (kde, ken, mi)) -> Provider:
    """The first of that name in ``families``."""
    return next(p for family in families for p in family.providers() if p.name == name)


def _doubling(first: int, last: int, factor: int = 2) -> tuple[int, ...]:
    return tuple(first * factor**i for i in range(int(math.log(last / first, factor) + 1.5)))


def _kde(name: str, *, n: int, rows: int, k: int | None = None, threads: int = 1) -> Subject:
    """``k``: half of ``n`` by default."""
    provider = provider_named(name, [kde])
    share = dataclasses.replace(provider.settings, terms=sys.maxsize, rows=rows)
    case = kde.Case(n, n // 2 if k is None else k, rows=rows)
    return kde.subject(case, dataclasses.replace(provider, settings=share), threads)


def _ken(name: str, *, n: int, rows: int, k: int | None = None, threads: int = 1) -> Subject:
    """``k``: half of ``n`` by default."""
    whole = dataclasses.replace(provider_named(name, [ken]), settings=sys.maxsize)
    return ken.subject(ken.Case(n, n // 2 if k is None else k, rows=rows), whole, threads)


def _mi(name: str, *, neurons: int, tokens: int, bins: int, threads: int = 1) -> Subject:
    whole = dataclasses.replace(provider_named(name, [mi]), settings=mi.Share(math.inf))
    return mi.subject(mi.Case(neurons, tokens, bins), whole, threads)


def curves(size: Literal["smoke", "full"]) -> list[Curve]:
    """All of them; ``"smoke"``: two tiny points each of two."""
    kde_curves, mi_curves = _kde_curves(), _mi_curves()
    if size == "full":
        return [*kde_curves, *_ken_curves(), *mi_curves, *_thread_curves()]
    return [dataclasses.replace(curve, xs=curve.xs[:2]) for curve in (kde_curves[1], mi_curves[2])]


def _kde_curves() -> list[Curve]:
    return [
        Curve("kde, rows", "rows", _doubling(16, 4096), {OURS: 4096, RFFT: 1024}, _kde, {"n": 768}),
        Curve(
            "kde, row length (k = n / 2, 4 rows)",
            "n",
            _doubling(32, 32768),
            {OURS: 1 << 20, DIRECT: 4096, RFFT: 1 << 20, "numba, window of samples": 4096},
            _kde,
            {"rows": 4},
            ((OURS, DIRECT), (OURS, RFFT), (OURS, "numba, window of samples")),
        ),
        Curve(
            "kde, torch.compile, row length (k = n / 2, 4 rows)",
            "n",
            (256, 1024, 4096),
            {OURS: 4096, COMPILED: 4096},
            _kde,
            {"rows": 4},
            ((OURS, COMPILED),),
        ),
        Curve(
            "kde, points (n = 4096, 4 rows)",
            "k",
            _doubling(16, 16384, 4),
            {OURS: 1 << 20, DIRECT: 1024, RFFT: 1 << 20},
            _kde,
            {"n": 4096, "rows": 4},
            ((OURS, DIRECT), (OURS, RFFT)),
        ),
    ]


def _ken_curves() -> list[Curve]:
    return [
        Curve("ken, rows", "rows", _doubling(16, 4096, 4), {OURS: 4096, UNION_FIND: 64}, _ken, {"n": 768}),
        Curve(
            "ken, row length (k = n / 2, 4 rows)",
            "n",
            _doubling(32, 8192),
            {OURS: 1 << 20, UNION_FIND: 2048},
            _ken,
            {"rows": 4},
            ((OURS, UNION_FIND),),
        ),
        Curve(
            "ken, entries kept (n = 4096, 4 rows)",
            "k",
            _doubling(16, 2048, 2),
            {OURS: 1 << 20, UNION_FIND: 256},
            _ken,
            {"n": 4096, "rows": 4},
        ),
    ]


def _mi_curves() -> list[Curve]:
    return [
        Curve(
            "mi, neurons (4096 tokens, 16 bins)",
            "neurons",
            _doubling(32, 2048),
            {OURS: 1 << 20, COUNTERS: 256, INT8: 256},
            _mi,
            {"tokens": 4096, "bins": 16},
            ((OURS, COUNTERS),),
        ),
        Curve(
            "mi, tokens (256 neurons, 16 bins)",
            "tokens",
            _doubling(512, 65536),
            {OURS: 1 << 20, COUNTERS: 8192, INT8: 8192},
            _mi,
            {"neurons": 256, "bins": 16},
        ),
        Curve(
            "mi, bins (512 neurons, 4096 tokens)",
            "bins",
            _doubling(2, 128),
            {OURS: 128, COUNTERS: 128, INT8: 16},
            _mi,
            {"neurons": 512, "tokens": 4096},
            ((COUNTERS, OURS), (OURS, INT8)),
        ),
    ]


def _thread_curves() -> list[Curve]:
    rows, pairs = {"n": 4096, "rows": 256}, {"neurons": 1024, "tokens": 4096, "bins": 16}
    return [
        Curve(f"{family}, threads", "threads", thread_counts(), {OURS: math.inf}, make, fixed)
        for family, make, fixed in (("kde", _kde, rows), ("ken", _ken, rows), ("mi", _mi, pairs))
    ]
