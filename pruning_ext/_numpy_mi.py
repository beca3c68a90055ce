"""Mutual information on NumPy arrays: the public names are in :mod:`pruning_ext.numpy`."""

from __future__ import annotations

import operator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pruning_ext._numpy_arguments import check_floating, is_whole, native, thread_count

Codes = NDArray[np.uint8]
Strategy = Literal["quantile", "uniform", "zero-quantile"]
Correction = Literal["miller-madow"]
Normalize = Literal["min", "sqrt", "max", "mean"]
Unit = Literal["nats", "bits"]

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "strategy": ("quantile", "uniform", "zero-quantile"),
    "correction": (None, "miller-madow"),
    "normalize": (None, "min", "sqrt", "max", "mean"),
    "unit": ("nats", "bits"),
}


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
    _check_columns("x", x)
    threads = thread_count(num_threads)
    if edges is not None:
        check_floating("edges", edges)
        codes: Codes = native().encode(x, edges, threads)
        return codes, edges
    _check_samples("x", x)
    _check_bins(bins)
    _check_choice("strategy", strategy)
    if strategy == "zero-quantile" and bins < 3:
        raise ValueError(f"bins must be at least 3 with strategy 'zero-quantile', is {bins}")
    found: tuple[Codes, NDArray[Any]] = native().discretize(x, operator.index(bins), strategy, threads)
    return found


def contingency(
    codes_x: Codes, codes_y: Codes | None = None, *, bins: int, num_threads: int = 0
) -> NDArray[np.int32]:
    """Joint counts ``[N, M, bins, bins]`` of code rows, as :func:`pruning_ext.ops.contingency`."""
    _check_codes(codes_x, codes_y, bins)
    counts: NDArray[np.int32] = native().contingency(
        codes_x, codes_y, operator.index(bins), thread_count(num_threads)
    )
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
    _check_codes(codes_x, codes_y, bins)
    estimator = _estimator(correction, normalize, unit)
    information: NDArray[Any] = native().mutual_information(
        codes_x, codes_y, operator.index(bins), *estimator, _is_float64(dtype), thread_count(num_threads)
    )
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
    _estimator(correction, normalize, unit)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy, num_threads)
    return mutual_information_from_codes(
        codes_x,
        codes_y,
        bins=bins,
        correction=correction,
        normalize=normalize,
        unit=unit,
        dtype=dtype,
        num_threads=num_threads,
    )


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
    _check_codes(codes_x, codes_y, bins)
    estimator = _estimator(correction, normalize, unit)
    if not is_whole(k):
        raise TypeError(f"k must be a whole number, not {type(k).__name__}")
    partners = max(len(codes_x) - 1, 0) if codes_y is None else len(codes_y)
    if not 0 <= k <= partners:
        raise ValueError(f"k must be between 0 and the number of partners, {partners}, is {k}")
    threads = thread_count(num_threads)
    return TopK(
        *native().mutual_information_topk(
            codes_x, operator.index(k), codes_y, operator.index(bins), *estimator, _is_float64(dtype), threads
        )
    )


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
    _estimator(correction, normalize, unit)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy, num_threads)
    return mutual_information_topk_from_codes(
        codes_x,
        k,
        codes_y,
        bins=bins,
        correction=correction,
        normalize=normalize,
        unit=unit,
        dtype=dtype,
        num_threads=num_threads,
    )


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
    _check_codes(codes_x, codes_y, bins)
    estimator = _estimator(correction, normalize, unit)
    float64 = _is_float64(dtype)
    sums: NDArray[np.float64] = native().mutual_information_sum(
        codes_x, codes_y, operator.index(bins), *estimator, thread_count(num_threads)
    )
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
    _estimator(correction, normalize, unit)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy, num_threads)
    return mutual_information_sum_from_codes(
        codes_x,
        codes_y,
        bins=bins,
        correction=correction,
        normalize=normalize,
        unit=unit,
        dtype=dtype,
        num_threads=num_threads,
    )


def _codes_of(
    x: NDArray[Any], y: NDArray[Any] | None, bins: int, strategy: Strategy, num_threads: int
) -> tuple[Codes, Codes | None, DTypeLike]:
    """Codes of both, and the dtype of their information."""
    _check_samples("x", x)
    if y is not None:
        _check_samples("y", y)
        if len(x) != len(y):
            raise ValueError(f"x and y must have the same number of samples, have {len(x)} and {len(y)}")
    codes_x, edges_x = discretize(x, bins, strategy, num_threads=num_threads)
    if y is None:
        return codes_x, None, edges_x.dtype
    try:
        codes_y, edges_y = discretize(y, bins, strategy, num_threads=num_threads)
    except ValueError as error:  # the kernel calls its argument x
        raise ValueError(str(error).replace("x has", "y has", 1)) from None
    return codes_x, codes_y, np.promote_types(edges_x.dtype, edges_y.dtype)


def _check_columns(name: str, array: NDArray[Any]) -> None:
    check_floating(name, array)
    if array.ndim != 2:
        raise ValueError(f"{name} must have 2 dimensions, samples x variables, has shape {array.shape}")


def _check_samples(name: str, array: NDArray[Any]) -> None:
    _check_columns(name, array)
    if len(array) < 2:
        raise ValueError(f"{name} must have at least 2 samples, has shape {array.shape}")


def _check_bins(bins: int) -> None:
    if not is_whole(bins):
        raise TypeError(f"bins must be a whole number, not {type(bins).__name__}")
    if not 2 <= bins <= 256:
        raise ValueError(f"bins must be between 2 and 256, is {bins}")


def _check_choice(name: str, value: object) -> None:
    if value not in _CHOICES[name]:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, _CHOICES[name]))}, is {value!r}")


def _estimator(correction: str | None, normalize: str | None, unit: str) -> tuple[str, str, str]:
    """As the kernels take it."""
    _check_choice("correction", correction)
    _check_choice("normalize", normalize)
    _check_choice("unit", unit)
    return correction or "none", normalize or "none", unit


def _is_float64(dtype: DTypeLike) -> bool:
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be float32 or float64, is {np.dtype(dtype)}")
    return np.dtype(dtype) == np.float64


def _check_codes(codes_x: Codes, codes_y: Codes | None, bins: int) -> None:
    _check_bins(bins)
    for name, codes in (("codes_x", codes_x), ("codes_y", codes_y)):
        if codes is None and name == "codes_y":
            continue
        if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
            raise TypeError(
                f"{name} must be a uint8 array, not {getattr(codes, 'dtype', type(codes).__name__)}"
            )
        if codes.ndim != 2:
            raise ValueError(f"{name} must have 2 dimensions [N, T], has shape {codes.shape}")
        if codes.shape[1] < 2:
            raise ValueError(f"{name} must have at least 2 samples, has shape {codes.shape}")
    if codes_y is not None and codes_x.shape[1] != codes_y.shape[1]:
        raise ValueError(
            "codes_x and codes_y must have the same number of samples, "
            f"have {codes_x.shape[1]} and {codes_y.shape[1]}"
        )
