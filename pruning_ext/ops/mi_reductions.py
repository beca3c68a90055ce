"""What remains of all pairs where the matrix of them would be too large: best partners and sums."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pruning_ext._arguments import (
    Correction,
    Normalize,
    Strategy,
    Unit,
    check_partners,
    estimator_args,
)
from pruning_ext.ops._mi_arguments import check_codes, is_float64, num_partners
from pruning_ext.ops._native import call
from pruning_ext.ops.mi import codes_of


class TopK(NamedTuple):
    """The ``k`` partners that share most with each column, best first, the lower index at a tie."""

    values: Tensor  # [N, k]
    indices: Tensor  # int64 [N, k]


def mutual_information_topk_from_codes(
    codes_x: Tensor,
    k: int,
    codes_y: Tensor | None = None,
    *,
    bins: int,
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
    dtype: torch.dtype = torch.float32,
) -> TopK:
    """The ``k`` partners of each code row, without the ``N x M`` matrix: :func:`mutual_information_topk`."""
    bins = check_codes(codes_x, codes_y, bins)
    estimator = estimator_args(correction, normalize, unit)
    k = check_partners(k, max(num_partners(codes_x, codes_y) - (codes_y is None), 0))
    float64 = is_float64(dtype)
    op = "mutual_information_topk"
    values, indices = call(op, codes_x.device, codes_x, k, codes_y, bins, *estimator, float64)
    return TopK(values, indices)


def mutual_information_topk(
    x: Tensor,
    k: int,
    y: Tensor | None = None,
    *,
    bins: int = 16,
    strategy: Strategy = "quantile",
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
) -> TopK:
    """The ``k`` columns of ``y`` (or other columns of ``x``) that share most with each column of ``x``.

    Arguments and errors as in :func:`mutual_information`; the ``N x M`` matrix is never made. A column is no
    partner of its own.

    Returns:
        ``TopK(values, indices)``, both ``[N, k]``, best first; the lower index comes first at a tie.
    """
    estimator_args(correction, normalize, unit)
    codes_x, codes_y, dtype = codes_of(x, y, bins, strategy)
    return mutual_information_topk_from_codes(
        codes_x, k, codes_y, bins=bins, correction=correction, normalize=normalize, unit=unit, dtype=dtype
    )


def mutual_information_sum_from_codes(
    codes_x: Tensor,
    codes_y: Tensor | None = None,
    *,
    bins: int,
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Row sums ``[N]`` over all partners, without the ``N x M`` matrix: :func:`mutual_information_sum`."""
    bins = check_codes(codes_x, codes_y, bins)
    estimator = estimator_args(correction, normalize, unit)
    is_float64(dtype)
    return call("mutual_information_sum", codes_x.device, codes_x, codes_y, bins, *estimator).to(dtype)


def mutual_information_sum(
    x: Tensor,
    y: Tensor | None = None,
    *,
    bins: int = 16,
    strategy: Strategy = "quantile",
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
) -> Tensor:
    """Sum ``[N]`` of each column's information on all columns of ``y`` (or all *other* columns of ``x``).

    Arguments and errors as in :func:`mutual_information`; the ``N x M`` matrix is never made.
    """
    estimator_args(correction, normalize, unit)
    codes_x, codes_y, dtype = codes_of(x, y, bins, strategy)
    return mutual_information_sum_from_codes(
        codes_x, codes_y, bins=bins, correction=correction, normalize=normalize, unit=unit, dtype=dtype
    )


@torch.library.register_fake("pruning_ext::mutual_information_topk")
def _(
    codes_x: Tensor,
    k: int,
    codes_y: Tensor | None,
    bins: int,
    correction: str,
    normalize: str,
    unit: str,
    float64: bool,
) -> tuple[Tensor, Tensor]:
    shape, dtype = (codes_x.shape[0], k), torch.float64 if float64 else torch.float32
    return codes_x.new_empty(shape, dtype=dtype), codes_x.new_empty(shape, dtype=torch.int64)


@torch.library.register_fake("pruning_ext::mutual_information_sum")
def _(
    codes_x: Tensor, codes_y: Tensor | None, bins: int, correction: str, normalize: str, unit: str
) -> Tensor:
    return codes_x.new_empty(codes_x.shape[:1], dtype=torch.float64)
