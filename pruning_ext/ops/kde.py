"""Gaussian kernel density of many rows at once."""

from __future__ import annotations

import torch
from torch import Tensor

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
from pruning_ext.ops._native import as_int64, call, check_device, check_floating, made_of, result_dtype

__all__ = ["gaussian_kde", "gaussian_kde_grid"]


@made_of("gaussian_kde", "kde_bandwidth")
def gaussian_kde(
    samples: Tensor,
    points: Tensor,
    bandwidth: float | str | Tensor = "scott",
    *,
    weights: Tensor | None = None,
    log: bool = False,
    leave_one_out: bool = False,
    rtol: float | None = None,
) -> Tensor:
    r"""Gaussian kernel density of every row of ``samples`` at the row's ``points``.

    .. math::
        f_r(p) = \frac{1}{h_r \sqrt{2\pi}} \sum_i w_{ri} e^{-(p - x_{ri})^2 / 2 h_r^2},
        \qquad \sum_i w_{ri} = 1

    Args:
        samples: ``[R, N]``, finite; float64, float32, float16 or bfloat16, any strides.
        points: where the density is wanted, ``[R, K]``, or ``[K]`` for all rows alike; finite, same device.
        bandwidth: ``h``, in the units of the samples: a positive number, a tensor ``[R]``, or a rule.
            ``"scott"`` and ``"silverman"`` are exactly :class:`scipy.stats.gaussian_kde`'s;
            ``"ken"`` is KEN's 1.06 · population standard deviation · N^(-1/5).
        weights: ``[R, N]`` or ``[N]``, not negative, not all zero; scaled to sum to 1. None: all equal.
        log: give the logarithm of the density, finite however far a point lies from every sample: within
            1e-4 of exact for float32 and 1e-10 for float64 (2 ``rtol`` where one is given and that is more),
            plus the rounding of the output's dtype.
        leave_one_out: leave sample ``j`` out of the density at point ``j``; needs ``K == N``. Where nothing
            is left (``N == 1``, or all weight on sample ``j``) the density is 0 and its logarithm -inf.
        rtol: the relative error allowed. None: 1e-5, and 1e-12 for float64 samples. Any method that keeps it
            may be chosen: from 1e-12 on one that takes time linear in ``N + K`` (``csrc/kde/lattice.h``),
            below that, and at 0, the direct sum in float64: no less than 1e-14 can be asked for, which that
            keeps in rows of up to 200,000 samples (its rounding grows with their number).

    Returns:
        Density ``[R, K]``, in 1 / units of the samples, or its natural logarithm: float64 for float64
        samples, float32 otherwise.

        *Bound:* wherever the density is at least 1e-12 of the row's peak, its relative error against exact
        arithmetic on the same inputs is at most ``rtol`` (plus the rounding of the output's dtype). Below
        that the absolute error is at most ``rtol`` · 1e-12 · peak, and at more than 9.5 bandwidths (11 from
        ``rtol`` below 1e-5) from every sample the density may be 0.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity (the row is named), a bandwidth, weights or
            ``rtol`` out of range, a constant row under a rule.
        TypeError: a dtype that is not supported, a number or a flag that is none.

    Not differentiable: the result carries no gradient.

    References: Greengard and Strain, *The fast Gauss transform*, 1991; Greengard and Lee,
    *Accelerating the nonuniform fast Fourier transform*, 2004.
    """
    log, leave_one_out = check_flag("log", log), check_flag("leave_one_out", leave_one_out)
    rtol = check_rtol(rtol)
    check_floating("samples", samples)
    check_rows_shape("samples", samples.shape)
    check_floating("points", points)
    check_points_shape(samples.shape, points.shape, leave_one_out)
    check_device("points", points, "samples", samples)
    weights = _weights(samples, weights)
    h = _bandwidth(samples, bandwidth, weights)
    points = points.expand(samples.shape[0], -1)
    return call("gaussian_kde", samples.device, samples, points, h, weights, log, leave_one_out, rtol)


@made_of("gaussian_kde_grid", "kde_bandwidth")
def gaussian_kde_grid(
    samples: Tensor, num_points: int, bandwidth: float | str | Tensor = "scott", *, rtol: float | None = None
) -> tuple[Tensor, Tensor]:
    """Density of every row on equal steps from its minimum to its maximum, both included.

    Args:
        samples: ``[R, N]``, as in :func:`gaussian_kde`.
        num_points: ``K``, at least 1; with 1 the grid is the minimum.
        bandwidth: as in :func:`gaussian_kde`.
        rtol: as in :func:`gaussian_kde`.

    Returns:
        ``(grid, density)``, both ``[R, K]``: float64 for float64 samples, float32 otherwise. The density is
        that at the grid as returned, with the bound of :func:`gaussian_kde`.

    Raises:
        ValueError, TypeError: as :func:`gaussian_kde`.
    """
    rtol = check_rtol(rtol)
    check_floating("samples", samples)
    check_rows_shape("samples", samples.shape)
    number = as_int64(check_at_least("num_points", num_points, 1))
    check_grid_size(samples.shape[0], number)
    h = _bandwidth(samples, bandwidth, None)
    return call("gaussian_kde_grid", samples.device, samples, number, h, rtol)


def _weights(samples: Tensor, weights: Tensor | None) -> Tensor | None:
    if weights is None:
        return None
    check_floating("weights", weights)
    check_weights_shape(samples.shape, weights.shape)
    check_device("weights", weights, "samples", samples)
    return weights.expand(samples.shape)


def _bandwidth(samples: Tensor, bandwidth: float | str | Tensor, weights: Tensor | None) -> Tensor:
    """As the kernels take it: float64 ``[R]``."""
    rows = samples.shape[0]
    if isinstance(bandwidth, Tensor):
        check_floating("bandwidth", bandwidth)
        check_bandwidth_shape(bandwidth.shape, rows)
        check_device("bandwidth", bandwidth, "samples", samples)
        # R numbers: the one copy the kernels ask for.
        return bandwidth.to(torch.float64).expand(rows).contiguous()
    h = check_bandwidth(bandwidth, "a tensor [R]")
    if isinstance(h, str):
        return call("kde_bandwidth", samples.device, samples, weights, h)
    return torch.full((rows,), h, dtype=torch.float64, device=samples.device)


@torch.library.register_fake("pruning_ext::gaussian_kde")
def _(
    samples: Tensor,
    points: Tensor,
    bandwidth: Tensor,
    weights: Tensor | None,
    log: bool,
    leave_one_out: bool,
    rtol: float | None,
) -> Tensor:
    return samples.new_empty(points.shape, dtype=result_dtype(samples))


@torch.library.register_fake("pruning_ext::gaussian_kde_grid")
def _(samples: Tensor, num_points: int, bandwidth: Tensor, rtol: float | None) -> tuple[Tensor, Tensor]:
    shape = (samples.shape[0], num_points)
    return samples.new_empty(shape, dtype=result_dtype(samples)), samples.new_empty(
        shape, dtype=result_dtype(samples)
    )


@torch.library.register_fake("pruning_ext::kde_bandwidth")
def _(samples: Tensor, weights: Tensor | None, rule: str) -> Tensor:
    return samples.new_empty(samples.shape[:1], dtype=torch.float64)
