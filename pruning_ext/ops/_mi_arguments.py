"""What the mutual information functions ask of their arguments."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pruning_ext.ops._native import check_device, check_floating, result_dtype

Strategy = Literal["quantile", "uniform", "zero-quantile"]
Correction = Literal["miller-madow"]
Normalize = Literal["min", "sqrt", "max", "mean"]
Unit = Literal["nats", "bits"]

_STRATEGIES = ("quantile", "uniform", "zero-quantile")
_CORRECTIONS = (None, "miller-madow")
_NORMALIZATIONS = (None, "min", "sqrt", "max", "mean")
_UNITS = ("nats", "bits")


def check_columns(x: Tensor, name: str) -> None:
    check_floating(name, x)
    if x.dim() != 2:
        raise ValueError(f"{name} must have 2 dimensions, samples x variables, has shape {tuple(x.shape)}")


def check_samples(x: Tensor, name: str) -> None:
    check_columns(x, name)
    if len(x) < 2:
        raise ValueError(f"{name} must have at least 2 samples, has shape {tuple(x.shape)}")


def check_columns_of_both(x: Tensor, y: Tensor | None) -> None:
    check_samples(x, "x")
    if y is None:
        return
    check_samples(y, "y")
    check_device("y", y, "x", x)
    if len(x) != len(y):
        raise ValueError(f"x and y must have the same number of samples, have {len(x)} and {len(y)}")


def check_bins(bins: int) -> None:
    if isinstance(bins, bool) or not isinstance(bins, int):
        raise TypeError(f"bins must be a whole number, not {type(bins).__name__}")
    if not 2 <= bins <= 256:
        raise ValueError(f"bins must be between 2 and 256, is {bins}")


def check_strategy(strategy: str, bins: int) -> None:
    check_choice(strategy, _STRATEGIES, "strategy")
    if strategy == "zero-quantile" and bins < 3:
        raise ValueError(f"bins must be at least 3 with strategy 'zero-quantile', is {bins}")


def check_choice(value: object, choices: tuple[object, ...], name: str) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, is {value!r}")


def estimator_args(correction: str | None, normalize: str | None, unit: str) -> tuple[str, str, str]:
    """As the schema takes it."""
    check_choice(correction, _CORRECTIONS, "correction")
    check_choice(normalize, _NORMALIZATIONS, "normalize")
    check_choice(unit, _UNITS, "unit")
    return correction or "none", normalize or "none", unit


def is_float64(dtype: torch.dtype) -> bool:
    check_choice(dtype, (torch.float32, torch.float64), "dtype")
    return dtype == torch.float64


def check_edges(edges: Tensor, x: Tensor) -> None:
    check_floating("edges", edges)
    if edges.dtype != result_dtype(x):
        raise TypeError(f"edges must be {result_dtype(x)} for x of {x.dtype}, are {edges.dtype}")
    if edges.dim() != 2 or len(edges) != x.shape[1] or not 1 <= edges.shape[1] <= 255:
        raise ValueError(
            f"edges must be [N, bins - 1], N = {x.shape[1]}, bins 2 to 256, have shape {tuple(edges.shape)}"
        )
    if not edges.is_contiguous():
        raise ValueError("edges must be contiguous")
    check_device("edges", edges, "x", x)


def check_codes(codes_x: Tensor, codes_y: Tensor | None, bins: int) -> None:
    check_bins(bins)
    for name, codes in (("codes_x", codes_x), ("codes_y", codes_y)):
        if codes is None and name == "codes_y":
            continue
        if not isinstance(codes, Tensor) or codes.dtype != torch.uint8:
            found = str(getattr(codes, "dtype", type(codes).__name__)).removeprefix("torch.")
            raise TypeError(f"{name} must be a uint8 tensor, not {found}")
        if codes.dim() != 2:
            raise ValueError(f"{name} must have 2 dimensions [N, T], has shape {tuple(codes.shape)}")
        if codes.shape[1] < 2:
            raise ValueError(f"{name} must have at least 2 samples, has shape {tuple(codes.shape)}")
    if codes_y is None:
        return
    check_device("codes_y", codes_y, "codes_x", codes_x)
    if codes_x.shape[1] != codes_y.shape[1]:
        raise ValueError(
            f"codes_x and codes_y must have the same number of samples, "
            f"have {codes_x.shape[1]} and {codes_y.shape[1]}"
        )


def num_partners(codes_x: Tensor, codes_y: Tensor | None) -> int:
    return (codes_x if codes_y is None else codes_y).shape[0]
