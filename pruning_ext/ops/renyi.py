"""Matrix-based Rényi mutual information: an estimator without bins, in plain PyTorch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pruning_ext._arguments import (
    UNITS,
    Unit,
    check_bandwidth,
    check_bandwidth_shape,
    check_choice,
    check_same_samples,
    real_number,
)
from pruning_ext.ops import reference
from pruning_ext.ops._mi_arguments import check_samples
from pruning_ext.ops._native import check_device, check_floating, made_of, result_dtype
from pruning_ext.ops._precision import full_precision

__all__ = ["renyi_mutual_information"]

_BLOCK = 1 << 24  # elements of a work tensor: 64 MiB in float32
_TERMS = 1 << 16  # of a sum of products in float32; such sums are added up in float64
_LARGEST = 256.0  # most bandwidths from the middle of the range, in float32


@made_of()
@torch.no_grad()
def renyi_mutual_information(
    x: Tensor,
    y: Tensor | None = None,
    alpha: float = 2.0,
    bandwidth: float | str | Tensor = "silverman",
    *,
    unit: Unit = "bits",
) -> Tensor:
    r"""Matrix-based Rényi mutual information of order ``alpha`` between all pairs of columns.

    With the Gram matrix of each column, :math:`K_{ij} = e^{-(x_i - x_j)^2 / 2 s^2}`, scaled to trace 1 as
    :math:`A = K / T` (and likewise B),

    .. math:: S_\alpha(A) = \frac{1}{1 - \alpha} \log_2 \sum_i \lambda_i(A)^\alpha, \qquad
        I_\alpha(x; y) = S_\alpha(A) + S_\alpha(B) - S_\alpha(A \circ B / \operatorname{tr}(A \circ B))

    and for ``alpha = 1`` the limit, :math:`-\sum \lambda \log_2 \lambda`.

    Args:
        x: samples x variables ``[T, N]``, float64, float32, float16 or bfloat16, finite, ``T >= 2``.
        y: ``[T, M]`` for the cross matrix, or ``None`` for ``x`` against itself.
        alpha: the order, positive. 2 needs no eigenvalues: all pairs are one matrix product,
            ``O(T^2 N M)`` in all. Every other order costs ``O(T^3)`` *for each pair*.
        bandwidth: ``s``, in the units of the columns: a positive number, a tensor ``[N]`` (``y=None`` only),
            or ``"scott"``, ``"silverman"``, ``"ken"`` as in :func:`pruning_ext.gaussian_kde`, by column.
        unit: ``"bits"``, as the estimator's authors have it, or ``"nats"``.

    Returns:
        ``[N, M]``, float64 if ``x`` or ``y`` is, else float32; exactly 0 where a column is constant. Unlike
        Shannon's, the estimate can fall a little below 0 between unrelated columns, and is left so. The
        diagonal is *not* the entropy: it is ``2 S(A) - S(A∘A / tr(A∘A))``. Work tensors have about 2^24
        elements, or ``T^2`` or ``T (N + M)`` where that is more.

    Raises:
        TypeError: a wrong dtype, a bandwidth that is none of these.
        ValueError: a wrong shape, fewer than two samples, different numbers of samples, NaN or infinity,
            an ``alpha`` or a ``bandwidth`` that is not positive.

    Plain PyTorch, no op of its own: it looks at its input, so that no graph holds it whole. Not
    differentiable: the result carries no gradient.

    Source: Sanchez Giraldo, Rao and Principe, *Measures of entropy from data using infinitely divisible
    kernels*, 2015; used for pruning by Huang, Song and Pao, *Large Language Model Pruning*, 2024.
    """
    order = real_number(alpha)
    if order is None or not 0 < order < math.inf:
        raise ValueError(f"alpha must be positive and finite, is {alpha if order is None else order!r}")
    check_choice("unit", unit, UNITS)
    with full_precision(x.device):
        return _information(x, y, order, bandwidth, unit)


def _information(
    x: Tensor, y: Tensor | None, order: float, bandwidth: float | str | Tensor, unit: Unit
) -> Tensor:
    scaled_x = _scaled(x, "x", bandwidth)
    scaled_y = None
    if y is not None:
        if isinstance(bandwidth, Tensor):
            raise ValueError("bandwidth must be a number or a rule where there is y, not a tensor")
        check_samples("y", y, 2)
        check_device("y", y, "x", x)
        check_same_samples("x and y", len(x), len(y))
        scaled_y = _scaled(y, "y", bandwidth)
        dtype = torch.promote_types(scaled_x.dtype, scaled_y.dtype)
        scaled_x, scaled_y = scaled_x.to(dtype), scaled_y.to(dtype)
    information = (_all_pairs if order == 2 else _pair_by_pair)(scaled_x, scaled_y, order)
    partners = scaled_x if scaled_y is None else scaled_y
    constant = (scaled_x == scaled_x[0]).all(0)[:, None] | (partners == partners[0]).all(0)
    information = information.masked_fill(constant, 0)
    dtype = result_dtype(x) if y is None else torch.promote_types(result_dtype(x), result_dtype(y))
    return (information * math.log(2) if unit == "nats" else information).to(dtype)


def _scaled(x: Tensor, name: str, bandwidth: float | str | Tensor) -> Tensor:
    """Columns about the middle of their range, in bandwidths: Gram matrices are ``exp(-(x_i - x_j)^2 / 2)``.

    float32 where it holds differences of one bandwidth to :data:`_LARGEST` 2^-24, else float64.
    """
    check_samples(name, x, 2)
    finite = torch.isfinite(x).all(0)
    if not finite.all():
        raise ValueError(f"{name} has NaN or infinity in column {int((~finite).nonzero()[0])}")
    values = x.to(result_dtype(x))
    wide = values.double()
    low, high = wide.aminmax(dim=0)
    scaled = (wide - (low / 2 + high / 2)) / _widths(values, bandwidth)
    return scaled.to(values.dtype) if not scaled.numel() or scaled.abs().max() <= _LARGEST else scaled


def _widths(values: Tensor, bandwidth: float | str | Tensor) -> Tensor:
    """The columns' bandwidths, float64 ``[N]`` or one for all."""
    if isinstance(bandwidth, Tensor):
        check_floating("bandwidth", bandwidth)
        check_bandwidth_shape(bandwidth.shape, values.shape[1])
        check_device("bandwidth", bandwidth, "x", values)
        bad = ~((bandwidth > 0) & bandwidth.isfinite()).expand(values.shape[1])
        if bad.any():
            column = int(bad.nonzero()[0])
            raise ValueError(f"bandwidth must be positive and finite; it is not in column {column}")
        return bandwidth.double()
    h = check_bandwidth(bandwidth, "a tensor [N]")
    if isinstance(h, str):
        constant = (values == values[0]).all(0)  # such a column has no scale of its own
        return torch.where(constant, 1.0, reference.kde_bandwidth(values.double().T, h))
    return torch.tensor(h, dtype=torch.float64, device=values.device)


def _all_pairs(x: Tensor, y: Tensor | None, _alpha: float) -> Tensor:
    """Order 2: ``sum lambda^2`` is the squared Frobenius norm: all joint terms are one product of squares."""
    samples = len(x)
    columns = x.shape[1] + (0 if y is None else y.shape[1])
    joint = x.new_zeros((x.shape[1], (x if y is None else y).shape[1]), dtype=torch.float64)
    own_x = x.new_zeros(x.shape[1], dtype=torch.float64)
    own_y = own_x if y is None else y.new_zeros(y.shape[1], dtype=torch.float64)
    strip = max(1, _BLOCK // max(1, samples * columns))
    for first in range(0, samples, strip):
        last = min(first + strip, samples)
        # Gram matrices are symmetric: what lies right of the strip's own square counts twice.
        for begin, end, weight in ((first, last, 1), (last, samples, 2)):
            squares = _squared_gram(x, slice(first, last), slice(begin, end))
            others = squares if y is None else _squared_gram(y, slice(first, last), slice(begin, end))
            for ours, theirs in zip(squares.split(_TERMS, 1), others.split(_TERMS, 1), strict=True):
                joint += weight * (ours @ theirs.T).double()
            own_x += weight * squares.sum(1, dtype=torch.float64)
            if y is not None:
                own_y += weight * others.sum(1, dtype=torch.float64)
    # S(A) = -log2(own / T^2), S(A, B) = -log2(joint / T^2)
    return 2 * math.log2(samples) + joint.log2() - own_x.log2()[:, None] - own_y.log2()


def _squared_gram(x: Tensor, rows: slice, columns: slice) -> Tensor:
    """``exp(-(x_i - x_j)^2)`` of each variable, ``[N, rows * columns]``."""
    z = x.T
    return (z[:, rows, None] - z[:, None, columns]).square_().neg_().exp_().flatten(1)


def _pair_by_pair(x: Tensor, y: Tensor | None, alpha: float) -> Tensor:
    other = x if y is None else y
    own_x = _own_entropies(x, alpha)
    own_y = own_x if y is None else _own_entropies(y, alpha)
    information = x.new_zeros((x.shape[1], other.shape[1]), dtype=torch.float64)
    for row in range(x.shape[1]):
        gram = _gram(x[:, row : row + 1])
        first = row if y is None else 0
        for batch in _batches(other.shape[1] - first, len(x)):
            partners = slice(first + batch.start, first + batch.stop)
            joint = _entropy(gram * _gram(other[:, partners]), alpha)
            information[row, partners] = own_x[row] + own_y[partners] - joint
        if y is None:
            information[row:, row] = information[row, row:].clone()
    return information


def _own_entropies(x: Tensor, alpha: float) -> Tensor:
    entropies = [_entropy(_gram(x[:, batch]), alpha) for batch in _batches(x.shape[1], len(x))]
    return torch.cat(entropies) if entropies else x.new_zeros(0, dtype=torch.float64)


def _batches(count: int, samples: int) -> Iterator[slice]:
    size = max(1, _BLOCK // (samples * samples))
    return (slice(first, min(first + size, count)) for first in range(0, count, size))


def _gram(columns: Tensor) -> Tensor:
    """``[N, T, T]`` of ``[T, N]``, unit diagonal."""
    z = columns.T
    return (z[:, :, None] - z[:, None, :]).square_().div_(-2).exp_()


def _entropy(gram: Tensor, alpha: float) -> Tensor:
    """In bits, of matrices ``[N, T, T]`` with unit diagonal."""
    values = torch.linalg.eigvalsh(gram.double() / gram.shape[-1]).clamp_min(0)
    if alpha == 1:
        return -torch.special.xlogy(values, values).sum(-1) / math.log(2)
    # By logarithms: from orders of a few hundred on powers of eigenvalues leave float64.
    return (alpha * values.log()).logsumexp(-1) / math.log(2) / (1 - alpha)
