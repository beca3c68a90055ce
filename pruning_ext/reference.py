"""Every op in a few lines of plain PyTorch: the definition, and the baseline the kernels are measured against.

Nothing here is tuned. All functions compute in the dtype of their input, so float64 tensors give the truth
that the tests compare with. Shapes as in :mod:`pruning_ext.ops`: rows of weights are ``[R, N]``,
activations are ``[T, N]``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kde_bandwidth(samples: Tensor, rule: str, weights: Tensor | None = None) -> Tensor:
    """Bandwidth ``[R]`` of each row by ``"scott"`` or ``"silverman"`` (SciPy's) or ``"ken"`` (KEN's)."""
    w = torch.ones_like(samples) if weights is None else weights.expand_as(samples)
    w = w / w.sum(1, keepdim=True)
    n_eff = 1 / w.square().sum(1)
    mean = (w * samples).sum(1, keepdim=True)
    variance = (w * (samples - mean).square()).sum(1)
    if rule == "ken":
        return 1.06 * variance.sqrt() * n_eff ** (-1 / 5)
    unbiased = variance / (1 - 1 / n_eff)
    factor = n_eff ** (-1 / 5) if rule == "scott" else (n_eff * 3 / 4) ** (-1 / 5)
    return factor * unbiased.sqrt()


def gaussian_kde(
    samples: Tensor,
    points: Tensor,
    bandwidth: Tensor,
    weights: Tensor | None = None,
    log: bool = False,
    leave_one_out: bool = False,
) -> Tensor:
    """Density ``[R, K]``: ``sum_i w_i exp(-(p - x_i)^2 / 2 h^2) / (h sqrt(2 pi))`` with weights summing to 1."""
    w = torch.ones_like(samples) if weights is None else weights.expand_as(samples)
    h = bandwidth[:, None]
    z = (points.expand(len(samples), -1)[:, :, None] - samples[:, None, :]) / h[:, :, None]
    terms = w.log()[:, None, :] - z.square() / 2
    total = w.sum(1, keepdim=True)
    if leave_one_out:
        terms = terms.masked_fill(torch.eye(samples.shape[1], dtype=torch.bool, device=samples.device), -math.inf)
        total = total - w
    log_density = terms.logsumexp(2) - total.log() - h.log() - math.log(2 * math.pi) / 2
    return log_density if log else log_density.exp()


def gaussian_kde_grid(samples: Tensor, num_points: int, bandwidth: Tensor) -> tuple[Tensor, Tensor]:
    """``(grid, density)``, both ``[R, num_points]``, on equal steps from each row's minimum to its maximum."""
    low, high = samples.aminmax(dim=1, keepdim=True)
    grid = low + (high - low) * torch.linspace(0, 1, num_points, dtype=samples.dtype, device=samples.device)
    return grid, gaussian_kde(samples, grid, bandwidth)


def ken_mask(weight: Tensor, k: int, keep_ties: bool = False) -> Tensor:
    """KEN's row selection, bool ``[R, N]``, step by step as the paper's code does it (float64 throughout)."""
    rows, n = weight.shape
    if k >= n:
        return torch.ones_like(weight, dtype=torch.bool)
    mask = torch.zeros_like(weight, dtype=torch.bool)
    for row, kept in zip(weight.double(), mask, strict=True):
        low, high = row.aminmax()
        if low == high or k == 0:  # no bandwidth: keep the first k
            kept[:k] = True
            continue
        h = kde_bandwidth(row[None], "ken")
        grid = torch.arange(k, dtype=torch.float64, device=row.device) * ((high - low) / max(k - 1, 1)) + low
        if k > 1:
            grid[-1] = high
        bucket = gaussian_kde(row[None], grid[None], h)[0].round()  # round half to even
        free = torch.ones_like(kept)
        for point in grid[bucket.argsort(descending=True, stable=True)]:
            distance = (row - point).abs().masked_fill(~free, math.inf)
            nearest = int((distance == distance.min()).nonzero()[0])  # argmin does not promise the first
            free[nearest] = False
            kept[nearest] = True
        if keep_ties:
            kept |= torch.isin(row, row[kept])
    return mask
