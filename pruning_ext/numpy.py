"""The ops on NumPy arrays, by the same kernels, without torch.

>>> import numpy as np
>>> from pruning_ext.numpy import gaussian_kde
>>> rows = np.random.default_rng(0).normal(size=(4, 1000))
>>> gaussian_kde(rows, np.linspace(-3, 3, 7)).shape
(4, 7)

Arrays are float64, float32 or float16 in native byte order, of any strides; nothing is written to them and
nothing is copied but what a docstring names. float64 in gives float64 out, all else float32.

All functions take ``num_threads``: at most so many threads, 0 for as many as the machine has. Results do not
depend on it.
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pruning_ext._numpy_arguments import check_floating, is_whole, native, thread_count
from pruning_ext._numpy_mi import (
    TopK,
    contingency,
    discretize,
    mutual_information,
    mutual_information_from_codes,
    mutual_information_sum,
    mutual_information_sum_from_codes,
    mutual_information_topk,
    mutual_information_topk_from_codes,
)

__all__ = [
    "TopK",
    "contingency",
    "discretize",
    "gaussian_kde",
    "gaussian_kde_grid",
    "ken_mask",
    "mutual_information",
    "mutual_information_from_codes",
    "mutual_information_sum",
    "mutual_information_sum_from_codes",
    "mutual_information_topk",
    "mutual_information_topk_from_codes",
]

_RULES = ("scott", "silverman", "ken")


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
        leave_one_out: leave sample ``j`` out of the density at point ``j``; needs ``K == N``.
        rtol: the relative error allowed. None: 1e-5, and 1e-12 for float64 samples; 0: the direct sum.
        num_threads: at most so many threads; 0: as many as the machine has.

    Returns:
        Density ``[R, K]``, in 1 / units of the samples, or its natural logarithm.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity (the row is named), a bandwidth or weights out of
            range, a constant row under a rule.
        TypeError: what is not an array, or a dtype that is not supported.
    """
    _check_rows("samples", samples)
    check_floating("points", points)
    rows, count = samples.shape
    if points.ndim not in (1, 2) or (points.ndim == 2 and points.shape[0] != rows):
        raise ValueError(
            f"points must have shape [K] or [{rows}, K] for samples of shape {samples.shape}, "
            f"has {points.shape}"
        )
    if leave_one_out and points.shape[-1] != count:
        raise ValueError(
            f"leave_one_out needs a point for each of {count} samples in a row, points has {points.shape[-1]}"
        )
    weights = _weights(samples, weights)
    threads = thread_count(num_threads)
    h = _bandwidth(samples, bandwidth, weights, threads)
    points = np.broadcast_to(points, (rows, points.shape[-1]))
    core = native()
    density: NDArray[Any] = core.gaussian_kde(
        samples, points, h, weights, log, leave_one_out, _rtol(rtol), threads
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
    _check_rows("samples", samples)
    if not is_whole(num_points) or num_points < 1:
        raise ValueError(f"num_points must be a whole number of at least 1, is {num_points!r}")
    threads = thread_count(num_threads)
    h = _bandwidth(samples, bandwidth, None, threads)
    core = native()
    grid, density = core.gaussian_kde_grid(samples, operator.index(num_points), h, _rtol(rtol), threads)
    return grid, density


def ken_mask(
    weight: NDArray[Any], k: int, *, keep_ties: bool = False, num_threads: int = 0
) -> NDArray[np.bool_]:
    """The ``k`` entries that KEN keeps in each row of a weight matrix.

    As :func:`pruning_ext.ops.ken_mask`, which states the selection step by step.

    Args:
        weight: ``[R, n]``, finite. More dimensions are viewed as rows over the first one (and copied only
            where strides allow no view).
        k: entries to keep in a row, not negative; ``n`` or more keeps all.
        keep_ties: also keep every entry equal to a kept one, as the published code does.
        num_threads: at most so many threads; 0: as many as the machine has.

    Returns:
        bool, of ``weight``'s shape: exactly ``min(k, n)`` True in each row unless ``keep_ties``.

    Raises:
        ValueError: fewer than two dimensions, negative ``k``, NaN or infinity (the row is named).
        TypeError: what is not an array, or a dtype that is not supported.
    """
    check_floating("weight", weight)
    if weight.ndim < 2:
        raise ValueError(f"weight must have at least 2 dimensions [R, n], has shape {weight.shape}")
    if not is_whole(k):
        raise TypeError(f"k must be a whole number, not {k!r}")
    if k < 0:
        raise ValueError(f"k must not be negative, is {k}")
    rows, n = weight.shape[0], math.prod(weight.shape[1:])
    matrix = weight if weight.ndim == 2 else weight.reshape(rows, n)
    core = native()
    mask: NDArray[np.bool_] = core.ken_mask(
        matrix, min(operator.index(k), n), keep_ties, thread_count(num_threads)
    )
    return mask.reshape(weight.shape)


def _check_rows(name: str, array: NDArray[Any]) -> None:
    """``array`` must be ``[R, N]`` with entries in its rows."""
    check_floating(name, array)
    if array.ndim != 2:
        raise ValueError(f"{name} must have 2 dimensions [R, N], has shape {array.shape}")
    if array.shape[1] == 0 and array.shape[0] > 0:
        raise ValueError(f"{name} has rows without entries: its shape is {array.shape}")


def _rtol(rtol: float | None) -> float | None:
    if rtol is not None and not 0 <= rtol < 1:
        raise ValueError(f"rtol must be at least 0 and below 1, is {rtol}")
    return None if rtol is None else float(rtol)


def _weights(samples: NDArray[Any], weights: NDArray[Any] | None) -> NDArray[Any] | None:
    if weights is None:
        return None
    check_floating("weights", weights)
    if weights.shape not in (samples.shape, samples.shape[1:]):
        raise ValueError(
            f"weights must have the shape of samples {samples.shape} or of a row of it, has {weights.shape}"
        )
    return np.broadcast_to(weights, samples.shape)


def _bandwidth(
    samples: NDArray[Any], bandwidth: object, weights: NDArray[Any] | None, threads: int
) -> NDArray[np.float64]:
    """As the kernels take it: float64 ``[R]``."""
    rows = samples.shape[0]
    if isinstance(bandwidth, str):
        if bandwidth not in _RULES:
            raise ValueError(
                f"bandwidth must be one of {_RULES}, a number or an array [R], not {bandwidth!r}"
            )
        rule: NDArray[np.float64] = native().kde_bandwidth(samples, weights, bandwidth, threads)
        return rule
    if isinstance(bandwidth, np.ndarray):
        check_floating("bandwidth", bandwidth)
        if bandwidth.ndim > 0 and bandwidth.shape != (rows,):
            raise ValueError(f"bandwidth must have shape [{rows}], has {bandwidth.shape}")
        # R numbers: the one copy the kernels ask for.
        return np.ascontiguousarray(np.broadcast_to(bandwidth, (rows,)), dtype=np.float64)
    if isinstance(bandwidth, bool) or not isinstance(bandwidth, numbers.Real):
        raise TypeError(
            f"bandwidth must be one of {_RULES}, a number or an array [R], not {type(bandwidth).__name__}"
        )
    h = float(bandwidth)
    if not 0 < h < math.inf:
        raise ValueError(f"bandwidth must be positive and finite, is {bandwidth}")
    return np.full(rows, h)
