"""KEN's row selection: the cases and who computes them. Rows of normal weights, half of each kept.

``reference.ken_mask`` has no provider under ``torch.compile``: its loop takes a branch for each grid point
from the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pruning_ext import ken_mask, reference
from pruning_ext.bench.floors import Floor
from pruning_ext.bench.harness import Call, Check, Subject
from pruning_ext.bench.provider import OURS, Provider, Request, lazily, library, on_every, settings_of

NAME = "ken"
CUDA = ("cpu", "cuda")


@dataclass(frozen=True)
class Case:
    """Rows of ``n`` entries of which ``k`` are kept, in ``dtype``."""

    n: int
    k: int
    dtype: torch.dtype = torch.float32
    rows: int = 4096

    @property
    def name(self) -> str:
        return f"{self.n}, k={self.k}, {str(self.dtype).removeprefix('torch.')}"

    @property
    def checked(self) -> int:
        return min(self.rows, 16 if self.n <= 1024 else 4 if self.n <= 4096 else 1)


CASES = (
    Case(768, 384),
    Case(768, 384, torch.bfloat16),
    Case(3072, 1536, rows=1024),
    Case(4096, 2048, rows=1024),
)
QUICK_CASES = (CASES[0], CASES[3])
SMOKE_CASES = (Case(64, 32, rows=8), Case(64, 32, torch.bfloat16, rows=8))


def providers() -> list[Provider]:
    """Ours; the published routine; and what remains of it without its Python loops. ``settings`` is ``n k`` a
    call.
    """
    return [
        Provider(OURS, partial(ken_mask, keep_ties=True), devices=CUDA, floor="copy", settings=1e10),
        *(
            Provider(
                f"{OURS}, {name}",
                partial(_by, matching=matching),
                devices=("cuda",),
                floor="copy",
                settings=1e10,
            )
            for name, matching in (("one point after another", 0), ("by warp", 1))
        ),
        Provider("numba, union-find", lazily("ken_numba", "numba_mask"), "numba", settings=2e7),
        library("published routine", _published("published_ken_row"), "sklearn", 4e6),
        library("published routine, NumPy matching", _published("vectorised_ken_row"), "sklearn", 4e6),
        Provider("reference", partial(reference.ken_mask, keep_ties=True), quick=False, settings=2e6),
    ]


def _by(weight: Tensor, k: int, *, matching: int) -> Tensor:
    return torch.ops.pruning_ext._ken_mask_by(weight, k, True, matching)


def _published(routine: str) -> Callable[[Tensor, int], Tensor]:
    row_of: Callable[[NDArray[np.float64], int], NDArray[np.bool_]] = lazily("published_ken", routine)
    return lambda weight, k: torch.from_numpy(np.stack([row_of(row, k) for row in weight.double().numpy()]))


@lru_cache(maxsize=4)
def weights(case: Case, device: str = "cpu") -> Tensor:
    """``[R, n]``; providers get the first rows."""
    generator = torch.Generator().manual_seed(case.n)
    return (0.05 * torch.randn(case.rows, case.n, generator=generator)).to(case.dtype).to(device)


@lru_cache(maxsize=8)
def truth(case: Case) -> Tensor:
    """The first rows' masks by definition; tests hold the definition to the published routine."""
    return reference.ken_mask(weights(case)[: case.checked], case.k, keep_ties=True)


def subjects(request: Request) -> Iterator[Subject]:
    """Every provider on every case."""
    cases = {"smoke": SMOKE_CASES, "quick": QUICK_CASES, "full": CASES}[request.size]
    return on_every(cases, providers(), request, subject)


def subject(case: Case, provider: Provider, threads: int, device: str = "cpu") -> Subject:
    """``provider`` on as many rows of ``case`` as it gets."""
    most: float = settings_of(provider, (int, float), "the number n k of a call")
    rows = max(1, min(case.rows, int(most / (case.n * case.k))))
    given = weights(case, device)[:rows]
    call = Call(lambda: provider.run(given, case.k), lambda mask: compare(case, mask), device)
    moved = float(rows * case.n * (given.element_size() + 1))  # weights read, mask written
    return Subject(
        family=NAME,
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=rows,
        pairs=rows * case.n,
        job=call,
        device=device,
        parameters={"rows": rows, "n": case.n, "k": case.k, "bits": 8 * given.element_size()},
        floor=None if provider.floor is None else Floor(provider.floor, moved),
        unit="weights",
    )


def compare(case: Case, mask: Tensor) -> Check:
    """The share of the first rows whose mask differs: none may."""
    true = truth(case)[: len(mask)]
    different = (mask[: len(true)].cpu() != true).any(1).double().mean().item()
    return Check(different, 0.0, len(true))
