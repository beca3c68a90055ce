"""Gaussian KDE: the cases and who computes them. Normal rows, a grid over each, KEN's bandwidth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from benchmarks.baselines import kde_libraries, kde_torch
from benchmarks.harness import Check, Subject
from pruning_ext import gaussian_kde, gaussian_kde_grid, reference

OURS = "pruning_ext"
FLOOR = 1e-12  # relative errors are taken where the density is at least this share of the row's peak


@dataclass(frozen=True)
class Case:
    """``n`` samples and ``k`` points; an outlier at 40 standard deviations makes most of the row a gap."""

    n: int
    k: int
    outlier: bool = False

    @property
    def name(self) -> str:
        return f"{self.n}x{self.k}" + (" outlier" if self.outlier else "")

    @property
    def rows(self) -> int:
        return 1024 if self.n <= 768 else 256

    @property
    def checked(self) -> int:
        return 64 if self.n <= 768 else 16


@dataclass(frozen=True)
class Provider:
    """``run(samples, points, bandwidth)``; ``rows`` it gets in the cases of 768 and of 4096 samples."""

    name: str
    rows: tuple[int, int]
    limit: float  # the relative error it must keep where the row has no gaps
    run: Callable[[Tensor, Tensor, Tensor], Tensor]
    limit_in_gaps: float = float("inf")
    threaded: bool = True


def providers(threads: int) -> list[Provider]:
    """Ours first; each of the others as fast as it goes at its own accuracy."""
    return [
        Provider(OURS, (1024, 256), 1e-5, gaussian_kde, 1e-5),
        Provider(f"{OURS}, grid", (1024, 256), 1e-5, _grid, 1e-5),
        Provider(f"{OURS}, direct sum (rtol=0)", (64, 4), 1e-6, partial(gaussian_kde, rtol=0), 1e-6),
        Provider("torch.compile, broadcasting", (256, 16), 1e-5, kde_torch.broadcast_compiled(threads)),
        Provider("torch, broadcasting", (32, 2), 1e-5, kde_torch.broadcast),
        Provider("torch, binning + rfft, 2048 bins", (1024, 256), 5e-2, kde_torch.binned_rfft),
        Provider("SciPy gaussian_kde", (16, 2), 1e-6, kde_libraries.scipy_kde, 1e-6, threaded=False),
        Provider("scikit-learn KernelDensity", (8, 1), 1e-6, kde_libraries.sklearn_kde, 1e-6, threaded=False),
    ]


CASES = (Case(768, 384), Case(4096, 2048), Case(768, 384, outlier=True))
SMOKE_CASES = (Case(64, 32), Case(64, 32, outlier=True))


def _grid(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    return gaussian_kde_grid(samples, points.shape[1], bandwidth)[1]


@cache
def inputs(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Samples ``[R, n]``, points ``[R, k]`` and bandwidth ``[R]``, float32; providers get the first rows."""
    generator = torch.Generator().manual_seed(case.n)
    samples = 0.05 * torch.randn(case.rows, case.n, generator=generator)
    if case.outlier:
        samples[:, 0] = 2.0
    bandwidth = reference.kde_bandwidth(samples.double(), "ken").float()
    points, _ = gaussian_kde_grid(samples, case.k, bandwidth)
    return samples, points, bandwidth


@cache
def truth(case: Case) -> Tensor:
    """The first rows by brute force in float64."""
    samples, points, bandwidth = (tensor[: case.checked].double() for tensor in inputs(case))
    parts = zip(samples.split(1), points.split(1), bandwidth.split(1), strict=True)
    return torch.cat([reference.gaussian_kde(*part) for part in parts])


def subjects(*, smoke: bool = False) -> Iterator[Subject]:
    """Every provider on every case with 1 and 2 threads (those that use threads at all)."""
    for case in SMOKE_CASES if smoke else CASES:
        for threads in (1, 2)[: os.cpu_count()]:
            for provider in providers(threads):
                if threads == 1 or provider.threaded:
                    yield _subject(case, provider, threads, smoke)


def _subject(case: Case, provider: Provider, threads: int, smoke: bool) -> Subject:
    rows = 4 if smoke else provider.rows[case.n > 768]
    samples, points, bandwidth = inputs(case)
    given = samples[:rows], points[:rows], bandwidth[:rows]
    limit = provider.limit_in_gaps if case.outlier else provider.limit
    return Subject(
        family="kde",
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=rows,
        pairs=rows * case.n * case.k,
        run=lambda: provider.run(*given),
        check=lambda density: _check(case, density, limit),
    )


def _check(case: Case, density: Tensor, limit: float) -> Check:
    true = truth(case)[: len(density)]
    checked = len(true)
    error = (density[:checked].double() - true).abs()
    peak = true.amax(1, keepdim=True)
    relative = (error / true)[true >= FLOOR * peak].max().item()
    return Check(relative, limit, checked, {"error_of_peak": (error / peak).max().item()})
