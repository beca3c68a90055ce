"""Histogram mutual information between all pairs of columns, on NumPy arrays: discretise, count, score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pruning_ext._arguments import (
    Correction,
    Normalize,
    Strategy,
    Unit,
    check_bins,
    check_strategy,
    estimator_args,
)
from pruning_ext.numpy._mi_arguments import (
    Codes,
    check_codes,
    check_columns,
    check_edges_of,
    check_samples,
    check_scoring,
)
from pruning_ext.numpy._native import call, thread_count

__all__ = ["contingency", "discretize", "mutual_information", "mutual_information_from_codes"]


def discretize(
    x: NDArray[Any],
    bins: int = 16,
    strategy: Strategy = "quantile",
    *,
    edges: NDArray[Any] | None = None,
    num_threads: int = 0,
) -> tuple[Codes, NDArray[Any]]:
    """Bin each column of ``x [T, N]``, as ``(codes [N, T], edges [N, bins - 1])``.

    As :func:`pruning_ext.ops.discretize`, which states strategies, edges and errors.
    """
    threads = thread_count(num_threads)
    if edges is not None:
        check_samples("x", x)
        check_edges_of(x, edges)
        codes: Codes = call("encode", threads, x, edges)
        return codes, edges
    check_samples("x", x, 2)
    bins = check_bins(bins)
    check_strategy(strategy, bins)
    return discretized("x", x, bins, strategy, threads)


def contingency(
    codes_x: Codes, codes_y: Codes | None = None, *, bins: int, num_threads: int = 0
) -> NDArray[np.int32]:
    """Joint counts ``[N, M, bins, bins]`` of code rows, as :func:`pruning_ext.ops.contingency`."""
    bins, threads = check_codes(codes_x, codes_y, bins), thread_count(num_threads)
    counts: NDArray[np.int32] = call("contingency", threads, codes_x, codes_y, bins)
    return counts


def mutual_information_from_codes(
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
    """Mutual information ``[N, M]`` of code rows: :func:`pruning_ext.ops.mutual_information_from_codes`."""
    scoring, float64 = check_scoring(codes_x, codes_y, bins, correction, normalize, unit, dtype)
    threads = thread_count(num_threads)
    information: NDArray[Any] = call("mutual_information", threads, codes_x, codes_y, *scoring, float64)
    return information


def mutual_information(
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
    """Mutual information ``[N, M]`` between columns, as :func:`pruning_ext.ops.mutual_information`."""
    estimator, threads = estimator_args(correction, normalize, unit), thread_count(num_threads)
    bins = check_columns(x, y, bins, strategy)
    op = "mutual_information_of_columns"
    information: NDArray[Any] = call(op, threads, x, y, bins, strategy, *estimator)
    return information


def discretized(
    name: str, x: NDArray[Any], bins: int, strategy: Strategy, threads: int
) -> tuple[Codes, NDArray[Any]]:
    """Codes and edges of columns that have been checked and that errors are to call ``name``."""
    codes, edges = call("discretize", threads, x, bins, strategy, name)
    return codes, edges
