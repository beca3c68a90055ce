"""Histogram mutual information between all pairs of columns: discretise, count, score."""

from __future__ import annotations

import torch
from torch import Tensor

from pruning_ext._arguments import (
    Correction,
    Normalize,
    Strategy,
    Unit,
    check_bins,
    check_strategy,
    estimator_args,
)
from pruning_ext.ops._mi_arguments import (
    check_codes,
    check_columns,
    check_edges_of,
    check_samples,
    check_scoring,
)
from pruning_ext.ops._native import call, made_of, result_dtype

__all__ = ["contingency", "discretize", "mutual_information", "mutual_information_from_codes"]


@made_of("discretize", "encode")
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
        edges: edges of an earlier call, ``[N, bins - 1]``, not decreasing; ``bins`` and ``strategy`` are then
            not looked at, and any number of samples will do.

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
    if edges is not None:
        check_samples("x", x)
        check_edges_of(x, edges)
        return call("encode", x.device, x.detach(), edges.detach()), edges
    check_samples("x", x, 2)
    bins = check_bins(bins)
    check_strategy(strategy, bins)
    return discretized("x", x, bins, strategy)


@made_of("contingency")
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
    bins = check_codes(codes_x, codes_y, bins)
    return call("contingency", codes_x.device, codes_x, codes_y, bins)


@made_of("mutual_information")
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
    scoring, float64 = check_scoring(codes_x, codes_y, bins, correction, normalize, unit, dtype)
    return call("mutual_information", codes_x.device, codes_x, codes_y, *scoring, float64)


@made_of("mutual_information_of_columns")
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
    estimator = estimator_args(correction, normalize, unit)
    bins = check_columns(x, y, bins, strategy)
    other = None if y is None else y.detach()
    op = "mutual_information_of_columns"
    return call(op, x.device, x.detach(), other, bins, strategy, *estimator)


def discretized(name: str, x: Tensor, bins: int, strategy: Strategy) -> tuple[Tensor, Tensor]:
    """Codes and edges of columns that have been checked and that errors are to call ``name``."""
    codes, edges = call("discretize", x.device, x.detach(), bins, strategy, name)
    return codes, edges


@torch.library.register_fake("pruning_ext::discretize")
def _(x: Tensor, bins: int, strategy: str, name: str = "x") -> tuple[Tensor, Tensor]:
    samples, columns = x.shape
    codes = x.new_empty((columns, samples), dtype=torch.uint8)
    return codes, x.new_empty((columns, bins - 1), dtype=result_dtype(x))


@torch.library.register_fake("pruning_ext::encode")
def _(x: Tensor, edges: Tensor) -> Tensor:
    return x.new_empty((x.shape[1], x.shape[0]), dtype=torch.uint8)


def _partners(codes_x: Tensor, codes_y: Tensor | None) -> int:
    return (codes_x if codes_y is None else codes_y).shape[0]


@torch.library.register_fake("pruning_ext::contingency")
def _(codes_x: Tensor, codes_y: Tensor | None, bins: int) -> Tensor:
    shape = (codes_x.shape[0], _partners(codes_x, codes_y), bins, bins)
    return codes_x.new_empty(shape, dtype=torch.int32)


@torch.library.register_fake("pruning_ext::mutual_information")
def _(
    codes_x: Tensor,
    codes_y: Tensor | None,
    bins: int,
    correction: str,
    normalize: str,
    unit: str,
    float64: bool,
) -> Tensor:
    dtype = torch.float64 if float64 else torch.float32
    return codes_x.new_empty((codes_x.shape[0], _partners(codes_x, codes_y)), dtype=dtype)


@torch.library.register_fake("pruning_ext::mutual_information_of_columns")
def _(
    x: Tensor, y: Tensor | None, bins: int, strategy: str, correction: str, normalize: str, unit: str
) -> Tensor:
    others = x if y is None else y
    dtype = torch.promote_types(result_dtype(x), result_dtype(others))
    return x.new_empty((x.shape[1], others.shape[1]), dtype=dtype)
