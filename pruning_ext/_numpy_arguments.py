"""What the functions on NumPy arrays ask of their arguments; no torch here."""

from __future__ import annotations

import numbers
import operator
from types import ModuleType

import numpy as np

_FLOATS = (np.float64, np.float32, np.float16)


def native() -> ModuleType:
    """The compiled core."""
    try:
        from pruning_ext import _core
    except ImportError as error:
        raise ImportError(
            "pruning_ext is not built for this Python: install it with `pip install --no-build-isolation .` "
            f"({error})"
        ) from error
    return _core


def check_floating(name: str, array: object) -> None:
    """``array`` must be an ndarray that the kernels can read where it lies."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a numpy.ndarray, not {type(array).__name__}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array: a mask would be ignored; fill or drop what it hides")
    if array.dtype.type not in _FLOATS:
        raise TypeError(f"{name} must be float64, float32 or float16, not {array.dtype}")
    if not array.dtype.isnative:
        raise TypeError(f"{name} must be in native byte order, not {array.dtype.str}; convert it with astype")
    if not array.flags.aligned or any(
        stride % array.itemsize for stride, size in zip(array.strides, array.shape, strict=True) if size > 1
    ):
        raise ValueError(f"{name} must have aligned entries and strides of whole entries; copy it first")


def is_whole(value: object) -> bool:
    """Whether ``value`` is an integer, of Python's or of NumPy's."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def thread_count(num_threads: int) -> int:
    """As the kernels take it; 0: as many as the machine has."""
    if not is_whole(num_threads) or num_threads < 0:
        raise ValueError(f"num_threads must be a whole number of at least 0, is {num_threads!r}")
    return min(operator.index(num_threads), 1024)
