"""KDE, KEN's mask and mutual information on a GPU: the cases, who computes them, and the CPU's word on it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import Subject
from pruning_ext import gaussian_kde, ken_mask, mutual_information_from_codes, reference
from pruning_ext.bench.baselines import kde_torch, mi_torch

OPS = torch.ops.pruning_ext
Floors = dict[str, Any]
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


def _share(amount: float, rate: float | None) -> float | None:
    return amount / rate if rate else None


def _nested(floors: Floors, name: str) -> float | None:
    """The better of ``mma`` and ``wgmma``."""
    return max(floors.get(name, {"": 0}).values()) or None


def kde_cases(device: str, smoke: bool, floors: Floors) -> Iterator[list[Subject]]:
    """Normal rows, a grid over each; the reference and the eager libraries get fewer rows."""
    sizes = [(8, 100, 60)] if smoke else [(4096, 4096, 2048), (65536, 768, 384), (1, 1 << 20, 1024)]
    for rows, n, k in sizes:
        samples = torch.randn(rows, n, device=device)
        points = torch.linspace(-3, 3, k, device=device).expand(rows, k).contiguous()
        h = torch.full((rows,), 1.06 * n**-0.2, device=device)
        given = samples, points, h
        few = min(rows, 4)
        truth = gaussian_kde(*(tensor[:few].cpu() for tensor in given[:2]), h[:few].double().cpu(), rtol=0.0)

        def check(found: Tensor, truth: Tensor = truth, few: int = few) -> float:
            peak = truth.amax(1, keepdim=True)
            return float(((found[:few].cpu() - truth).abs() / truth)[truth >= 1e-12 * peak].max())

        def by(method: int) -> Callable[..., Tensor]:
            return lambda x, p, w: OPS._gaussian_kde_by(x, p, w.double(), None, False, False, None, method)

        def floor(used: int, limit: str | None, n: int = n, k: int = k) -> float | None:
            """Seconds for all exponentials, or for reading and writing; None where neither is the limit."""
            amount = {"exp2_per_second": used * n * k, "copy_bytes_per_second": used * 4 * (n + 2 * k)}
            return None if limit is None else _share(amount[limit], floors.get(limit))

        copy, exponentials = "copy_bytes_per_second", "exp2_per_second"
        providers: list[tuple[str, int, float, Callable[..., Tensor], str | None]] = [
            ("pruning_ext", rows, 1e-5, lambda x, p, w: gaussian_kde(x, p, w), copy)
        ]
        if device == "cuda":
            providers += [
                ("pruning_ext, lattice", rows, 1e-5, by(3), copy),
                ("pruning_ext, exact float32", rows, 1.1e-5, by(2), exponentials),
                ("pruning_ext, exact float64", min(rows, 256), 1e-6, by(1), None),
            ]
        per_row = 12 * n * k  # bytes of an eager table, with its temporaries
        tables = max(1, int(4e9 // per_row))
        providers += [
            (
                "torch.compile, broadcasting",
                rows,
                1e-4,
                torch.compile(kde_torch._direct, dynamic=False),
                exponentials,
            ),
            ("torch, binning + rfft", rows, 1.0, kde_torch.binned_rfft, copy),
            ("reference.py", min(rows, tables), 1e-4, reference.gaussian_kde, exponentials),
        ]
        if importlib.util.find_spec("pykeops"):
            from pruning_ext.bench.baselines.kde_keops import keops

            providers.append(("KeOps", rows, 1e-4, keops, exponentials))
        yield [
            Subject(
                f"KDE {rows} x {n}, {k} points",
                name,
                used,
                "rows",
                lambda run=run, used=used, given=given: run(*(tensor[:used] for tensor in given)),
                check,
                limit,
                floor(used, limited_by),
                {"rows": used, "n": n, "k": k},
            )
            for name, used, limit, run, limited_by in providers
        ]


def ken_cases(device: str, smoke: bool, floors: Floors) -> Iterator[list[Subject]]:
    """All matrices of a model, half of each row kept; bfloat16 and random, as many as the model has."""
    models = {"tiny": [(9, 64, 3), (5, 200, 2)]} if smoke else MATRICES
    for model, shapes in models.items():
        dtype = torch.float32 if model == "BERT-base" else torch.bfloat16
        weights = [
            (0.02 * torch.randn(rows, n, device=device)).to(dtype)
            for rows, n, count in shapes
            for _ in range(count)
        ]
        read = sum(weight.nbytes + weight.numel() for weight in weights)  # and a byte written for each entry
        floor = _share(read, floors.get("copy_bytes_per_second"))

        def whole(select: Callable[[Tensor, int], Tensor], weights: list[Tensor] = weights) -> list[Tensor]:
            return [select(weight, weight.shape[1] // 2)[:8] for weight in weights]

        def check(masks: list[Tensor], weights: list[Tensor] = weights) -> float:
            # Every matrix of a small model, every tenth of a large one.
            for weight, mask in list(zip(weights, masks, strict=True))[:: 1 if len(weights) < 100 else 10]:
                rows = weight[:8].cpu()
                if not torch.equal(mask.cpu(), ken_mask(rows, rows.shape[1] // 2)):
                    return 1.0
            return 0.0

        providers: list[tuple[str, Callable[[Tensor, int], Tensor]]] = [("pruning_ext", ken_mask)]
        if device == "cuda" and model != "Llama-2-7B":
            providers.append(("pruning_ext, one by one", lambda w, k: OPS._ken_mask_by(w, k, False, 0)))
        total = sum(len(weight) for weight in weights)
        yield [
            Subject(
                f"KEN mask, {model}",
                name,
                total,
                "rows",
                lambda select=select: whole(select),
                check,
                0.0,
                floor,
                {"rows": total, "matrices": len(weights), "dtype": str(dtype).removeprefix("torch.")},
            )
            for name, select in providers
        ]


def _codes(n: int, samples: int, bins: int, zeros: float, device: str) -> Tensor:
    codes = torch.randint(0, bins, (n, samples), dtype=torch.uint8, device=device)
    if zeros:
        codes[torch.rand(n, samples, device=device) < zeros] = 0
    codes[1::16] = codes[::16][: len(codes[1::16])]
    return codes


def one_hot_fp16(codes: Tensor, bins: int) -> Tensor:
    """Tiles of indicators in float16 and their products in float32, which is exact below 2^24 samples."""
    return _tiled(codes, bins, torch.float16, lambda a, b: torch.mm(a, b.T, out_dtype=torch.float32))


def one_hot_int8(codes: Tensor, bins: int) -> Tensor:
    """The same in int8 with int32 sums."""
    return _tiled(codes, bins, torch.int8, lambda a, b: torch._int_mm(a, b.T))


def _tiled(
    codes: Tensor, bins: int, dtype: torch.dtype, product: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    tile = 512 if codes.is_cuda else 16  # 512 rows are 8192 indicators, as large as the GPU's products like
    n, samples = codes.shape
    result = torch.empty(n, n, dtype=torch.float64, device=codes.device)
    values = torch.arange(bins, dtype=torch.uint8, device=codes.device)[:, None]
    for first in range(0, n, tile):
        rows = (codes[first : first + tile, None] == values).to(dtype).flatten(0, 1)
        for second in range(first, n, tile):
            others = (codes[second : second + tile, None] == values).to(dtype).flatten(0, 1)
            tables = product(rows, others).view(len(rows) // bins, bins, -1, bins).transpose(1, 2)
            part = mi_torch._information(tables, samples)
            result[first : first + tile, second : second + tile] = part
            result[second : second + tile, first : first + tile] = part.T
    return result


def mi_cases(device: str, smoke: bool, floors: Floors) -> Iterator[list[Subject]]:
    """16 bins, even and as ReLU leaves them; 8 and 32 bins at a smaller size."""
    large = (64, 512) if smoke else (8192, 65536)
    small = (32, 300) if smoke else (3072, 16384)
    for (n, samples), bins, zeros in (
        (large, 16, 0.0),
        (large, 16, 0.75),
        (small, 16, 0.0),
        (small, 8, 0.0),
        (small, 32, 0.0),
    ):
        codes = _codes(n, samples, bins, zeros, device)
        checked = min(n, 16)
        sample = codes[:checked].cpu()
        truth = reference.mutual_information_from_codes(sample, sample, bins)

        def check(found: Tensor, truth: Tensor = truth, checked: int = checked) -> float:
            return float((found[:checked, :checked].cpu().double() - truth).abs().max())

        def by(way: int) -> Callable[[Tensor, int], Tensor]:
            return lambda x, count: OPS._mutual_information_by(x, None, count, way)

        bits, bytes_ = (_nested(floors, f"{name}_products_per_second") for name in ("bit", "byte"))
        providers: list[tuple[str, int, Callable[[Tensor, int], Tensor], float | None]] = [
            ("pruning_ext", n, lambda x, count: mutual_information_from_codes(x, bins=count), bits)
        ]
        if device == "cuda":
            providers.append(("pruning_ext, planes", n, by(2), bits))
            if bins <= 16:
                providers.append(("pruning_ext, INT8 one-hot", n, by(3), bytes_))
            if 9 <= bins <= 16:
                providers.append(("pruning_ext, slices", n, by(4), bits))
                if torch.cuda.get_device_capability() == (9, 0):
                    providers.append(("pruning_ext, wgmma", n, by(5), bits))
            providers.append(("pruning_ext, atomics", min(n, 512), by(1), None))
            providers.append(("torch, one-hot fp16 product", min(n, 2048), one_hot_fp16, None))
            providers.append(("reference.py", min(n, 64), _reference, None))
        providers.append(("torch, one-hot _int_mm", min(n, 2048), one_hot_int8, None))
        yield [
            Subject(
                f"MI N={n}, T={samples}, {bins} bins{' ReLU' if zeros else ''}",
                name,
                used * (used + 1) / 2 * samples,
                "pair_samples",
                lambda run=run, used=used, codes=codes, bins=bins: run(codes[:used], bins),
                check,
                1e-6,
                _share(used * (used + 1) / 2 * samples * (bins - 1) ** 2, rate),
                {"columns": used, "samples": samples, "bins": bins, "zeros": zeros},
            )
            for name, used, run, rate in providers
        ]


def _reference(codes: Tensor, bins: int) -> Tensor:
    return reference.mutual_information_from_codes(codes, codes, bins)
