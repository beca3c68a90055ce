"""Refit of a block's down projection, so that the neurons that stay make up for those that go.

With activations ``z``, weight ``W`` and kept neurons ``k``, the refit minimises over the calibration tokens

    E |W z - V z_k|^2 + lambda |V - W_k|^2,   lambda = ridge * mean of diag E[z_k z_k^T],

whose solution is ``V = (W C_{:k} + lambda W_k) (C_kk + lambda I)^-1`` with ``C = E[z z^T]``. The pull is
towards the weights as they are, not towards zero: an infinite ridge is no compensation. Where the projection
has a bias, ``C`` is the covariance and the bias takes up the difference of the means.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Refit(NamedTuple):
    """New down projection ``weight [H, k]`` and ``bias [H]`` (if there was one), and what it leaves.

    ``error`` is ``E|W z - V z_k - db|^2 / E|W z|^2`` on the calibration tokens, ``uncompensated`` the same
    for the kept columns as they were.
    """

    weight: Tensor
    bias: Tensor | None
    error: float
    uncompensated: float


def refit_down_projection(
    second_moment: Tensor,
    mean: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    keep: Tensor,
    *,
    ridge: float = 1e-3,
) -> Refit:
    """Ridge least squares in float64.

    Args:
        second_moment: ``[N, N]``, mean of ``z z^T``.
        mean: ``[N]``, mean of ``z``.
        weight: ``[H, N]``; bias: ``[H]`` or ``None``.
        keep: int64 ``[k]``.
        ridge: pull towards the old weights, relative to the mean variance of the kept neurons; positive.

    Raises:
        ValueError: the moments are too close to singular for this ``ridge``.
    """
    c, w = second_moment.double(), weight.double()
    mean = mean.double()
    scale = _energy(c, w)
    moment = c if bias is None else c - torch.outer(mean, mean)
    kept_moment = moment[keep][:, keep]
    strength = ridge * kept_moment.diagonal().mean()
    if not strength > 0:  # the kept neurons are silent: there is nothing to fit
        strength = torch.ones_like(strength)
    kept_moment.diagonal().add_(strength)
    factor, failed = torch.linalg.cholesky_ex(kept_moment)
    if failed:
        raise ValueError(f"ridge is {ridge}: too small for the calibration's second moments; raise it")
    target = w @ moment[:, keep] + strength * w[:, keep]
    fitted = torch.cholesky_solve(target.T, factor).T
    left = w.clone()
    left[:, keep] = 0
    change = w.clone()
    change[:, keep] -= fitted
    new_bias = None if bias is None else bias.double() + change @ mean
    return Refit(
        fitted,
        new_bias,
        _energy(moment, change) / scale if scale else 0.0,
        _energy(c, left) / scale if scale else 0.0,
    )


def _energy(moment: Tensor, weight: Tensor) -> float:
    """``E |weight z|^2``."""
    return max(float((weight @ moment).mul_(weight).sum()), 0.0)
