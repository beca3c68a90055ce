"""Histogram mutual information between all pairs of columns: discretise, count, score."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pruning_ext import reference

Strategy = Literal["quantile", "uniform", "zero-quantile"]
Correction = Literal["miller-madow"]
Normalize = Literal["min", "sqrt", "max", "mean"]
Unit = Literal["nats", "bits"]

_STRATEGIES = ("quantile", "uniform", "zero-quantile")
_CORRECTIONS = (None, "miller-madow")
_NORMALIZATIONS = (None, "min", "sqrt", "max", "mean")
_UNITS = ("nats", "bits")
_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_MAX_SAMPLES = 2**31 - 1


class TopK(NamedTuple):
    """The ``k`` partners that share most with each column, best first, the lower index at a tie."""

    values: Tensor  # [N, k]
    indices: Tensor  # int64 [N, k]


def discretize(
    x: Tensor, bins: int = 16, strategy: Strategy = "quantile", *, edges: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Bin each column of activations, as ``(codes, edges)``.

    Args:
        x: samples x variables ``[T, N]``, float64, float32, float16 or bfloat16, finite, ``T >= 2``.
        bins: number of bins, 2 to 256 (``"zero-quantile"``: 3 to 256).
        strategy: how each column's edges are placed.

            * ``"quantile"``: equal counts, ties by value and never broken at random: the order statistics of
              rank ``floor(j T / bins)``. A value that several of these hit has a bin of its own.
            * ``"zero-quantile"``: exact zeros have a bin of their own, the negative and the positive values
              share the other bins in proportion to their number. Without zeros the same as ``"quantile"``.
            * ``"uniform"``: equal steps from the column's minimum to its maximum.

            With ``"quantile"`` and ``"zero-quantile"`` a column of at most ``bins`` distinct values has one
            bin for each of them: nothing is lost.
        edges: edges of an earlier call, ``[N, bins - 1]``; they are used as they are, and ``bins`` and
            ``strategy`` are not looked at.

    Returns:
        ``codes``, uint8 ``[N, T]`` (one row per column of ``x``), and ``edges``, ``[N, bins - 1]``, float64
        for float64 ``x`` and float32 otherwise. The code of a value is the number of its column's edges
        that are less than or equal to it: bin ``j`` is ``[edge j-1, edge j)``, a value on an edge belongs
        to the bin above, the first and the last bin are unbounded (so the maximum is in the last bin, and
        values outside the range the edges were made from fall in the outer bins). Edges increase strictly;
        those a column has no use for are ``+inf``, so a constant column has code 0 throughout.

    Raises:
        TypeError: a wrong dtype.
        ValueError: a wrong shape, ``bins`` out of range, fewer than two samples, NaN or infinity in ``x``.
    """
    _check_samples(x, "x")
    if edges is not None:
        return _encode(x, _checked_edges(edges, x)), edges
    _check_bins(bins)
    _check_choice(strategy, _STRATEGIES, "strategy")
    if strategy == "zero-quantile" and bins < 3:
        raise ValueError(f"bins must be at least 3 with strategy 'zero-quantile', got {bins}")
    x = x.detach().to(_edges_dtype(x))
    edges = reference.edges_of(x, bins, strategy)
    return reference.encode(x, edges), edges


def contingency(codes_x: Tensor, codes_y: Tensor | None = None, *, bins: int) -> Tensor:
    """Joint counts of all pairs of code rows.

    ``out[n, m, a, b]`` is the number of samples ``t`` with ``codes_x[n, t] = a`` and ``codes_y[m, t] = b``.

    Args:
        codes_x: uint8 ``[N, T]``, each below ``bins``, ``T >= 2``.
        codes_y: uint8 ``[M, T]``, or ``None`` for ``codes_x`` itself.
        bins: number of bins, 2 to 256.

    Returns:
        int32 ``[N, M, bins, bins]``. The table is as large as it looks; :func:`mutual_information_from_codes`
        never makes it.

    Raises:
        TypeError: codes that are not uint8.
        ValueError: a wrong shape, different numbers of samples, a code of ``bins`` or more.
    """
    codes_y = _checked_codes(codes_x, codes_y, bins)
    return reference.contingency(codes_x, codes_x if codes_y is None else codes_y, bins)


def mutual_information_from_codes(
    codes_x: Tensor,
    codes_y: Tensor | None = None,
    *,
    bins: int,
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Mutual information of all pairs of code rows, ``[N, M]``: :func:`mutual_information` after binning.

    Args:
        codes_x: uint8 ``[N, T]``, each below ``bins``, ``T >= 2``.
        codes_y: uint8 ``[M, T]``, or ``None`` for ``codes_x`` itself (half the work, a symmetric result).
        bins: number of bins, 2 to 256.
        correction, normalize, unit: as in :func:`mutual_information`.
        dtype: of the result, float32 or float64.

    Raises:
        TypeError: codes that are not uint8.
        ValueError: a wrong shape, different numbers of samples, a code of ``bins`` or more, an
            unknown choice.
    """
    codes_y = _checked_codes(codes_x, codes_y, bins)
    _check_score(correction, normalize, unit, dtype)
    return _score(codes_x, codes_y, bins, correction, normalize, unit).to(dtype)


def mutual_information(
    x: Tensor,
    y: Tensor | None = None,
    *,
    bins: int = 16,
    strategy: Strategy = "quantile",
    correction: Correction | None = None,
    normalize: Normalize | None = None,
    unit: Unit = "nats",
) -> Tensor:
    """Plug-in mutual information between all pairs of binned columns, ``I = H(x) + H(y) - H(x, y)``.

    Args:
        x: samples x variables ``[T, N]``, float64, float32, float16 or bfloat16, finite, ``T >= 2``.
        y: ``[T, M]`` for the cross matrix, or ``None`` for ``x`` against itself.
        bins, strategy: see :func:`discretize`. The estimate is biased upwards by about ``(bins - 1)^2 / 2T``
            nats: take ``T >= 16 bins^2``, or correct it.
        correction: ``"miller-madow"`` adds ``(occupied cells - 1) / 2T`` to each of the three entropies
            (Miller 1955), so ``(Bx + By - Bxy - 1) / 2T`` to the information.
        normalize: divide by the ``"min"``, ``"max"``, ``"mean"`` (arithmetic) or ``"sqrt"`` (geometric mean)
            of the two entropies: 1 on the diagonal, 0 where the divisor is 0, and without unit.
        unit: ``"nats"`` or ``"bits"``.

    Returns:
        ``[N, M]``, float64 if ``x`` or ``y`` is, else float32. Never negative; exactly 0 where a column is
        constant; without ``y`` symmetric, and its diagonal is the entropy of each column.

    Raises:
        TypeError: a wrong dtype.
        ValueError: a wrong shape, fewer than two samples, different numbers of samples, NaN or infinity,
            ``bins`` out of range, an unknown choice.
    """
    _check_score(correction, normalize, unit, torch.float32)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy)
    return mutual_information_from_codes(
        codes_x, codes_y, bins=bins, correction=correction, normalize=normalize, unit=unit, dtype=dtype
    )


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
    codes_y = _checked_codes(codes_x, codes_y, bins)
    _check_score(correction, normalize, unit, dtype)
    partners = len(codes_x) - 1 if codes_y is None else len(codes_y)
    if not isinstance(k, int) or not 0 <= k <= max(partners, 0):
        raise ValueError(f"k must be between 0 and the number of partners, {max(partners, 0)}, got {k}")
    score = _score(codes_x, codes_y, bins, correction, normalize, unit)
    if codes_y is None:
        score.fill_diagonal_(-1)
    values, indices = score.sort(dim=1, descending=True, stable=True)
    return TopK(values[:, :k].to(dtype), indices[:, :k])


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
    _check_score(correction, normalize, unit, torch.float32)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy)
    return mutual_information_topk_from_codes(
        codes_x, k, codes_y, bins=bins, correction=correction, normalize=normalize, unit=unit, dtype=dtype
    )


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
    codes_y = _checked_codes(codes_x, codes_y, bins)
    _check_score(correction, normalize, unit, dtype)
    score = _score(codes_x, codes_y, bins, correction, normalize, unit)
    if codes_y is None:
        score.fill_diagonal_(0)
    return score.sum(1).to(dtype)


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
    _check_score(correction, normalize, unit, torch.float32)
    codes_x, codes_y, dtype = _codes_of(x, y, bins, strategy)
    return mutual_information_sum_from_codes(
        codes_x, codes_y, bins=bins, correction=correction, normalize=normalize, unit=unit, dtype=dtype
    )


def _score(
    codes_x: Tensor,
    codes_y: Tensor | None,
    bins: int,
    correction: str | None,
    normalize: str | None,
    unit: str,
) -> Tensor:
    other = codes_x if codes_y is None else codes_y
    return reference.mutual_information_from_codes(codes_x, other, bins, correction, normalize, unit)


def _encode(x: Tensor, edges: Tensor) -> Tensor:
    return reference.encode(x.detach().to(edges.dtype), edges)


def _codes_of(
    x: Tensor, y: Tensor | None, bins: int, strategy: Strategy
) -> tuple[Tensor, Tensor | None, torch.dtype]:
    codes_x, edges_x = discretize(x, bins, strategy)
    if y is None:
        return codes_x, None, edges_x.dtype
    _check_samples(y, "y")
    if len(x) != len(y):
        raise ValueError(f"x and y must have the same number of samples, got {len(x)} and {len(y)}")
    codes_y, edges_y = discretize(y, bins, strategy)
    return codes_x, codes_y, torch.promote_types(edges_x.dtype, edges_y.dtype)


def _edges_dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _check_samples(x: Tensor, name: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(x).__name__}")
    if x.dtype not in _FLOATS:
        raise TypeError(f"{name} must be float64, float32, float16 or bfloat16, got {x.dtype}")
    if x.dim() != 2:
        raise ValueError(f"{name} must be [T, N] (samples x variables), got shape {list(x.shape)}")
    if not 2 <= len(x) <= _MAX_SAMPLES:
        raise ValueError(f"{name} must have 2 to 2^31 - 1 samples, got shape {list(x.shape)}")
    finite = torch.isfinite(x).all(0)
    if not finite.all():
        column = int((~finite).nonzero()[0])
        raise ValueError(f"{name} has NaN or infinity in column {column}")


def _check_bins(bins: int) -> None:
    if not isinstance(bins, int) or isinstance(bins, bool):
        raise TypeError(f"bins must be an integer, got {type(bins).__name__}")
    if not 2 <= bins <= 256:
        raise ValueError(f"bins must be between 2 and 256, got {bins}")


def _check_choice(value: object, choices: tuple[object, ...], name: str) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _check_score(correction: object, normalize: object, unit: object, dtype: torch.dtype) -> None:
    _check_choice(correction, _CORRECTIONS, "correction")
    _check_choice(normalize, _NORMALIZATIONS, "normalize")
    _check_choice(unit, _UNITS, "unit")
    _check_choice(dtype, (torch.float32, torch.float64), "dtype")


def _checked_edges(edges: Tensor, x: Tensor) -> Tensor:
    if edges.dtype != _edges_dtype(x):
        raise TypeError(f"edges must be {_edges_dtype(x)} for {x.dtype} x, got {edges.dtype}")
    if edges.dim() != 2 or len(edges) != x.shape[1] or not 1 <= edges.shape[1] <= 255:
        raise ValueError(
            f"edges must be [N, bins - 1], N = {x.shape[1]} and bins 2 to 256, got shape {list(edges.shape)}"
        )
    return edges


def _checked_codes(codes_x: Tensor, codes_y: Tensor | None, bins: int) -> Tensor | None:
    _check_bins(bins)
    for name, codes in (("codes_x", codes_x), ("codes_y", codes_y)):
        if codes is None:
            continue
        if not isinstance(codes, Tensor) or codes.dtype != torch.uint8:
            found = getattr(codes, "dtype", type(codes).__name__)
            raise TypeError(f"{name} must be a uint8 tensor, got {found}")
        if codes.dim() != 2:
            raise ValueError(f"{name} must be [N, T] (variables x samples), got shape {list(codes.shape)}")
        if not 2 <= codes.shape[1] <= _MAX_SAMPLES:
            raise ValueError(f"{name} must have at least 2 samples, got shape {list(codes.shape)}")
        if codes.numel() and int(codes.max()) >= bins:
            raise ValueError(f"{name} must be below bins = {bins}, got {int(codes.max())}")
    if codes_y is not None and codes_x.shape[1] != codes_y.shape[1]:
        raise ValueError(
            f"codes_x and codes_y must have the same number of samples, "
            f"got {codes_x.shape[1]} and {codes_y.shape[1]}"
        )
    return codes_y
