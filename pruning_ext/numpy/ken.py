"""KEN's row selection, on NumPy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pruning_ext._arguments import check_flag, check_kept, check_weight_shape
from pruning_ext.numpy._native import call, check_floating, thread_count

__all__ = ["ken_mask"]


def ken_mask(
    weight: NDArray[Any], k: int, *, keep_ties: bool = False, num_threads: int = 0
) -> NDArray[np.bool_]:
    """The ``k`` entries that KEN keeps in each row of a weight matrix.

    As :func:`pruning_ext.ops.ken_mask`, which states the selection step by step.

    Args:
        weight: ``[R, n]``, finite. More dimensions are viewed as rows over the first one (and copied only
            where strides allow no view).
        k: entries to keep in a row, not negative; ``n`` or more keeps all.
        keep_ties: also keep every entry equal to a kept one, as the published code does.
        num_threads: at most so many threads; 0: as many as the machine has.

    Returns:
        bool, of ``weight``'s shape: exactly ``min(k, n)`` True in each row unless ``keep_ties``.

    Raises:
        ValueError: fewer than two dimensions, negative ``k``, NaN or infinity (the row is named), rows of
            2^31 entries or more.
        TypeError: what is not an array, a dtype that is not supported, a ``k`` or a flag that is none.
    """
    check_floating("weight", weight)
    check_weight_shape(weight.shape)
    number, keep_ties = check_kept(k), check_flag("keep_ties", keep_ties)
    rows, n = weight.shape[0], math.prod(weight.shape[1:])
    matrix = weight if weight.ndim == 2 else weight.reshape(rows, n)
    mask: NDArray[np.bool_] = call("ken_mask", thread_count(num_threads), matrix, min(number, n), keep_ties)
    return mask.reshape(weight.shape)
