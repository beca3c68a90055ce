"""KEN's row selection."""

from __future__ import annotations

import torch
from torch import Tensor

from pruning_ext._arguments import check_flag, check_kept, check_weight_shape
from pruning_ext.ops._native import as_int64, call, check_floating, made_of

__all__ = ["ken_mask"]


@made_of("ken_mask")
def ken_mask(weight: Tensor, k: int, *, keep_ties: bool = False) -> Tensor:
    """The ``k`` entries that KEN keeps in each row of a weight matrix.

    For a row ``x`` of ``n`` entries: take ``k`` equal steps from its minimum to its maximum; estimate the
    Gaussian density of ``x`` there (bandwidth ``1.06 std n^(-1/5)``) and round it to an integer, half to
    even; in descending order of that, equal ones ascending, each step takes the nearest entry not yet taken
    (at a tie the earliest in the row). Grid, distances and densities are those of float64;
    a row whose range is below 2^-900 is first multiplied by 2^120, since subnormal steps would be too coarse.

    Args:
        weight: ``[R, n]``, finite; float64, float32, float16 or bfloat16, any strides. More dimensions are
            viewed as rows over the first one (and copied only where strides allow no view).
        k: entries to keep in a row, not negative; ``n`` or more keeps all.
        keep_ties: also keep every entry equal to a kept one. The mask is then identical to the published
            code's; without, exactly ``min(k, n)`` entries of each row are True.

    Returns:
        bool, of ``weight``'s shape. A constant row keeps its first ``k`` entries (all of them with
        ``keep_ties``).

    Raises:
        ValueError: fewer than two dimensions, negative ``k``, NaN or infinity (the row is named).
        TypeError: a dtype that is not supported, a ``k`` or a flag that is none.

    Source: Mastromattei and Zanzotto, *Less is KEN*, 2024.
    """
    check_floating("weight", weight)
    check_weight_shape(weight.shape)
    number, keep_ties = as_int64(check_kept(k)), check_flag("keep_ties", keep_ties)
    rows = weight if weight.dim() == 2 else weight.flatten(1)
    return call("ken_mask", weight.device, rows, number, keep_ties).view(weight.shape)


@torch.library.register_fake("pruning_ext::ken_mask")
def _(weight: Tensor, k: int, keep_ties: bool) -> Tensor:
    return weight.new_empty(weight.shape, dtype=torch.bool)
