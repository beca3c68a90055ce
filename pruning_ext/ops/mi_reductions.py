"""Best partners and sums over partners, for pairs whose matrix would be too large."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pruning_ext._arguments import (
    Correction,
    Normalize,
    Strategy,
    TopK,
    Unit,
    check_partners,
    estimator_args,
)
from pruning_ext.ops._mi_arguments import check_columns, check_scoring
from pruning_ext.ops._native import call, made_of
from pruning_ext.ops.mi import discretized

__all__ = [
    "mutual_information_sum",
    "mutual_information_sum_from_codes",
    "mutual_information_topk",
    "mutual_information_topk_from_codes",
]


@made_of("mutual_information_topk")
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
    scoring, float64 = check_scoring(codes_x, codes_y, bins, correction, normalize, unit, dtype)
    k = check_partners(k, codes_x, codes_y)
    op = "mutual_information_topk"
    return TopK(*call(op, codes_x.device, codes_x, k, codes_y, *scoring, float64))


@made_of("discretize", "mutual_information_topk")
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
    codes_x, codes_y, options = _coded(x, y, bins, strategy, correction, normalize, unit)
    return mutual_information_topk_from_codes(codes_x, k, codes_y, **options)


@made_of("mutual_information_sum")
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
    scoring, _ = check_scoring(codes_x, codes_y, bins, correction, normalize, unit, dtype)
    return call("mutual_information_sum", codes_x.device, codes_x, codes_y, *scoring).to(dtype)


@made_of("discretize", "mutual_information_sum")
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
    codes_x, codes_y, options = _coded(x, y, bins, strategy, correction, normalize, unit)
    return mutual_information_sum_from_codes(codes_x, codes_y, **options)


def _coded(
    x: Tensor,
    y: Tensor | None,
    bins: int,
    strategy: Strategy,
    correction: Correction | None,
    normalize: Normalize | None,
    unit: Unit,
) -> tuple[Tensor, Tensor | None, dict[str, Any]]:
    """Codes of both, and what the functions on codes take beside them."""
    estimator_args(correction, normalize, unit)
    bins = check_columns(x, y, bins, strategy)
    codes_x, edges_x = discretized("x", x, bins, strategy)
    codes_y, edges_y = (None, edges_x) if y is None else discretized("y", y, bins, strategy)
    dtype = torch.promote_types(edges_x.dtype, edges_y.dtype)
    options = {
        "bins": bins,
        "correction": correction,
        "normalize": normalize,
        "unit": unit,
        "dtype": dtype,
    }
    return codes_x, codes_y, options


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
