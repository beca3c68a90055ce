"""All-pairs mutual information: the cases and who computes them, from uint8 codes of equal frequency."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from benchmarks.baselines import mi as baselines
from benchmarks.harness import Check, Subject
from pruning_ext import contingency, mutual_information_from_codes, reference

OURS = "pruning_ext"
CHECKED = 24  # rows of the matrix that are compared with the reference
LIMIT = 1e-6  # nats


@dataclass(frozen=True)
class Case:
    """``n`` columns of ``samples`` codes below ``bins``, a share ``zeros`` of them one spike, as in ReLU."""

    n: int
    samples: int
    bins: int
    zeros: float = 0.0

    @property
    def name(self) -> str:
        return f"N={self.n}, T={self.samples}, {self.bins} bins" + (" ReLU" if self.zeros else "")


@dataclass(frozen=True)
class Provider:
    """``run(codes, bins)``; ``pair_samples`` bounds the columns that it gets."""

    name: str
    pair_samples: float
    run: Callable[[Tensor, int], Tensor]
    threaded: bool = True


CASES = (
    *(Case(n, samples, bins) for n in (1536, 3072) for samples in (4096, 16384) for bins in (8, 16)),
    Case(1536, 4096, 16, zeros=0.75),
    Case(1536, 4096, 8, zeros=0.75),
    Case(1536, 4096, 4),
    Case(1536, 4096, 32),
    Case(256, 4096, 256),
)
SMOKE_CASES = (Case(40, 300, 8), Case(40, 300, 16, zeros=0.75))


def _ours(codes: Tensor, bins: int) -> Tensor:
    return mutual_information_from_codes(codes, bins=bins)


def providers() -> list[Provider]:
    """Ours; and what a user would write, on as many columns as it does in a few seconds."""
    return [
        Provider(OURS, float("inf"), _ours),
        Provider("numba loop", 2e9, baselines.numba_loop),
        Provider("numba loop, four tables", 2e9, baselines.numba_loop_four_tables),
        Provider("torch, one-hot matmul", 1e9, baselines.one_hot_matmul),
        Provider("torch, bincount of fused codes", 1e9, baselines.scatter_add),
        Provider("scikit-learn", 2e6, baselines.sklearn_scores, threaded=False),
    ]


@cache
def codes_of(case: Case) -> Tensor:
    """uint8 ``[N, T]``; providers get the first columns."""
    generator = torch.Generator().manual_seed(case.n + case.bins)
    codes = torch.randint(0, case.bins, (case.n, case.samples), generator=generator, dtype=torch.uint8)
    if case.zeros:
        codes[torch.rand(codes.shape, generator=generator) < case.zeros] = 0
    codes[1::16] = codes[::16][: len(codes[1::16])]  # some columns say what others say
    return codes


@cache
def truth(case: Case) -> tuple[Tensor, Tensor]:
    """Counts int32 and information float64 of the first columns, by definition."""
    codes = codes_of(case)[:CHECKED]
    rows = [reference.contingency(code[None], codes, case.bins)[0] for code in codes]
    return torch.stack(rows), reference.mutual_information_from_codes(codes, codes, case.bins)


def subjects(*, smoke: bool = False) -> Iterator[Subject]:
    """Every provider on every case with 1 and 2 threads (those that use threads at all)."""
    for case in SMOKE_CASES if smoke else CASES:
        for threads in (1, 2)[: os.cpu_count()]:
            for provider in providers():
                if threads == 1 or provider.threaded:
                    yield _subject(case, provider, threads)


def _subject(case: Case, provider: Provider, threads: int) -> Subject:
    columns = case.n
    if provider.pair_samples < float("inf"):
        columns = min(case.n, max(4, int((2 * provider.pair_samples / case.samples) ** 0.5)))
    codes = codes_of(case)[:columns]
    return Subject(
        family="mi",
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=columns * (columns + 1) // 2,  # pairs
        pairs=columns * (columns + 1) // 2 * case.samples,  # pair-samples
        run=lambda: provider.run(codes, case.bins),
        check=lambda found: _check(case, provider.name, found),
    )


def _check(case: Case, provider: str, found: Tensor) -> Check:
    counts, information = truth(case)
    checked = min(CHECKED, len(found))
    if provider == OURS:
        own = contingency(codes_of(case)[:checked], bins=case.bins)
        if not torch.equal(own, counts[:checked, :checked]):
            return Check(float("inf"), LIMIT, checked)
    error = (found[:checked, :checked].double() - information[:checked, :checked]).abs().max().item()
    return Check(error, LIMIT, checked)
