"""All pairs of codes in plain PyTorch, as well as a competent user would write it.

Each takes codes uint8 ``[N, T]`` and ``bins`` and gives the mutual information float64 ``[N, N]`` in nats,
both halves of it from the upper triangle. Only the tables of a tile of pairs are made at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

TILE = 64  # rows and columns of a tile of tables: the best of 16 to 256 for the one-hot product
CELLS = 1 << 24  # of the tables of a tile at most
CUDA_TILE, CUDA_CELLS = 512, 1 << 26  # of one-hot products: 8192 indicators fill a GPU


def _tiles(count: int, bins: int, tile: int, cells: int) -> Iterator[tuple[slice, slice]]:
    size = min(tile, max(1, math.isqrt(cells // bins**2)))
    for first in range(0, count, size):
        for second in range(first, count, size):
            yield slice(first, min(first + size, count)), slice(second, min(second + size, count))


def _information(tables: Tensor, samples: int) -> Tensor:
    """Of counts ``[..., bins, bins]``."""
    counts = tables.double()
    terms = torch.special.xlogy(counts, counts).sum((-2, -1))
    rows, columns = counts.sum(-1), counts.sum(-2)
    margins = torch.special.xlogy(rows, rows).sum(-1) + torch.special.xlogy(columns, columns).sum(-1)
    return (terms - margins) / samples + math.log(samples)


def _from_tables(
    codes: Tensor,
    bins: int,
    tables_of: Callable[[slice, slice], Tensor],
    tile: int = TILE,
    cells: int = CELLS,
) -> Tensor:
    count, samples = codes.shape
    result = torch.empty(count, count, dtype=torch.float64, device=codes.device)
    for rows, columns in _tiles(count, bins, tile, cells):
        part = _information(tables_of(rows, columns), samples)
        result[rows, columns] = part
        result[columns, rows] = part.T
    return result


def one_hot_matmul(codes: Tensor, bins: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Indicators and one matrix product for each tile: exact in float32 below 2^24 samples, in int8 with
    int32 sums, in float16 (CUDA) with float32 sums.
    """
    values = torch.arange(bins, dtype=torch.uint8, device=codes.device)[:, None]
    product = _PRODUCTS.get(dtype, torch.mm)

    def indicators(rows: slice) -> Tensor:
        return (codes[rows, None] == values).to(dtype).flatten(0, 1)  # [rows * bins, T]

    kept: dict[int, Tensor] = {}

    def tables(rows: slice, columns: slice) -> Tensor:
        if rows.start not in kept:  # rows stay while columns pass by
            kept.clear()
            kept[rows.start] = indicators(rows)
        counts = product(kept[rows.start], indicators(columns).T)
        return counts.view(rows.stop - rows.start, bins, -1, bins).transpose(1, 2)

    return _from_tables(codes, bins, tables, *((CUDA_TILE, CUDA_CELLS) if codes.is_cuda else (TILE, CELLS)))


def one_hot_matmul_int8(codes: Tensor, bins: int) -> Tensor:
    """The same through the integer units, which are several times as fast where the CPU has them (VNNI)."""
    return one_hot_matmul(codes, bins, torch.int8)


def one_hot_matmul_fp16(codes: Tensor, bins: int) -> Tensor:
    """The same through a GPU's half-precision units, whose sums are in float32."""
    return one_hot_matmul(codes, bins, torch.float16)


_PRODUCTS: dict[torch.dtype, Callable[[Tensor, Tensor], Tensor]] = {
    torch.int8: torch._int_mm,
    torch.float16: partial(torch.mm, out_dtype=torch.float32),
}


def bincount(codes: Tensor, bins: int) -> Tensor:
    """``bincount`` of fused codes, one for each row of a tile: an int64 add for each pair-sample."""
    wide = codes.long()
    offsets = torch.arange(TILE, device=codes.device)[:, None] * bins * bins

    def tables(rows: slice, columns: slice) -> Tensor:
        width = columns.stop - columns.start
        low = wide[columns] + offsets[:width]
        counts = [
            torch.bincount((low + row * bins).flatten(), minlength=width * bins**2) for row in wide[rows]
        ]
        return torch.stack(counts).view(-1, width, bins, bins)

    return _from_tables(codes, bins, tables)


def scatter_add(codes: Tensor, bins: int) -> Tensor:
    """``scatter_add_`` of ones at fused codes into the int32 tables of one row of a tile."""
    wide = codes.long()
    one = torch.ones(1, 1, dtype=torch.int32, device=codes.device)

    def tables(rows: slice, columns: slice) -> Tensor:
        width, samples = columns.stop - columns.start, codes.shape[1]
        ones = one.expand(width, samples)
        counts = torch.zeros(rows.stop - rows.start, width, bins**2, dtype=torch.int32, device=codes.device)
        for table, row in zip(counts, wide[rows], strict=True):
            table.scatter_add_(1, wide[columns] + row * bins, ones)
        return counts.unflatten(2, (bins, bins))

    return _from_tables(codes, bins, tables)
