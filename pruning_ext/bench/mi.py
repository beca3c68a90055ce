"""All-pairs mutual information: the cases and who computes them, from uint8 codes of equal frequency."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from pruning_ext import contingency, mutual_information_from_codes, reference
from pruning_ext.bench.baselines import mi_torch
from pruning_ext.bench.floors import Floor
from pruning_ext.bench.harness import Call, Check, Subject
from pruning_ext.bench.provider import OURS, Provider, Request, lazily, library, on_every, settings_of

NAME = "mi"
CHECKED = 24  # columns whose pairs are compared with the truth
LIMIT = 1e-6  # nats
MOST_BINS_AS_PLANES = 16
CUDA = ("cpu", "cuda")


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
class Share:
    """What a provider gets: ``pair_samples`` a call at 16 bins, fewer where a pair costs more.

    A table of a pair has ``bins^2`` cells to clear and score; with ``product`` each sample costs that, too.
    It gets ``most`` columns at most.
    """

    pair_samples: float
    product: bool = False
    most: int = 1 << 20

    def columns(self, case: Case) -> int:
        """How many of the case's columns that is."""
        if self.pair_samples == float("inf"):
            return min(case.n, self.most)
        cells = case.bins**2
        pair = case.samples * (max(1, cells / 256) if self.product else 1) + 4 * cells
        return min(case.n, self.most, max(4, int((2 * self.pair_samples / pair) ** 0.5)))


CASES = (
    *(Case(n, samples, bins) for n in (1536, 3072) for samples in (4096, 16384) for bins in (8, 16)),
    Case(1536, 4096, 16, zeros=0.75),
    Case(1536, 4096, 8, zeros=0.75),
    Case(1536, 4096, 4),
    Case(1536, 4096, 32),
    Case(128, 4096, 256),
)
QUICK_CASES = (Case(1536, 4096, 8), Case(1536, 4096, 16), Case(128, 4096, 256))
SMOKE_CASES = (Case(40, 300, 8), Case(40, 300, 16, zeros=0.75))


def providers() -> list[Provider]:
    """Ours; and what a user would write. ``settings`` is a :class:`Share`."""
    return [
        Provider(OURS, _ours, devices=CUDA, floor="carry_save", settings=Share(float("inf"))),
        Provider("numba loop", lazily("mi_numba", "numba_loop"), "numba", settings=Share(1e8)),
        Provider(
            "numba loop, four tables",
            lazily("mi_numba", "numba_loop_four_tables"),
            "numba",
            settings=Share(1e8),
        ),
        Provider(
            "torch, one-hot matmul",
            mi_torch.one_hot_matmul,
            devices=CUDA,
            floor="multiply_add32",
            settings=Share(1.5e7, product=True),
        ),
        Provider(
            "torch, one-hot int8 matmul",
            mi_torch.one_hot_matmul_int8,
            devices=CUDA,
            floor="multiply_add8",
            settings=Share(5e7, product=True),
        ),
        Provider(
            "torch, one-hot fp16 matmul",
            mi_torch.one_hot_matmul_fp16,
            devices=("cuda",),
            settings=Share(5e7, product=True),
        ),
        Provider("torch, bincount of fused codes", mi_torch.bincount, devices=CUDA, settings=Share(2e7)),
        Provider(
            "torch, scatter_add_ of fused codes", mi_torch.scatter_add, devices=CUDA, settings=Share(2e7)
        ),
        Provider("reference", _reference, quick=False, devices=CUDA, settings=Share(5e5)),
        library(
            "scikit-learn mutual_info_score", lazily("mi_libraries", "sklearn_scores"), "sklearn", Share(5e4)
        ),
    ]


def _ours(codes: Tensor, bins: int) -> Tensor:
    return mutual_information_from_codes(codes, bins=bins)


def _reference(codes: Tensor, bins: int) -> Tensor:
    return reference.mutual_information_from_codes(codes, codes, bins)


@lru_cache(maxsize=4)
def codes_of(case: Case, device: str = "cpu") -> Tensor:
    """uint8 ``[N, T]``; providers get the first columns."""
    if device != "cpu":
        return codes_of(case).to(device)
    generator = torch.Generator().manual_seed(case.n + case.bins)
    codes = torch.randint(0, case.bins, (case.n, case.samples), generator=generator, dtype=torch.uint8)
    if case.zeros:
        codes[torch.rand(codes.shape, generator=generator) < case.zeros] = 0
    codes[1::16] = codes[::16][: len(codes[1::16])]  # some columns repeat others
    return codes


@lru_cache(maxsize=32)
def truth(case: Case) -> tuple[Tensor, Tensor]:
    """Counts int32 ``[C, C, bins, bins]`` of the first columns by ``bincount``, and their information in
    float64.
    """
    checked = CHECKED if case.bins <= 64 else CHECKED // 3  # tables of 256 bins are half a megabyte each
    codes, bins = codes_of(case)[:checked].long(), case.bins
    pairs = [torch.bincount(x * bins + y, minlength=bins**2) for x in codes for y in codes]
    counts = torch.stack(pairs).view(len(codes), len(codes), bins, bins)
    wide = counts.double()
    single = reference.entropy(wide.sum(3)) + reference.entropy(wide.sum(2))
    return counts.int(), single - reference.entropy(wide.flatten(2))


def subjects(request: Request) -> Iterator[Subject]:
    """Every provider on every case."""
    cases = {"smoke": SMOKE_CASES, "quick": QUICK_CASES, "full": CASES}[request.size]
    return on_every(cases, providers(), request, subject)


def subject(case: Case, provider: Provider, threads: int, device: str = "cpu") -> Subject:
    """``provider`` on as many columns of ``case`` as it gets."""
    share: Share = settings_of(provider, Share, "a pruning_ext.bench.mi.Share")
    if device != "cpu":
        share = dataclasses.replace(share, pair_samples=16 * share.pair_samples)
    columns = share.columns(case)
    codes = codes_of(case, device)[:columns]
    pairs = columns * (columns + 1) // 2
    work = pairs * case.samples
    planes, one_hot = float(work * (case.bins - 1) ** 2), float(work * case.bins**2)
    amounts = {
        "carry_save": _additions(codes, case.bins),
        "and_popcount": planes,
        "multiply_add32": one_hot,
        "multiply_add8": planes if provider.ours else one_hot,  # ours leaves a bin of each row out
    }
    call = Call(lambda: provider.run(codes, case.bins), lambda found: compare(case, provider, found), device)
    return Subject(
        family=NAME,
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=pairs,
        pairs=work,
        job=call,
        device=device,
        parameters={"neurons": columns, "tokens": case.samples, "bins": case.bins, "zeros": case.zeros},
        floor=_floor(case, provider, amounts),
        unit="pair-samples",
        replaced=Floor("and_popcount", planes) if provider.ours and provider.floor == "carry_save" else None,
    )


def _floor(case: Case, provider: Provider, amounts: dict[str, float]) -> Floor | None:
    # With more bins ours may count bytes (csrc/mi/cpu/pair_costs.cpp): no additions of bits at all.
    counts_bytes = provider.floor == "carry_save" and case.bins > MOST_BINS_AS_PLANES
    return None if provider.floor is None or counts_bytes else Floor(provider.floor, amounts[provider.floor])


def _additions(codes: Tensor, bins: int) -> float:
    """Bits through the adders: ``bins - 1`` for each pair-sample outside the row's most frequent bin."""
    columns, samples = codes.shape
    first = codes[:CHECKED].long()
    most_frequent = sum(int(torch.bincount(code, minlength=bins).max()) for code in first) / len(first)
    return columns * (columns + 1) / 2 * (samples - most_frequent) * (bins - 1)


def compare(case: Case, provider: Provider, found: Tensor) -> Check:
    """The largest error in nats among the first columns; ours must have their counts, too."""
    counts, information = truth(case)
    checked = min(len(counts), len(found))
    if provider.ours:
        own = contingency(codes_of(case, str(found.device.type))[:checked], bins=case.bins).cpu()
        if not torch.equal(own, counts[:checked, :checked]):
            return Check(float("inf"), LIMIT, checked)
    error = (found[:checked, :checked].cpu().double() - information[:checked, :checked]).abs().max().item()
    return Check(error, LIMIT, checked)
