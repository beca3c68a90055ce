"""Best partners and sums over partners, on NumPy arrays, for pairs whose matrix would be too large."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pruning_ext._arguments import (
    Correction,
    Normalize,
    Strategy,
    TopK,
    Unit,
    check_partners,
    estimator_args,
)
from pruning_ext.numpy._mi_arguments import Codes, check_columns, check_scoring
from pruning_ext.numpy._native import call, thread_count
from pruning_ext.numpy.mi import discretized

__all__ = [
    "mutual_information_sum",
    "mutual_information_sum_from_codes",
    "mutual_information_topk",
    "mutual_information_topk_from_codes",
]


def mutual_information_topk_from_codes(
    codes_x: Codes,
    k: int,
    codes_y: Codes | None = None,
    *,
    bins: int,
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
    dtype: DTypeLike = np.float32,
    num_threads: int = 0,
) -> TopK:
    """The ``k`` best partners of each code row, without the matrix: as the op of this name."""
    scoring, float64 = check_scoring(codes_x, codes_y, bins, correction, normalize, unit, dtype)
    threads = thread_count(num_threads)
    k = check_partners(k, codes_x, codes_y)
    return TopK(*call("mutual_information_topk", threads, codes_x, k, codes_y, *scoring, float64))


def mutual_information_topk(
    x: NDArray[Any],
    k: int,
    y: NDArray[Any] | None = None,
    *,
    bins: int = 16,
    strategy: Strategy = "quantile",
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
    num_threads: int = 0,
) -> TopK:
    """The ``k`` best partners of each column, as :func:`pruning_ext.ops.mutual_information_topk`."""
    codes_x, codes_y, options = _coded(x, y, bins, strategy, correction, normalize, unit, num_threads)
    return mutual_information_topk_from_codes(codes_x, k, codes_y, **options)


def mutual_information_sum_from_codes(
    codes_x: Codes,
    codes_y: Codes | None = None,
    *,
    bins: int,
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
    dtype: DTypeLike = np.float32,
    num_threads: int = 0,
) -> NDArray[Any]:
    """Sums ``[N]`` over all partners, without the matrix: as the op of this name."""
    scoring, float64 = check_scoring(codes_x, codes_y, bins, correction, normalize, unit, dtype)
    threads = thread_count(num_threads)
    sums: NDArray[np.float64] = call("mutual_information_sum", threads, codes_x, codes_y, *scoring)
    return sums if float64 else sums.astype(np.float32)


def mutual_information_sum(
    x: NDArray[Any],
    y: NDArray[Any] | None = None,
    *,
    bins: int = 16,
    strategy: Strategy = "quantile",
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
    num_threads: int = 0,
) -> NDArray[Any]:
    """Sums ``[N]`` over all partners of each column, as :func:`pruning_ext.ops.mutual_information_sum`."""
    codes_x, codes_y, options = _coded(x, y, bins, strategy, correction, normalize, unit, num_threads)
    return mutual_information_sum_from_codes(codes_x, codes_y, **options)


def _coded(
    x: NDArray[Any],
    y: NDArray[Any] | None,
    bins: int,
    strategy: Strategy,
    correction: Correction | None,
    normalize: Normalize | None,
    unit: Unit,
    num_threads: int,
) -> tuple[Codes, Codes | None, dict[str, Any]]:
    """Codes of both, and what the functions on codes take beside them."""
    estimator_args(correction, normalize, unit)
    bins, threads = check_columns(x, y, bins, strategy), thread_count(num_threads)
    codes_x, edges_x = discretized("x", x, bins, strategy, threads)
    codes_y, edges_y = (None, edges_x) if y is None else discretized("y", y, bins, strategy, threads)
    options = {
        "bins": bins,
        "correction": correction,
        "normalize": normalize,
        "unit": unit,
        "dtype": np.promote_types(edges_x.dtype, edges_y.dtype),
        "num_threads": threads,
    }
    return codes_x, codes_y, options
