"""All pairs of codes, the ways a competent user would write it: torch, numba, scikit-learn.

Each takes codes uint8 ``[N, T]`` and ``bins`` and gives the mutual information float64 ``[N, N]`` in nats,
both halves of it from the upper triangle. Those that count by torch make the tables of a tile of pairs only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score
from torch import Tensor

TILE = 64  # rows and columns of a tile of tables: the best of 16 to 256 for the one-hot product


def _tiles(count: int) -> Iterator[tuple[slice, slice]]:
    for first in range(0, count, TILE):
        for second in range(first, count, TILE):
            yield slice(first, min(first + TILE, count)), slice(second, min(second + TILE, count))


def _information(tables: Tensor, samples: int) -> Tensor:
    """Of counts ``[..., bins, bins]``."""
    counts = tables.double()
    terms = torch.special.xlogy(counts, counts).sum((-2, -1))
    rows, columns = counts.sum(-1), counts.sum(-2)
    margins = torch.special.xlogy(rows, rows).sum(-1) + torch.special.xlogy(columns, columns).sum(-1)
    return (terms - margins) / samples + math.log(samples)


def _from_tables(codes: Tensor, tables_of: Callable[[slice, slice], Tensor]) -> Tensor:
    count, samples = codes.shape
    result = torch.empty(count, count, dtype=torch.float64)
    for rows, columns in _tiles(count):
        tile = _information(tables_of(rows, columns), samples)
        result[rows, columns] = tile
        result[columns, rows] = tile.T
    return result


def one_hot_matmul(codes: Tensor, bins: int) -> Tensor:
    """Indicators in float32, exact below 2^24 samples, and one matrix product for each tile."""
    values = torch.arange(bins, dtype=torch.uint8)[:, None]

    def indicators(rows: slice) -> Tensor:
        return (codes[rows, None] == values).float().flatten(0, 1)  # [rows * bins, T]

    kept: dict[int, Tensor] = {}

    def tables(rows: slice, columns: slice) -> Tensor:
        if rows.start not in kept:  # rows stay while columns pass by
            kept.clear()
            kept[rows.start] = indicators(rows)
        product = kept[rows.start] @ indicators(columns).T
        return product.view(rows.stop - rows.start, bins, -1, bins).transpose(1, 2)

    return _from_tables(codes, tables)


def scatter_add(codes: Tensor, bins: int) -> Tensor:
    """``bincount`` of fused codes, one for each row of a tile: an int64 add for each pair-sample."""
    wide = codes.long()
    offsets = torch.arange(TILE)[:, None] * bins * bins

    def tables(rows: slice, columns: slice) -> Tensor:
        width = columns.stop - columns.start
        low = wide[columns] + offsets[:width]
        counts = [
            torch.bincount((low + row * bins).flatten(), minlength=width * bins**2) for row in wide[rows]
        ]
        return torch.stack(counts).view(-1, width, bins, bins)

    return _from_tables(codes, tables)


@numba.njit(boundscheck=False)
def _count(fused: NDArray[np.uint16], codes: NDArray[np.uint8], counts: NDArray[np.int32]) -> None:
    for t in range(len(codes)):
        counts[fused[t] + codes[t]] += 1


@numba.njit(boundscheck=False)
def _count_in_four(fused: NDArray[np.uint16], codes: NDArray[np.uint8], counts: NDArray[np.int32]) -> None:
    """Equal neighbours do not wait for each other's increment."""
    tables = np.zeros((4, len(counts)), dtype=np.int32)
    whole = len(codes) // 4 * 4
    for t in range(0, whole, 4):
        tables[0, fused[t] + codes[t]] += 1
        tables[1, fused[t + 1] + codes[t + 1]] += 1
        tables[2, fused[t + 2] + codes[t + 2]] += 1
        tables[3, fused[t + 3] + codes[t + 3]] += 1
    for t in range(whole, len(codes)):
        tables[0, fused[t] + codes[t]] += 1
    for cell in range(len(counts)):
        counts[cell] = tables[0, cell] + tables[1, cell] + tables[2, cell] + tables[3, cell]


def _all_pairs(count: Callable[..., None]) -> Callable[..., NDArray[np.float64]]:
    def run(codes: NDArray[np.uint8], bins: int, terms: NDArray[np.float64]) -> NDArray[np.float64]:
        columns, samples = codes.shape
        result = np.empty((columns, columns))
        margins = np.zeros(columns)
        for i in numba.prange(columns):
            for occurrences in np.bincount(codes[i], minlength=bins):
                margins[i] += terms[occurrences]
        for i in numba.prange(columns):
            fused = codes[i].astype(np.uint16) * np.uint16(bins)
            counts = np.empty(bins * bins, dtype=np.int32)
            for j in range(i, columns):
                counts[:] = 0
                count(fused, codes[j], counts)
                joint = 0.0
                for c in counts:
                    joint += terms[c]
                result[i, j] = (joint - margins[i] - margins[j] + terms[samples]) / samples
                result[j, i] = result[i, j]
        return result

    return numba.njit(parallel=True, boundscheck=False)(run)


_one_table, _four_tables = _all_pairs(_count), _all_pairs(_count_in_four)


def numba_loop(codes: Tensor, bins: int, run: Callable[..., NDArray[np.float64]] = _one_table) -> Tensor:
    """A compiled loop over uint8 codes, and a table of ``c ln c``."""
    counts = np.arange(codes.shape[1] + 1, dtype=np.float64)
    terms = counts * np.log(np.maximum(counts, 1))
    numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))
    return torch.from_numpy(run(codes.numpy(), bins, terms))


def numba_loop_four_tables(codes: Tensor, bins: int) -> Tensor:
    """The same with the strongest counting that a loop over bytes has."""
    return numba_loop(codes, bins, _four_tables)


def sklearn_scores(codes: Tensor, bins: int) -> Tensor:
    """``mutual_info_score`` pair by pair."""
    rows = codes.numpy()
    result = torch.empty(len(rows), len(rows), dtype=torch.float64)
    for i, x in enumerate(rows):
        for j in range(i, len(rows)):
            result[i, j] = result[j, i] = mutual_info_score(x, rows[j])
    return result
