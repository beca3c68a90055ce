"""All pairs of codes by a compiled loop over bytes. Arguments and result as in :mod:`~.mi_torch`."""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pruning_ext.bench.baselines.numba_threads import follow_torch


@numba.njit(cache=True, boundscheck=False)
def _count(fused: NDArray[np.uint16], codes: NDArray[np.uint8], counts: NDArray[np.int32]) -> None:
    for t in range(len(codes)):
        counts[fused[t] + codes[t]] += 1


@numba.njit(cache=True, boundscheck=False)
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


@numba.njit(cache=True, parallel=True, boundscheck=False)
def _all_pairs(
    codes: NDArray[np.uint8], bins: int, terms: NDArray[np.float64], four: bool
) -> NDArray[np.float64]:
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
            if four:
                _count_in_four(fused, codes[j], counts)
            else:
                _count(fused, codes[j], counts)
            joint = 0.0
            for c in counts:
                joint += terms[c]
            result[i, j] = (joint - margins[i] - margins[j] + terms[samples]) / samples
            result[j, i] = result[i, j]
    return result


def numba_loop(codes: Tensor, bins: int, *, four: bool = False) -> Tensor:
    """One table for each pair, and a table of ``c ln c``."""
    counts = np.arange(codes.shape[1] + 1, dtype=np.float64)
    terms = counts * np.log(np.maximum(counts, 1))
    follow_torch()
    return torch.from_numpy(_all_pairs(codes.numpy(), bins, terms, four))


def numba_loop_four_tables(codes: Tensor, bins: int) -> Tensor:
    """The strongest counting that a loop over bytes has: equal neighbours go to different tables."""
    return numba_loop(codes, bins, four=True)
