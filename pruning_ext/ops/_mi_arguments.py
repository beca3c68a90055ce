"""Checks of the tensors that mutual information is computed from."""

from __future__ import annotations

import torch
from torch import Tensor

from pruning_ext import _arguments
from pruning_ext._arguments import (
    check_choice,
    check_codes_shape,
    check_columns_shape,
    check_edges,
    estimator_args,
)
from pruning_ext.ops._native import check_device, check_floating, result_dtype


def check_samples(name: str, x: Tensor, least: int = 0) -> None:
    """``[T, N]`` of a floating-point dtype, with at least so many samples."""
    check_floating(name, x)
    check_columns_shape(name, x.shape, least)


def check_columns(x: Tensor, y: Tensor | None, bins: int, strategy: str) -> int:
    """At least two samples, as many of both, on one device; the number of bins."""
    number = _arguments.check_columns(x, y, bins, strategy, check_samples)
    if y is not None:
        check_device("y", y, "x", x)
    return number


def check_edges_of(x: Tensor, edges: Tensor) -> None:
    """``[N, bins - 1]`` for the columns of ``x``, of the dtype of its results, contiguous."""
    check_floating("edges", edges)
    dtypes = (str(dtype).removeprefix("torch.") for dtype in (edges.dtype, result_dtype(x), x.dtype))
    check_edges(edges.shape, x.shape[1], *dtypes)
    if not edges.is_contiguous():
        raise ValueError("edges must be contiguous")
    check_device("edges", edges, "x", x)


def check_codes(codes_x: Tensor, codes_y: Tensor | None, bins: int) -> int:
    """uint8 ``[N, T]``, and ``[M, T]`` or None, on one device; the number of bins."""
    number = _arguments.check_codes(codes_x, codes_y, bins, _check_one)
    if codes_y is not None:
        check_device("codes_y", codes_y, "codes_x", codes_x)
    return number


def check_scoring(
    codes_x: Tensor,
    codes_y: Tensor | None,
    bins: int,
    correction: str | None,
    normalize: str | None,
    unit: str,
    dtype: torch.dtype,
) -> tuple[tuple[int, str, str, str], bool]:
    """Codes and choices, as the ops take them, and whether the result is to be float64, and not float32."""
    number = check_codes(codes_x, codes_y, bins)
    estimator = estimator_args(correction, normalize, unit)
    check_choice("dtype", dtype, (torch.float32, torch.float64))
    return (number, *estimator), dtype == torch.float64


def _check_one(name: str, codes: Tensor) -> None:
    if not isinstance(codes, Tensor) or codes.dtype != torch.uint8:
        found = str(getattr(codes, "dtype", type(codes).__name__)).removeprefix("torch.")
        raise TypeError(f"{name} must be a uint8 tensor, not {found}")
    check_codes_shape(name, codes.shape)
