"""The compiled core: calling its ops, and the checks that all functions on arrays share; no torch here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pruning_ext._arguments import check_at_least
from pruning_ext._build import native

_FLOATS = (np.float64, np.float32, np.float16)


def call(op: str, num_threads: int, *args: Any) -> Any:
    """Run a native op on at most so many threads (0: as many as the machine has)."""
    return getattr(native(), op)(*args, num_threads)


def check_floating(name: str, array: object) -> None:
    """``array`` must be an ndarray that the kernels can read where it lies."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a numpy.ndarray, not {type(array).__name__}")
    check_unmasked(name, array)
    if array.dtype.type not in _FLOATS:
        raise TypeError(f"{name} must be float64, float32 or float16, not {array.dtype}")
    if not array.dtype.isnative:
        raise TypeError(f"{name} must be in native byte order, not {array.dtype.str}; convert it with astype")
    if not array.flags.aligned or any(
        stride % array.itemsize for stride, size in zip(array.strides, array.shape, strict=True) if size > 1
    ):
        raise ValueError(f"{name} must have aligned entries and strides of whole entries; copy it first")


def check_unmasked(name: str, array: NDArray[Any]) -> None:
    """Neither a mask nor a unit, of a subclass of ndarray, may be ignored in silence."""
    if type(array) is np.ndarray:
        return
    if isinstance(array, np.ma.MaskedArray) or hasattr(array, "mask"):
        raise TypeError(f"{name} must be a plain array: a mask would be ignored; fill or drop what it hides")
    if hasattr(array, "unit") or hasattr(array, "units"):
        raise TypeError(
            f"{name} must be a plain array: a unit would be ignored; convert all to one and give the values"
        )


def thread_count(num_threads: int) -> int:
    """As the kernels take it; 0: as many as the machine has."""
    return min(check_at_least("num_threads", num_threads, 0), 1024)
