"""What the mutual information functions ask of their tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from pruning_ext._arguments import (
    check_bins,
    check_choice,
    check_codes_shape,
    check_columns_shape,
    check_edges,
    check_same_samples,
)
from pruning_ext.ops._native import check_device, check_floating, result_dtype


def check_columns(x: Tensor, name: str, least: int = 0) -> None:
    """``[T, N]`` of a floating-point dtype, with at least so many samples."""
    check_floating(name, x)
    check_columns_shape(name, x.shape, least)


def check_columns_of_both(x: Tensor, y: Tensor | None) -> None:
    """At least two samples, as many of both."""
    check_columns(x, "x", 2)
    if y is None:
        return
    check_columns(y, "y", 2)
    check_device("y", y, "x", x)
    check_same_samples("x and y", len(x), len(y))


def is_float64(dtype: torch.dtype) -> bool:
    """Whether a result is to be float64, and not float32."""
    check_choice("dtype", dtype, (torch.float32, torch.float64))
    return dtype == torch.float64


def check_edges_of(x: Tensor, edges: Tensor) -> None:
    """``[N, bins - 1]`` for the columns of ``x``, of the dtype of its results, contiguous."""
    check_floating("edges", edges)
    dtypes = (str(dtype).removeprefix("torch.") for dtype in (edges.dtype, result_dtype(x), x.dtype))
    check_edges(edges.shape, x.shape[1], *dtypes)
    if not edges.is_contiguous():
        raise ValueError("edges must be contiguous")
    check_device("edges", edges, "x", x)


def check_codes(codes_x: Tensor, codes_y: Tensor | None, bins: int) -> int:
    """uint8 ``[N, T]``, and ``[M, T]`` or None; the number of bins."""
    number = check_bins(bins)
    for name, codes in (("codes_x", codes_x), ("codes_y", codes_y)):
        if codes is None and name == "codes_y":
            continue
        if not isinstance(codes, Tensor) or codes.dtype != torch.uint8:
            found = str(getattr(codes, "dtype", type(codes).__name__)).removeprefix("torch.")
            raise TypeError(f"{name} must be a uint8 tensor, not {found}")
        check_codes_shape(name, codes.shape)
    if codes_y is not None:
        check_device("codes_y", codes_y, "codes_x", codes_x)
        check_same_samples("codes_x and codes_y", codes_x.shape[1], codes_y.shape[1])
    return number


def num_partners(codes_x: Tensor, codes_y: Tensor | None) -> int:
    """Rows that each row of ``codes_x`` is paired with, itself included."""
    return (codes_x if codes_y is None else codes_y).shape[0]
