"""KEN's selection by a compiled loop: what remains without interpreter and quadratic search.

The densities are still direct sums in float64, a loop over the samples for each grid point; the matching
walks over groups of equal values by union-find. One row is one iteration of a parallel loop.
"""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pruning_ext.bench.baselines.numba_threads import follow_torch


@numba.njit(cache=True, boundscheck=False)
def _find(parent: NDArray[np.int64], group: int) -> int:
    """The nearest group in ``parent``'s direction that is not used up."""
    root = group
    while parent[root] != root:
        root = parent[root]
    while parent[group] != root:
        parent[group], group = root, parent[group]
    return root


@numba.njit(cache=True, fastmath=True, boundscheck=False)
def _ordered_grid(x: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """The grid from its densest point on, densities rounded half to even, equal ones ascending."""
    n = len(x)
    h = 1.06 * x.std() * n**-0.2
    grid = np.linspace(x.min(), x.max(), k)
    key = np.empty(k)
    scale = 1 / (n * h * np.sqrt(2 * np.pi))
    for j in range(k):
        total = 0.0
        for i in range(n):
            z = (grid[j] - x[i]) / h
            total += np.exp(-0.5 * z * z)
        key[j] = -np.round(total * scale)
    return grid[np.argsort(key, kind="mergesort")]


@numba.njit(cache=True, boundscheck=False)
def _match(x: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Each point takes the nearest value not yet taken, at a tie the one earliest in the row; values kept."""
    order = np.argsort(x, kind="mergesort")
    n = len(x)
    starts = np.empty(n + 1, dtype=np.int64)  # of each group of equal values in `order`
    groups = 0
    for i in range(n):
        if i == 0 or x[order[i]] != x[order[i - 1]]:
            starts[groups] = i
            groups += 1
    starts[groups] = n
    values = x[order[starts[:groups]]]
    used = np.zeros(groups, dtype=np.int64)
    left, right = np.arange(groups + 1), np.arange(groups + 1)  # left is shifted by one: 0 is the wall
    for point in points:
        place = np.searchsorted(values, point)
        low, high = _find(left, place) - 1, _find(right, place)
        if low < 0:
            taken = high
        elif high == groups:
            taken = low
        else:
            below, above = point - values[low], values[high] - point
            first = order[starts[low] + used[low]] < order[starts[high] + used[high]]
            taken = low if below < above or (below == above and first) else high
        used[taken] += 1
        if used[taken] == starts[taken + 1] - starts[taken]:
            left[taken + 1] = taken
            right[taken] = taken + 1
    kept = np.zeros(n, dtype=np.bool_)
    for g in range(groups):
        if used[g] > 0:
            for i in range(starts[g], starts[g + 1]):
                kept[order[i]] = True
    return kept


@numba.njit(cache=True, parallel=True, boundscheck=False)
def _rows(weight: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    mask = np.empty(weight.shape, dtype=np.bool_)
    for r in numba.prange(len(weight)):
        mask[r] = _match(weight[r], _ordered_grid(weight[r], k))
    return mask


def numba_mask(weight: Tensor, k: int) -> Tensor:
    """bool ``[R, n]``: ``k`` entries of each row of ``weight [R, n]``, and what equals one of them."""
    follow_torch()
    return torch.from_numpy(_rows(weight.double().numpy(), k))
