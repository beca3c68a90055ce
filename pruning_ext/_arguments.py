"""Checks of the arguments of both front doors, tensors and arrays, in one set of words; no torch here."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Literal, NamedTuple, get_args

Strategy = Literal["quantile", "uniform", "zero-quantile"]
Correction = Literal["miller-madow"]
Normalize = Literal["min", "sqrt", "max", "mean"]
Unit = Literal["nats", "bits"]

BANDWIDTH_RULES = ("scott", "silverman", "ken")
STRATEGIES = get_args(Strategy)
CORRECTIONS = (None, *get_args(Correction))
NORMALIZATIONS = (None, *get_args(Normalize))
UNITS = get_args(Unit)
LEAST_RTOL = 1e-14  # about what a direct sum in float64 keeps


class TopK(NamedTuple):
    """The ``k`` partners that share most with each column, best first, the lower index at a tie."""

    values: Any  # [N, k], a tensor or an array as the columns were
    indices: Any  # int64 [N, k]


def whole_number(value: Any) -> int | None:
    """``value`` as an int, of whatever integer type; None for a bool, a float or a string."""
    if isinstance(value, bool):
        return None
    # In a graph that torch traces, a number may be symbolic; operator.index would make it a constant.
    if isinstance(value, int) or type(value).__name__ == "SymInt":
        return value
    try:
        return operator.index(value)
    except TypeError:
        return None


def real_number(value: Any) -> float | None:
    """``value`` as a float, infinite where it is too large for one; None for a bool or a string."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number: Any = value
    try:
        return float(number)
    except OverflowError:  # an int of more than 308 digits
        return math.inf if number > 0 else -math.inf


def check_whole(name: str, value: Any) -> int:
    """A whole number."""
    number = whole_number(value)
    if number is None:
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    return number


def check_at_least(name: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``."""
    number = whole_number(value)
    if number is None or number < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, is {value!r}")
    return number


def check_kept(k: Any) -> int:
    """``k`` of :func:`pruning_ext.ken_mask`."""
    number = check_whole("k", k)
    if number < 0:
        raise ValueError(f"k must not be negative, is {k}")
    return number


def check_partners(k: Any, codes_x: Any, codes_y: Any) -> int:
    """``k`` best of the rows of ``codes_y``, or of the other rows of ``codes_x`` where that is None."""
    partners = max(codes_x.shape[0] - 1, 0) if codes_y is None else codes_y.shape[0]
    number = check_whole("k", k)
    if not 0 <= number <= partners:
        raise ValueError(f"k must be between 0 and the number of partners, {partners}, is {k}")
    return number


def check_bins(bins: Any) -> int:
    """A number of bins whose codes fit in a byte."""
    number = check_whole("bins", bins)
    if not 2 <= number <= 256:
        raise ValueError(f"bins must be between 2 and 256, is {bins}")
    return number


def check_flag(name: str, value: Any) -> bool:
    """True or False, or 1 or 0."""
    if isinstance(value, bool):
        return value
    import numpy as np  # not at the top: the help of the commands is made without it

    if isinstance(value, np.bool_) or whole_number(value) in (0, 1):
        return bool(value)
    raise TypeError(f"{name} must be True or False, not {value!r}")


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """One of ``choices``."""
    # Types first: comparing an array with a string gives an array, not a bool.
    if not any(isinstance(value, type(choice)) and value == choice for choice in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, is {value!r}")


def check_strategy(strategy: str, bins: int) -> None:
    """A strategy for edges, with enough bins for it."""
    check_choice("strategy", strategy, STRATEGIES)
    if strategy == "zero-quantile" and bins < 3:
        raise ValueError(f"bins must be at least 3 with strategy 'zero-quantile', is {bins}")


def estimator_args(correction: str | None, normalize: str | None, unit: str) -> tuple[str, str, str]:
    """The choices as the kernels take them."""
    check_choice("correction", correction, CORRECTIONS)
    check_choice("normalize", normalize, NORMALIZATIONS)
    check_choice("unit", unit, UNITS)
    return correction or "none", normalize or "none", unit


def check_rtol(rtol: Any) -> float | None:
    """A relative error allowed, or None for the default."""
    if rtol is None:
        return None
    number = real_number(rtol)
    if number is None:
        raise TypeError(f"rtol must be None or a number, not {type(rtol).__name__}")
    if number != 0 and not LEAST_RTOL <= number < 1:
        raise ValueError(f"rtol must be 0, or at least {LEAST_RTOL} and below 1, is {number}")
    return number


def check_bandwidth(bandwidth: Any, alternative: str) -> str | float:
    """The name of a rule or a positive number; ``alternative`` is what else may be given: "a tensor [R]"."""
    wanted = f"bandwidth must be one of {BANDWIDTH_RULES}, a number or {alternative}, not"
    if isinstance(bandwidth, str):
        if bandwidth not in BANDWIDTH_RULES:
            raise ValueError(f"{wanted} {bandwidth!r}")
        return bandwidth
    number = real_number(bandwidth)
    if number is None:
        raise TypeError(f"{wanted} {type(bandwidth).__name__}")
    if not 0 < number < math.inf:
        raise ValueError(f"bandwidth must be positive and finite, is {number}")
    return number


def check_bandwidth_shape(shape: Sequence[int], entries: int) -> None:
    """One bandwidth for all, or one for each row or column."""
    if len(shape) > 0 and tuple(shape) != (entries,):
        raise ValueError(f"bandwidth must have shape [{entries}], has {tuple(shape)}")


def check_grid_size(rows: int, num_points: int) -> None:
    """A grid whose bytes can be counted."""
    if rows * num_points * 8 >= 2**63:
        raise ValueError(f"num_points is too large for the memory of any machine: {num_points}")


def check_rows_shape(name: str, shape: Sequence[int]) -> None:
    """``[R, N]`` with entries in its rows."""
    if len(shape) != 2:
        raise ValueError(f"{name} must have 2 dimensions [R, N], has shape {tuple(shape)}")
    if shape[1] == 0 and shape[0] > 0:
        raise ValueError(f"{name} has rows without entries: its shape is {tuple(shape)}")


def check_points_shape(samples: Sequence[int], points: Sequence[int], leave_one_out: bool) -> None:
    """``[K]``, or ``[R, K]`` for samples ``[R, N]``; one for each sample where one is left out."""
    if len(points) not in (1, 2) or (len(points) == 2 and points[0] != samples[0]):
        raise ValueError(
            f"points must have shape [K] or [{samples[0]}, K] for samples of shape {tuple(samples)}, "
            f"has {tuple(points)}"
        )
    if leave_one_out and points[-1] != samples[1]:
        raise ValueError(
            f"leave_one_out needs a point for each of {samples[1]} samples in a row, points has {points[-1]}"
        )


def check_weights_shape(samples: Sequence[int], weights: Sequence[int]) -> None:
    """A weight for each sample, or for each in a row."""
    if tuple(weights) not in (tuple(samples), tuple(samples[1:])):
        raise ValueError(
            f"weights must have the shape of samples {tuple(samples)} or of a row of it, has {tuple(weights)}"
        )


def check_weight_shape(shape: Sequence[int]) -> None:
    """A matrix, or what can be viewed as rows."""
    if len(shape) < 2:
        raise ValueError(f"weight must have at least 2 dimensions [R, n], has shape {tuple(shape)}")


def check_columns_shape(name: str, shape: Sequence[int], least: int = 0) -> None:
    """``[T, N]`` with at least so many samples."""
    if len(shape) != 2:
        # Activations are [B, S, N] more often than not. torch and NumPy both have reshape.
        remedy = f": {name}.reshape(-1, {shape[-1]}) makes it [T, N]" if len(shape) > 2 and shape[-1] else ""
        raise ValueError(
            f"{name} must have 2 dimensions, samples x variables, has shape {tuple(shape)}{remedy}"
        )
    if shape[0] < least:
        raise ValueError(f"{name} must have at least {least} samples, has shape {tuple(shape)}")


def check_codes_shape(name: str, shape: Sequence[int]) -> None:
    """``[N, T]`` with at least two samples."""
    if len(shape) != 2:
        raise ValueError(f"{name} must have 2 dimensions [N, T], has shape {tuple(shape)}")
    if shape[1] < 2:
        raise ValueError(f"{name} must have at least 2 samples, has shape {tuple(shape)}")


def check_codes(codes_x: Any, codes_y: Any, bins: Any, check_one: Callable[[str, Any], None]) -> int:
    """Codes ``[N, T]``, and ``[M, T]`` or None, that ``check_one`` admits; the number of bins."""
    number = check_bins(bins)
    check_one("codes_x", codes_x)
    if codes_y is not None:
        check_one("codes_y", codes_y)
        check_same_samples("codes_x and codes_y", codes_x.shape[1], codes_y.shape[1])
    return number


def check_columns(
    x: Any, y: Any, bins: Any, strategy: str, check_one: Callable[[str, Any, int], None]
) -> int:
    """Columns ``[T, N]``, and ``[T, M]`` or None, of at least two samples; the number of bins."""
    check_one("x", x, 2)
    if y is not None:
        check_one("y", y, 2)
        check_same_samples("x and y", x.shape[0], y.shape[0])
    number = check_bins(bins)
    check_strategy(strategy, number)
    return number


def check_edges(shape: Sequence[int], columns: int, dtype: str, wanted: str, x_dtype: str) -> None:
    """``[N, bins - 1]`` for so many columns, of the dtype of their results."""
    if dtype != wanted:
        raise TypeError(f"edges must be {wanted} for x of {x_dtype}, are {dtype}")
    if len(shape) != 2 or shape[0] != columns or not 1 <= shape[1] <= 255:
        raise ValueError(
            f"edges must be [N, bins - 1], N = {columns}, bins 2 to 256, have shape {tuple(shape)}"
        )


def check_same_samples(names: str, x: int, y: int) -> None:
    """As many samples here as there; ``names`` is "x and y"."""
    if x != y:
        raise ValueError(f"{names} must have the same number of samples, have {x} and {y}")
