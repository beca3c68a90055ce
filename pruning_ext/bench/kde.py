"""Gaussian KDE: the cases and who computes them. Normal rows, a grid over each, KEN's bandwidth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor

from pruning_ext import gaussian_kde, gaussian_kde_grid, reference
from pruning_ext.bench.baselines import kde_torch
from pruning_ext.bench.floors import Floor
from pruning_ext.bench.harness import Call, Check, Subject
from pruning_ext.bench.provider import OURS, Provider, Request, lazily, library, on_every, settings_of

NAME = "kde"
PEAK_SHARE = 1e-12  # relative errors are taken where the density is at least this share of the row's peak
CHECKED_TERMS = 1 << 21  # of a row's truth: as many of its points, evenly spread, as that allows,
CHECKED_POINTS = 9  # but not fewer than these
NO_LIMIT = float("inf")


@dataclass(frozen=True)
class Case:
    """``n`` samples and ``k`` points; an outlier at 40 standard deviations makes most of the row a gap."""

    n: int
    k: int
    outlier: bool = False
    rows: int = 1024

    @property
    def name(self) -> str:
        return f"{self.n}x{self.k}" + (" outlier" if self.outlier else "")

    @property
    def checked(self) -> int:
        return min(self.rows, 64 if self.n <= 768 else 16 if self.n <= 4096 else 1)


@dataclass(frozen=True)
class Share:
    """What a provider gets and owes.

    Attributes:
        terms: of the direct sum, ``n k`` a row, in one call at most; bounds the rows.
        limit: the relative error it must keep where the density is at least 1e-12 of the row's peak.
        limit_in_gaps: the same for rows with an outlier; infinity: it owes nothing there.
        rows: at most.
    """

    terms: float
    limit: float
    limit_in_gaps: float = NO_LIMIT
    rows: int = 1 << 20


# Terms a call: what each class does in about a tenth of a second.
ALL, TENS, ONES, TENTHS = 3e9, 5e7, 1e7, 2e6
CUDA = ("cpu", "cuda")
CASES = (Case(768, 384), Case(4096, 2048, rows=256), Case(768, 384, outlier=True))
QUICK_CASES = CASES[:2]
SMOKE_CASES = (Case(64, 32, rows=8), Case(64, 32, outlier=True, rows=8))


def providers() -> list[Provider]:
    """Ours first; each of the others as fast as it goes at its own accuracy."""
    return [*_own_providers(), *_alternatives()]


def _own_providers() -> list[Provider]:
    return [
        Provider(OURS, gaussian_kde, devices=CUDA, floor="copy", settings=Share(ALL, 1e-5, 1e-5)),
        Provider(f"{OURS}, grid", _grid, devices=CUDA, floor="copy", settings=Share(ALL, 1e-5, 1e-5)),
        Provider(f"{OURS}, float64", _float64, devices=CUDA, floor="copy", settings=Share(ALL, 1e-12, 1e-12)),
        Provider(
            f"{OURS}, direct sum (rtol=0)",
            partial(gaussian_kde, rtol=0),
            devices=CUDA,
            floor="exp64",
            settings=Share(ONES, 1e-6, 1e-6),
        ),
        *(
            Provider(
                f"{OURS}, {name}",
                partial(_by, method=method),
                devices=("cuda",),
                floor=floor,
                settings=Share(terms, limit),
            )
            for name, method, floor, terms, limit in (
                ("direct", 1, "exp64", TENS, 1e-6),
                ("direct, fast exp", 2, "exp32", TENS, 1.1e-5),
                ("lattice", 3, "copy", ALL, 1e-5),
            )
        ),
    ]


def _alternatives() -> list[Provider]:
    exact = Share(ONES, 1e-6, 1e-6)
    direct = Share(TENS, 1e-5)
    fft = Share(ALL, 5e-2)
    binned = Share(TENS, 5e-2, rows=32)
    return [
        Provider("torch.compile, broadcasting", _compiled, devices=CUDA, floor="exp32", settings=direct),
        Provider("torch, broadcasting", kde_torch.broadcast, devices=CUDA, floor="exp32", settings=direct),
        Provider(
            "torch, binning + rfft, 2048 bins",
            kde_torch.binned_rfft,
            devices=CUDA,
            floor="copy",
            settings=fft,
        ),
        Provider("reference", _reference, devices=CUDA, floor="exp32", settings=Share(ONES, 1e-4, 1e-4)),
        Provider(
            "reference, torch.compile",
            _reference_compiled,
            quick=False,
            devices=CUDA,
            floor="exp32",
            settings=Share(ONES, 1e-4, 1e-4),
        ),
        Provider("numba, window of samples", lazily("kde_numba", "numba_windows"), "numba", settings=direct),
        Provider(
            "KeOps", lazily("kde_keops", "keops"), "pykeops", quick=False, devices=CUDA, settings=direct
        ),
        library("SciPy gaussian_kde", lazily("kde_libraries", "scipy_kde"), "scipy", exact),
        library(
            "scikit-learn KernelDensity",
            lazily("kde_libraries", "sklearn_kde"),
            "sklearn",
            Share(TENTHS, 1e-6, 1e-6),
        ),
        library(
            "statsmodels KDEUnivariate, fft",
            lazily("kde_statsmodels", "statsmodels_fft"),
            "statsmodels",
            binned,
        ),
        library("KDEpy FFTKDE", lazily("kde_kdepy", "kdepy_fft"), "KDEpy", binned),
        Provider(
            "cuML KernelDensity",
            lazily("kde_cuml", "cuml_kde"),
            "cuml",
            devices=("cuda",),
            settings=Share(ONES, 1e-4),
        ),
    ]


def _grid(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    return gaussian_kde_grid(samples, points.shape[1], bandwidth)[1]


def _float64(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    return gaussian_kde(_wide(samples), _wide(points), bandwidth)


@lru_cache(maxsize=8)
def _wide(tensor: Tensor) -> Tensor:
    """Converted once, not in every repetition; tensors hash by identity."""
    return tensor.double()


def _by(samples: Tensor, points: Tensor, bandwidth: Tensor, *, method: int) -> Tensor:
    """A kernel of ours by its number (csrc/kde/cuda/kde_cuda.h)."""
    h = bandwidth.double()
    return torch.ops.pruning_ext._gaussian_kde_by(samples, points, h, None, False, False, None, method)


def _compiled(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    return kde_torch.broadcast_compiled(torch.get_num_threads())(samples, points, bandwidth)


def _reference(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    """Row by row, since its table has an entry for each sample and point."""
    parts = zip(samples.split(1), points.split(1), bandwidth.split(1), strict=True)
    return torch.cat([reference.gaussian_kde(*part) for part in parts])


@lru_cache
def _compile_reference(threads: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return torch.compile(
        reference.gaussian_kde, fullgraph=True, dynamic=False, options={"cpp.threads": threads}
    )


def _reference_compiled(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    return _compile_reference(torch.get_num_threads())(samples, points, bandwidth)


@lru_cache(maxsize=4)
def inputs(case: Case, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """Samples ``[R, n]``, points ``[R, k]`` and bandwidth ``[R]``, float32; providers get the first rows."""
    if device != "cpu":
        samples, points, bandwidth = inputs(case)
        return samples.to(device), points.to(device), bandwidth.to(device)
    generator = torch.Generator().manual_seed(case.n)
    samples = 0.05 * torch.randn(case.rows, case.n, generator=generator)
    if case.outlier:
        samples[:, 0] = 2.0
    bandwidth = reference.kde_bandwidth(samples.double(), "ken").float()
    points, _ = gaussian_kde_grid(samples, case.k, bandwidth)
    return samples, points, bandwidth


@lru_cache(maxsize=4)
def truth(case: Case) -> tuple[Tensor, Tensor]:
    """Of the first rows, by brute force in float64: the points compared, and the density there."""
    samples, points, bandwidth = (tensor[: case.checked].double() for tensor in inputs(case))
    checked = min(case.k, max(CHECKED_POINTS, CHECKED_TERMS // case.n))
    at = torch.linspace(0, case.k - 1, checked).round().long()
    parts = zip(samples.split(1), points[:, at].split(1), bandwidth.split(1), strict=True)
    return at, torch.cat([reference.gaussian_kde(*part) for part in parts])


def subjects(request: Request) -> Iterator[Subject]:
    """Every provider on every case."""
    cases = {"smoke": SMOKE_CASES, "quick": QUICK_CASES, "full": CASES}[request.size]
    return on_every(cases, providers(), request, subject)


def subject(case: Case, provider: Provider, threads: int, device: str = "cpu") -> Subject:
    """``provider`` on as many rows of ``case`` as it gets."""
    share: Share = settings_of(provider, Share, "a pruning_ext.bench.kde.Share")
    scale = 1 if device == "cpu" else 16
    terms = case.n * case.k
    rows = max(1, min(case.rows, int(share.terms * scale / terms), share.rows))
    given = tuple(tensor[:rows] for tensor in inputs(case, device))
    limit = share.limit_in_gaps if case.outlier else share.limit
    amounts = {"copy": 4.0 * rows * (case.n + 2 * case.k)}
    floor = (
        None if provider.floor is None else Floor(provider.floor, amounts.get(provider.floor, rows * terms))
    )
    call = Call(lambda: provider.run(*given), lambda density: compare(case, density, limit), device)
    return Subject(
        family=NAME,
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=rows,
        pairs=rows * terms,
        job=call,
        device=device,
        parameters={"rows": rows, "n": case.n, "k": case.k, "outlier": int(case.outlier)},
        floor=floor,
        unit="sample-points",
        replaced=Floor("exp32", rows * terms) if provider.ours and provider.floor == "copy" else None,
    )


def compare(case: Case, density: Tensor, limit: float) -> Check:
    """The largest relative error of the first rows, where the density is not far below the row's peak."""
    at, true = truth(case)
    true = true[: len(density)]
    checked = len(true)
    error = (density[:checked, at.to(density.device)].cpu().double() - true).abs()
    peak = true.amax(1, keepdim=True)
    relative = (error / true)[true >= PEAK_SHARE * peak].max().item()
    return Check(relative, limit, checked, {"error_of_peak": (error / peak).max().item()})
