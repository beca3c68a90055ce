"""Gaussian kernel density of many rows at once, on NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pruning_ext._arguments import (
    check_at_least,
    check_bandwidth,
    check_bandwidth_shape,
    check_flag,
    check_grid_size,
    check_points_shape,
    check_rows_shape,
    check_rtol,
    check_weights_shape,
)
from pruning_ext.numpy._native import call, check_floating, thread_count

__all__ = ["gaussian_kde", "gaussian_kde_grid"]


def gaussian_kde(
    samples: NDArray[Any],
    points: NDArray[Any],
    bandwidth: float | str | NDArray[Any] = "scott",
    *,
    weights: NDArray[Any] | None = None,
    log: bool = False,
    leave_one_out: bool = False,
    rtol: float | None = None,
    num_threads: int = 0,
) -> NDArray[Any]:
    """Gaussian kernel density of every row of ``samples`` at the row's ``points``.

    As :func:`pruning_ext.ops.gaussian_kde`, which states formula, method and error bound.

    Args:
        samples: ``[R, N]``, finite.
        points: where the density is wanted, ``[R, K]``, or ``[K]`` for all rows alike; finite.
        bandwidth: in the units of the samples: a positive number, an array ``[R]``, or a rule: ``"scott"``
            or ``"silverman"`` (:class:`scipy.stats.gaussian_kde`'s) or ``"ken"``.
        weights: ``[R, N]`` or ``[N]``, not negative, not all zero; scaled to sum to 1. None: all equal.
        log: give the logarithm of the density, finite however far a point lies from every sample.
        leave_one_out: leave sample ``j`` out of the density at point ``j``; needs ``K == N``. Where nothing
            is left (``N == 1``, or all weight on sample ``j``) the density is 0 and its logarithm -inf.
        rtol: the relative error allowed, at least 1e-14. None: 1e-5, and 1e-12 for float64 samples; 0: the
            direct sum.
        num_threads: at most so many threads; 0: as many as the machine has.

    Returns:
        Density ``[R, K]``, in 1 / units of the samples, or its natural logarithm.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity (the row is named), a bandwidth, weights or
            ``rtol`` out of range, a constant row under a rule.
        TypeError: what is not an array, a dtype that is not supported, a number or a flag that is none.
    """
    log, leave_one_out = check_flag("log", log), check_flag("leave_one_out", leave_one_out)
    rtol, threads = check_rtol(rtol), thread_count(num_threads)
    check_floating("samples", samples)
    check_rows_shape("samples", samples.shape)
    check_floating("points", points)
    check_points_shape(samples.shape, points.shape, leave_one_out)
    weights = _weights(samples, weights)
    h = _bandwidth(samples, bandwidth, weights, threads)
    points = np.broadcast_to(points, (len(samples), points.shape[-1]))
    density: NDArray[Any] = call(
        "gaussian_kde", threads, samples, points, h, weights, log, leave_one_out, rtol
    )
    return density


def gaussian_kde_grid(
    samples: NDArray[Any],
    num_points: int,
    bandwidth: float | str | NDArray[Any] = "scott",
    *,
    rtol: float | None = None,
    num_threads: int = 0,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Density of every row on equal steps from its minimum to its maximum, both included.

    Args:
        samples: ``[R, N]``, as in :func:`gaussian_kde`.
        num_points: ``K``, at least 1; with 1 the grid is the minimum.
        bandwidth: as in :func:`gaussian_kde`.
        rtol: as in :func:`gaussian_kde`.
        num_threads: at most so many threads; 0: as many as the machine has.

    Returns:
        ``(grid, density)``, both ``[R, K]``. The density is that at the grid as returned, with the bound of
        :func:`pruning_ext.ops.gaussian_kde`.

    Raises:
        ValueError, TypeError: as :func:`gaussian_kde`.
    """
    rtol, threads = check_rtol(rtol), thread_count(num_threads)
    check_floating("samples", samples)
    check_rows_shape("samples", samples.shape)
    number = check_at_least("num_points", num_points, 1)
    check_grid_size(len(samples), number)
    number = min(number, 2**63 - 1)
    h = _bandwidth(samples, bandwidth, None, threads)
    grid, density = call("gaussian_kde_grid", threads, samples, number, h, rtol)
    return grid, density


def _weights(samples: NDArray[Any], weights: NDArray[Any] | None) -> NDArray[Any] | None:
    if weights is None:
        return None
    check_floating("weights", weights)
    check_weights_shape(samples.shape, weights.shape)
    return np.broadcast_to(weights, samples.shape)


def _bandwidth(
    samples: NDArray[Any], bandwidth: object, weights: NDArray[Any] | None, threads: int
) -> NDArray[np.float64]:
    """As the kernels take it: float64 ``[R]``."""
    rows = len(samples)
    if isinstance(bandwidth, np.ndarray):
        check_floating("bandwidth", bandwidth)
        check_bandwidth_shape(bandwidth.shape, rows)
        # R numbers: the one copy the kernels ask for.
        return np.ascontiguousarray(np.broadcast_to(bandwidth, (rows,)), dtype=np.float64)
    h = check_bandwidth(bandwidth, "an array [R]")
    if isinstance(h, str):
        found: NDArray[np.float64] = call("kde_bandwidth", threads, samples, weights, h)
        return found
    return np.full(rows, h)
