"""Cases of a GPU's size for the families of :mod:`pruning_ext.bench`, and the kernels that only a GPU has."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from pruning_ext import ken_mask
from pruning_ext.bench import kde, mi
from pruning_ext.bench.floors import Floor
from pruning_ext.bench.harness import Call, Check, Subject
from pruning_ext.bench.provider import OURS, Provider, Request, on_every

KDE_CASES = (kde.Case(4096, 2048, rows=4096), kde.Case(768, 384, rows=65536), kde.Case(1 << 20, 1024, rows=1))
KDE_WHOLE = (  # providers that get every row; the others as many as the family gives them
    OURS,
    f"{OURS}, lattice",
    f"{OURS}, direct, fast exp",
    "torch.compile, broadcasting",
    "torch, binning + rfft, 2048 bins",
    "KeOps",
)
KDE_SOME = (f"{OURS}, direct", "reference")

MATRICES = {  # rows, entries, how many: every matrix of the model
    "Llama-2-7B": [(4096, 4096, 128), (11008, 4096, 64), (4096, 11008, 32), (32000, 4096, 2)],
    "BERT-base": [
        (30522, 768, 1),
        (512, 768, 1),
        (2, 768, 1),
        (768, 768, 49),
        (3072, 768, 12),
        (768, 3072, 12),
    ],
}
SMOKE_MATRICES = {"tiny": [(9, 64, 3), (5, 200, 2)]}
CHECKED_MATRICES, CHECKED_ROWS = 24, 8

MI_CASES = (
    mi.Case(8192, 65536, 16),
    mi.Case(8192, 65536, 16, zeros=0.75),
    *(mi.Case(3072, 16384, bins) for bins in (16, 8, 32)),
)
MI_COUNTINGS = {  # number in csrc/mi/cuda/mi_cuda.h, floor, fewest and most bins
    "planes": (2, "and_popcount", 2, 32),
    "INT8 one-hot": (3, "multiply_add8", 2, 16),
    "slices": (4, "and_popcount", 9, 16),
    "wgmma": (5, "and_popcount", 9, 16),
    "atomics": (1, None, 2, 256),
}
MI_ALTERNATIVES = ("torch, one-hot fp16 matmul", "torch, one-hot int8 matmul")
MI_COLUMNS, MI_COLUMNS_BY_ATOMICS = 2048, 512  # of those that are too slow for all


def kde_cases(device: str, smoke: bool) -> Iterator[list[Subject]]:
    """Normal rows, a grid over each."""
    providers = [
        replace(provider, settings=replace(provider.settings, terms=sys.maxsize))
        if provider.name in KDE_WHOLE
        else provider
        for provider in kde.providers()
        if provider.name in KDE_WHOLE + KDE_SOME
    ]
    for case in kde.SMOKE_CASES[:1] if smoke else KDE_CASES:
        yield list(on_every((case,), providers, Request(devices=(device,)), kde.subject))


def ken_cases(device: str, smoke: bool) -> Iterator[list[Subject]]:
    """All matrices of a model, half of each row kept; bfloat16 and random, as many as the model has."""
    for model, shapes in (SMOKE_MATRICES if smoke else MATRICES).items():
        dtype = torch.float32 if model == "BERT-base" else torch.bfloat16
        weights = [
            (0.02 * torch.randn(rows, n, device=device)).to(dtype)
            for rows, n, count in shapes
            for _ in range(count)
        ]
        selections: dict[str, Callable[[Tensor, int], Tensor]] = {OURS: partial(ken_mask, keep_ties=True)}
        if device == "cuda" and model != "Llama-2-7B":
            selections[f"{OURS}, one by one"] = _one_by_one
        rows, entries = sum(map(len, weights)), sum(weight.numel() for weight in weights)
        yield [
            Subject(
                family="ken",
                case=f"{model}, {str(dtype).removeprefix('torch.')}",
                provider=name,
                threads=1,
                rows=rows,
                pairs=entries,
                job=Call(partial(_masks, select, weights), partial(_compare, weights), device),
                device=device,
                unit="weights",
                parameters={"rows": rows, "matrices": len(weights)},
                floor=Floor("copy", float(sum(w.nbytes + w.numel() for w in weights))),
            )
            for name, select in selections.items()
        ]


def _one_by_one(weight: Tensor, k: int) -> Tensor:
    mask: Tensor = torch.ops.pruning_ext._ken_mask_by(weight, k, True, 0)
    return mask


def _masks(select: Callable[[Tensor, int], Tensor], weights: list[Tensor]) -> list[Tensor]:
    return [select(weight, weight.shape[1] // 2)[:CHECKED_ROWS] for weight in weights]


def _compare(weights: list[Tensor], masks: list[Tensor]) -> Check:
    """The share of matrices whose first rows are masked otherwise than by the CPU."""
    step = -(-len(weights) // CHECKED_MATRICES)
    wrong = []
    for weight, mask in list(zip(weights, masks, strict=True))[::step]:
        rows = weight[:CHECKED_ROWS].cpu()
        wrong.append(not torch.equal(mask.cpu(), ken_mask(rows, rows.shape[1] // 2, keep_ties=True)))
    return Check(sum(wrong) / len(wrong), 0.0, CHECKED_ROWS * len(wrong))


def mi_cases(device: str, smoke: bool) -> Iterator[list[Subject]]:
    """16 bins, even and as ReLU leaves them; 8 and 32 bins at a smaller size."""
    named = {provider.name: provider for provider in mi.providers()}
    some = mi.Share(float("inf"), most=MI_COLUMNS)
    for case in mi.SMOKE_CASES if smoke else MI_CASES:
        providers = [
            replace(named[OURS], floor="and_popcount"),
            *_by_countings(case),
            *(replace(named[name], settings=some) for name in MI_ALTERNATIVES),
            named["reference"],
        ]
        yield list(on_every((case,), providers, Request(devices=(device,)), mi.subject))


def _by_countings(case: mi.Case) -> Iterator[Provider]:
    """Each way of counting that there is for the case, on a GPU only."""
    hopper = torch.cuda.is_available() and torch.cuda.get_device_capability() == (9, 0)
    for name, (way, floor, fewest, most) in MI_COUNTINGS.items():
        if fewest <= case.bins <= most and (name != "wgmma" or hopper):
            share = mi.Share(float("inf"), most=MI_COLUMNS_BY_ATOMICS if name == "atomics" else case.n)
            run = partial(_by, way=way)
            yield Provider(f"{OURS}, {name}", run, devices=("cuda",), floor=floor, settings=share)


def _by(codes: Tensor, bins: int, *, way: int) -> Tensor:
    information: Tensor = torch.ops.pruning_ext._mutual_information_by(codes, None, bins, way)
    return information
