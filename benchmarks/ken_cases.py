"""KEN's row selection: the cases and who computes them. Rows of normal weights, half of each kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.published_ken import published_ken_mask, vectorised_ken_row
from benchmarks.harness import Check, Subject
from pruning_ext import ken_mask

OURS = "pruning_ext"


@dataclass(frozen=True)
class Case:
    """Rows of ``n`` entries of which ``k`` are kept, in ``dtype``."""

    n: int
    k: int
    dtype: torch.dtype = torch.float32

    @property
    def name(self) -> str:
        return f"{self.n}, k={self.k}, {str(self.dtype).removeprefix('torch.')}"

    @property
    def long(self) -> bool:
        return self.n > 1024


@dataclass(frozen=True)
class Provider:
    """``run(weight, k)``; ``rows`` it gets of up to 1024 entries, and of more."""

    name: str
    rows: tuple[int, int]
    run: Callable[[Tensor, int], Tensor]
    threaded: bool = True


CASES = (Case(768, 384), Case(768, 384, torch.bfloat16), Case(3072, 1536), Case(4096, 2048))
SMOKE_CASES = (Case(64, 32), Case(64, 32, torch.bfloat16))


def providers() -> list[Provider]:
    """Ours; the published routine; and that with its Python loop over distances replaced by NumPy."""
    return [
        Provider(OURS, (4096, 1024), partial(ken_mask, keep_ties=True)),
        Provider("published routine", (16, 2), _on_arrays(published_ken_mask), threaded=False),
        Provider("published routine, NumPy matching", (16, 2), _on_arrays(_vectorised), threaded=False),
    ]


def _on_arrays(
    routine: Callable[[NDArray[np.float64], int], NDArray[np.bool_]],
) -> Callable[[Tensor, int], Tensor]:
    return lambda weight, k: torch.from_numpy(routine(weight.double().numpy(), k))


def _vectorised(weight: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    return np.stack([vectorised_ken_row(row, k) for row in weight])


@cache
def weights(case: Case) -> Tensor:
    """``[R, n]``; providers get the first rows."""
    generator = torch.Generator().manual_seed(case.n)
    rows = 1024 if case.long else 4096
    return (0.05 * torch.randn(rows, case.n, generator=generator)).to(case.dtype)


@cache
def truth(case: Case) -> Tensor:
    """The published masks of the first rows."""
    return torch.from_numpy(
        published_ken_mask(weights(case)[: 4 if case.long else 16].double().numpy(), case.k)
    )


def subjects(*, smoke: bool = False) -> Iterator[Subject]:
    """Every provider on every case; ours with 1 and 2 threads."""
    for case in SMOKE_CASES if smoke else CASES:
        for threads in (1, 2)[: os.cpu_count()]:
            for provider in providers():
                if threads == 1 or provider.threaded:
                    yield _subject(case, provider, threads, smoke)


def _subject(case: Case, provider: Provider, threads: int, smoke: bool) -> Subject:
    rows = 4 if smoke else provider.rows[case.long]
    given = weights(case)[:rows]
    return Subject(
        family="ken",
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=rows,
        pairs=rows * case.n * case.k,
        run=lambda: provider.run(given, case.k),
        check=lambda mask: _check(case, mask),
    )


def _check(case: Case, mask: Tensor) -> Check:
    true = truth(case)[: len(mask)]
    different = (mask[: len(true)] != true).any(1).double().mean().item()
    return Check(different, 0.0, len(true))  # the share of rows whose mask differs: none may
