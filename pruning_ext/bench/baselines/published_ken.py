"""KEN's row selection as published (Mastromattei & Zanzotto 2024), restated from its six steps.

It shares no code with the ops: the tests' authority, and the benchmarks' baseline. Like the
published code it is scikit-learn's ``KernelDensity`` and Python loops, one row at a time, grid and
distances in float64. It is kinder in one point: it sorts the rounded densities instead of walking
through all integers up to the largest, which takes the published code 1.6 s per row at a standard
deviation of 1e-5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KernelDensity


def published_ken_row(row: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Entries of ``row [n]`` that KEN keeps, bool ``[n]``: ``k``, and whatever equals one of them in value.

    Raises:
        ValueError: ``k`` is not in 1..n, or the row is constant (the published code crashes there).
    """
    values, order = _ordered_grid(row, k)
    free = values.tolist()
    taken = set()
    for point in order.tolist():  # step 5
        distances = [abs(value - point) for value in free]
        nearest = distances.index(min(distances))  # at a tie the earliest in the row
        taken.add(free.pop(nearest))
    return np.array([value in taken for value in values.tolist()])  # step 6


def vectorised_ken_row(row: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """:func:`published_ken_row` with NumPy in step 5: what remains when the Python loops are taken out."""
    values, order = _ordered_grid(row, k)
    free = values.copy()
    taken = np.zeros(len(values), dtype=bool)
    for point in order:
        nearest = np.abs(free - point).argmin()  # the first of equals, like index(min())
        taken[nearest] = True
        free[nearest] = np.inf
    return np.isin(values, values[taken])


def published_ken_mask(weight: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """:func:`published_ken_row` of each row of ``weight [R, n]``, bool ``[R, n]``."""
    return np.stack([published_ken_row(row, k) for row in weight])


def _ordered_grid(row: NDArray[np.floating], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps 1 to 4: the row in float64 ``[n]``, and the grid ``[k]`` from its densest point on."""
    values = np.asarray(row, dtype=np.float64)
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"k must be in 1..{n}, got {k}")
    if values.min() == values.max():
        raise ValueError("the row is constant: its bandwidth is zero")
    bandwidth = 1.06 * values.std() * n ** (-1 / 5)  # step 1
    grid = np.linspace(values.min(), values.max(), k)  # step 2
    estimator = KernelDensity(kernel="gaussian", bandwidth=bandwidth).fit(values[:, None])
    densities = np.exp(estimator.score_samples(grid[:, None]))
    rounded = [round(density) for density in densities.tolist()]  # step 3: Python rounds half to even
    order = sorted(range(k), key=lambda point: (-rounded[point], grid[point]))  # step 4
    return values, grid[order]
