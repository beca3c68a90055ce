"""Mutual information on NumPy arrays: the public names are in :mod:`pruning_ext.numpy`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pruning_ext._arguments import (
    Correction,
    Normalize,
    Strategy,
    Unit,
    check_bins,
    check_codes_shape,
    check_columns_shape,
    check_edges,
    check_partners,
    check_same_samples,
    check_strategy,
    estimator_args,
)
from pruning_ext._build import native
from pruning_ext.numpy._arguments import check_floating, check_unmasked, thread_count

Codes = NDArray[np.uint8]


class TopK(NamedTuple):
    """The ``k`` partners that share most with each column, best first, the lower index at a tie."""

    values: NDArray[Any]  # [N, k]
    indices: NDArray[np.int64]  # [N, k]


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
    _check_columns("x", x, 0 if edges is not None else 2)
    if edges is not None:
        _check_edges(edges, x)
        codes: Codes = native().encode(x, edges, threads)
        return codes, edges
    bins = check_bins(bins)
    check_strategy(strategy, bins)
    found: tuple[Codes, NDArray[Any]] = native().discretize(x, bins, strategy, threads)
    return found


def contingency(
    codes_x: Codes, codes_y: Codes | None = None, *, bins: int, num_threads: int = 0
) -> NDArray[np.int32]:
    """Joint counts ``[N, M, bins, bins]`` of code rows, as :func:`pruning_ext.ops.contingency`."""
    bins = _check_codes(codes_x, codes_y, bins)
    counts: NDArray[np.int32] = native().contingency(codes_x, codes_y, bins, thread_count(num_threads))
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
    estimator = estimator_args(correction, normalize, unit)
    return _information(codes_x, codes_y, bins, estimator, dtype, num_threads)


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
    estimator = estimator_args(correction, normalize, unit)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy, num_threads)
    return _information(codes_x, codes_y, bins, estimator, dtype, num_threads)


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
    estimator = estimator_args(correction, normalize, unit)
    return _best_partners(codes_x, k, codes_y, bins, estimator, dtype, num_threads)


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
    estimator = estimator_args(correction, normalize, unit)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy, num_threads)
    return _best_partners(codes_x, k, codes_y, bins, estimator, dtype, num_threads)


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
    estimator = estimator_args(correction, normalize, unit)
    return _sums(codes_x, codes_y, bins, estimator, dtype, num_threads)


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
    estimator = estimator_args(correction, normalize, unit)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy, num_threads)
    return _sums(codes_x, codes_y, bins, estimator, dtype, num_threads)


_Estimator = tuple[str, str, str]  # as estimator_args gives it


def _information(
    codes_x: Codes,
    codes_y: Codes | None,
    bins: int,
    estimator: _Estimator,
    dtype: DTypeLike,
    num_threads: int,
) -> NDArray[Any]:
    bins = _check_codes(codes_x, codes_y, bins)
    information: NDArray[Any] = native().mutual_information(
        codes_x, codes_y, bins, *estimator, _is_float64(dtype), thread_count(num_threads)
    )
    return information


def _best_partners(
    codes_x: Codes,
    k: int,
    codes_y: Codes | None,
    bins: int,
    estimator: _Estimator,
    dtype: DTypeLike,
    num_threads: int,
) -> TopK:
    bins = _check_codes(codes_x, codes_y, bins)
    k = check_partners(k, max(len(codes_x) - 1, 0) if codes_y is None else len(codes_y))
    values, indices = native().mutual_information_topk(
        codes_x, k, codes_y, bins, *estimator, _is_float64(dtype), thread_count(num_threads)
    )
    return TopK(values, indices)


def _sums(
    codes_x: Codes,
    codes_y: Codes | None,
    bins: int,
    estimator: _Estimator,
    dtype: DTypeLike,
    num_threads: int,
) -> NDArray[Any]:
    bins, float64 = _check_codes(codes_x, codes_y, bins), _is_float64(dtype)
    sums: NDArray[np.float64] = native().mutual_information_sum(
        codes_x, codes_y, bins, *estimator, thread_count(num_threads)
    )
    return sums if float64 else sums.astype(np.float32)


def _codes_of(
    x: NDArray[Any], y: NDArray[Any] | None, bins: int, strategy: Strategy, num_threads: int
) -> tuple[Codes, Codes | None, DTypeLike]:
    """Codes of both, and the dtype of their information."""
    _check_columns("x", x, 2)
    if y is not None:
        _check_columns("y", y, 2)
        check_same_samples("x and y", len(x), len(y))
    codes_x, edges_x = discretize(x, bins, strategy, num_threads=num_threads)
    if y is None:
        return codes_x, None, edges_x.dtype
    try:
        codes_y, edges_y = discretize(y, bins, strategy, num_threads=num_threads)
    except ValueError as error:  # the kernel calls its argument x
        raise ValueError(str(error).replace("x has", "y has", 1)) from None
    return codes_x, codes_y, np.promote_types(edges_x.dtype, edges_y.dtype)


def _check_columns(name: str, array: NDArray[Any], least: int) -> None:
    check_floating(name, array)
    check_columns_shape(name, array.shape, least)


def _check_edges(edges: NDArray[Any], x: NDArray[Any]) -> None:
    check_floating("edges", edges)
    wanted = np.float64 if x.dtype == np.float64 else np.float32
    check_edges(edges.shape, x.shape[1], str(edges.dtype), np.dtype(wanted).name, str(x.dtype))
    if not edges.flags.c_contiguous:
        raise ValueError("edges must be contiguous")


def _is_float64(dtype: DTypeLike) -> bool:
    try:
        found = None if dtype is None else np.dtype(dtype)  # NumPy reads None as float64
    except TypeError:
        found = None
    if found is None or found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be float32 or float64, is {repr(dtype) if found is None else found}")
    return bool(found == np.float64)


def _check_codes(codes_x: Codes, codes_y: Codes | None, bins: int) -> int:
    """uint8 ``[N, T]``, and ``[M, T]`` or None; the number of bins."""
    number = check_bins(bins)
    for name, codes in (("codes_x", codes_x), ("codes_y", codes_y)):
        if codes is None and name == "codes_y":
            continue
        if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
            found = getattr(codes, "dtype", type(codes).__name__)
            raise TypeError(f"{name} must be a uint8 array, not {found}")
        check_unmasked(name, codes)
        check_codes_shape(name, codes.shape)
    if codes_y is not None:
        check_same_samples("codes_x and codes_y", codes_x.shape[1], codes_y.shape[1])
    return number
