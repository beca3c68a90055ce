"""Every op in a few lines of plain PyTorch: the definition, and a baseline for the kernels.

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
    """Density ``[R, K]``: ``sum_i w_i exp(-(p - x_i)^2 / 2 h^2) / (h sqrt(2 pi))``, ``sum_i w_i = 1``.

    With ``leave_one_out`` point ``j`` leaves out sample ``j``; 0 where no weight is left.
    """
    w = torch.ones_like(samples) if weights is None else weights.expand_as(samples)
    h = bandwidth[:, None]
    z = (points.expand(len(samples), -1)[:, :, None] - samples[:, None, :]) / h[:, :, None]
    terms = w.log()[:, None, :] - z.square() / 2
    total = w.sum(1, keepdim=True)
    if leave_one_out:
        own = torch.eye(samples.shape[1], dtype=torch.bool, device=samples.device)
        terms = terms.masked_fill(own, -math.inf)
        total = w[:, None, :].masked_fill(own, 0).sum(2)
    log_density = terms.logsumexp(2) - total.log() - h.log() - math.log(2 * math.pi) / 2
    log_density = torch.where(total > 0, log_density, -math.inf)
    return log_density if log else log_density.exp()


def gaussian_kde_grid(samples: Tensor, num_points: int, bandwidth: Tensor) -> tuple[Tensor, Tensor]:
    """``(grid, density)``, both ``[R, num_points]``, on equal steps over each row's range."""
    low, high = samples.aminmax(dim=1, keepdim=True)
    grid = low + (high - low) * torch.linspace(0, 1, num_points, dtype=samples.dtype, device=samples.device)
    return grid, gaussian_kde(samples, grid, bandwidth)


def ken_mask(weight: Tensor, k: int, keep_ties: bool = False) -> Tensor:
    """KEN's row selection, bool ``[R, N]``, step by step as the paper's code does it (float64 throughout)."""
    n = weight.shape[1]
    if k >= n:
        return torch.ones_like(weight, dtype=torch.bool)
    mask = torch.zeros_like(weight, dtype=torch.bool)
    for row, kept in zip(weight.double(), mask, strict=True):
        low, high = row.aminmax()
        if low == high:  # no bandwidth: keep the first k
            kept[:k] = True
        elif k > 0:
            h = kde_bandwidth(row[None], "ken")
            grid = (
                torch.arange(k, dtype=torch.float64, device=row.device) * ((high - low) / max(k - 1, 1)) + low
            )
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


def quantile_edges(values: Tensor, bins: int) -> Tensor:
    """At most ``bins - 1`` increasing edges that split one column ``[T]`` into equal counts, ties by value.

    An edge is a value of the column and belongs to the bin above it. At most ``bins`` distinct values: one
    bin each. Otherwise the edges are the order statistics of rank ``floor(j T / bins)``; a value that several
    of them hit (the minimum: a single one) is closed by an edge at its successor: a spike has its own bin.
    """
    distinct, counts = values.unique(return_counts=True)
    if len(distinct) <= bins:
        return distinct[1:]
    ranks = torch.arange(1, bins, device=values.device) * len(values) // bins
    hit = torch.searchsorted(counts.cumsum(0), ranks, right=True)
    several = torch.cat([hit[1:][hit[1:] == hit[:-1]], hit[hit == 0]])
    edges = torch.cat([hit, several + 1]).unique()
    return distinct[edges[(edges > 0) & (edges < len(distinct))]]


def zero_quantile_edges(values: Tensor, bins: int) -> Tensor:
    """Like :func:`quantile_edges`, with a bin of its own for exact zeros (of either sign), if there are any.

    The other ``bins - 1`` bins go to the negative and the positive values in proportion to their number
    (rounded half up), at least one to each that occurs.
    """
    negative, positive = values[values < 0], values[values > 0]
    others = len(negative) + len(positive)
    if others == len(values) or len(values.unique()) <= bins:
        return quantile_edges(values, bins)
    below = (2 * (bins - 1) * len(negative) + others) // (2 * others)
    below = min(max(below, int(len(negative) > 0)), bins - 1 - int(len(positive) > 0))
    edges = []
    if len(negative):
        edges += [quantile_edges(negative, below), values.new_zeros(1)]
    if len(positive):
        edges += [positive.min()[None], quantile_edges(positive, bins - 1 - below)]
    return torch.cat(edges)


def uniform_edges(values: Tensor, bins: int) -> Tensor:
    """At most ``bins - 1`` edges at equal steps from minimum to maximum, without those rounding merges."""
    low, high = values.double().aminmax()
    j = torch.arange(1, bins, dtype=torch.float64, device=values.device)
    part = (high - low) * j / bins  # exact between whole numbers, as j / bins is not
    half = (high / 2 - low / 2) / bins * j  # where the range leaves float64
    edges = torch.where(part.isfinite(), low + part, low + half + half).to(values.dtype).unique()
    return edges[(edges > values.min()) & (edges <= values.max())]


def edges_of(x: Tensor, bins: int, strategy: str) -> Tensor:
    """Edges ``[N, bins - 1]`` of the columns of ``x [T, N]``, increasing, the unused ones ``+inf``."""
    rules = {"quantile": quantile_edges, "zero-quantile": zero_quantile_edges, "uniform": uniform_edges}
    edges = x.new_full((x.shape[1], bins - 1), math.inf)
    for column, row in zip(x.T, edges, strict=True):
        found = rules[strategy](column, bins)
        row[: len(found)] = found
    return edges


def encode(x: Tensor, edges: Tensor) -> Tensor:
    """Codes uint8 ``[N, T]`` of ``x [T, N]``: the number of the column's edges that are at most the value."""
    return torch.searchsorted(edges, x.T.contiguous(), right=True).to(torch.uint8)


def contingency(codes_x: Tensor, codes_y: Tensor, bins: int) -> Tensor:
    """Counts int32 ``[N, M, bins, bins]`` of all pairs of codes, as a product of indicators."""
    x = torch.nn.functional.one_hot(codes_x.long(), bins).double()
    y = torch.nn.functional.one_hot(codes_y.long(), bins).double()
    return torch.einsum("nta,mtb->nmab", x, y).to(torch.int32)


def entropy(counts: Tensor, correction: str | None = None) -> Tensor:
    """Entropy in nats over the last dimension, with ``(occupied - 1) / 2 T`` added by ``"miller-madow"``."""
    total = counts.sum(-1)
    value = total.log() - torch.special.xlogy(counts, counts).sum(-1) / total
    return value + (counts.count_nonzero(-1) - 1) / (2 * total) if correction == "miller-madow" else value


def mutual_information_from_codes(
    codes_x: Tensor,
    codes_y: Tensor,
    bins: int,
    correction: str | None = None,
    normalize: str | None = None,
    unit: str = "nats",
) -> Tensor:
    """``I(x; y) = H(x) + H(y) - H(x, y)`` of all pairs, float64 ``[N, M]``, never below zero."""
    result = codes_x.new_empty((len(codes_x), len(codes_y)), dtype=torch.float64)
    for row, code in zip(result, codes_x, strict=True):
        counts = contingency(code[None], codes_y, bins)[0].double()
        hx, hy = entropy(counts.sum(2), correction), entropy(counts.sum(1), correction)
        information = (hx + hy - entropy(counts.flatten(1), correction)).clamp_min(0)
        information[(counts.sum(2).count_nonzero(1) == 1) | (counts.sum(1).count_nonzero(1) == 1)] = 0
        if normalize is not None:
            scale = {
                "min": torch.minimum(hx, hy),
                "sqrt": (hx * hy).sqrt(),
                "max": torch.maximum(hx, hy),
                "mean": (hx + hy) / 2,
            }[normalize]
            information = torch.where(scale > 0, information / scale, 0)
        elif unit == "bits":
            information = information / math.log(2)
        row.copy_(information)
    return result
