"""Checks of the arrays that mutual information is computed from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pruning_ext import _arguments
from pruning_ext._arguments import check_codes_shape, check_columns_shape, check_edges, estimator_args
from pruning_ext.numpy._native import check_floating, check_unmasked

Codes = NDArray[np.uint8]


def check_samples(name: str, x: NDArray[Any], least: int = 0) -> None:
    """``[T, N]`` of a floating-point dtype, with at least so many samples."""
    check_floating(name, x)
    check_columns_shape(name, x.shape, least)


def check_columns(x: NDArray[Any], y: NDArray[Any] | None, bins: int, strategy: str) -> int:
    """At least two samples, as many of both; the number of bins."""
    return _arguments.check_columns(x, y, bins, strategy, check_samples)


def check_edges_of(x: NDArray[Any], edges: NDArray[Any]) -> None:
    """``[N, bins - 1]`` for the columns of ``x``, of the dtype of its results, contiguous."""
    check_floating("edges", edges)
    wanted = "float64" if x.dtype == np.float64 else "float32"
    check_edges(edges.shape, x.shape[1], str(edges.dtype), wanted, str(x.dtype))
    if not edges.flags.c_contiguous:
        raise ValueError("edges must be contiguous")


def check_codes(codes_x: Codes, codes_y: Codes | None, bins: int) -> int:
    """uint8 ``[N, T]``, and ``[M, T]`` or None; the number of bins."""
    return _arguments.check_codes(codes_x, codes_y, bins, _check_one)


def check_scoring(
    codes_x: Codes,
    codes_y: Codes | None,
    bins: int,
    correction: str | None,
    normalize: str | None,
    unit: str,
    dtype: DTypeLike,
) -> tuple[tuple[int, str, str, str], bool]:
    """Codes and choices, as the ops take them, and whether the result is to be float64, and not float32."""
    number = check_codes(codes_x, codes_y, bins)
    estimator = estimator_args(correction, normalize, unit)
    return (number, *estimator), _is_float64(dtype)


def _is_float64(dtype: DTypeLike) -> bool:
    try:
        found = None if dtype is None else np.dtype(dtype)  # NumPy reads None as float64
    except TypeError:
        found = None
    if found is None or found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be float32 or float64, is {repr(dtype) if found is None else found}")
    return bool(found == np.float64)


def _check_one(name: str, codes: Codes) -> None:
    if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
        found = getattr(codes, "dtype", type(codes).__name__)
        raise TypeError(f"{name} must be a uint8 array, not {found}")
    check_unmasked(name, codes)
    check_codes_shape(name, codes.shape)
