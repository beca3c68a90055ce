"""A trace of one weight tensor through the package: the modules and functions that it is handed to."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import pruning_ext

ROOT = Path(pruning_ext.__file__).parent
PLUMBING = ("_progress", "storage.threads")  # items of a loop pass through them, whoever loops


class Walk:
    """The modules of the package that hold a weight of a model, in order, while a call runs.

    A module holds it when a function of it is handed the weight, or its pair, or what pruning made of it, as
    an argument, or gets it back as the value of a call.

    Attributes:
        modules: names within the package; one that comes again had let go of the weight to another.
        calls: number of calls with the weight among the arguments, by function.
    """

    def __init__(self, name: str, weight: torch.Tensor) -> None:
        self.modules: list[str] = []
        self.calls: Counter[str] = Counter()
        self._name = name
        self._seen = [weight]  # held, so that no other tensor comes to lie in its place

    @property
    def returns(self) -> int:
        """How often the weight goes back to a module that it had left."""
        return len(self.modules) - len(set(self.modules))

    def trace(self, call: Callable[[], Any]) -> Any:
        """The value of ``call``, whose way is recorded."""
        sys.setprofile(self._see)
        try:
            return call()
        finally:
            sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, value: Any) -> None:
        code = frame.f_code
        if event == "call" and (module := _module(frame)):
            arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            if any(self._carries(frame.f_locals.get(name)) for name in arguments):
                self.calls[f"{module}.{code.co_name}"] += 1
                self._enter(module)
        elif event == "return" and frame.f_back and _module(frame) and self._carries(value):
            self._enter(_module(frame.f_back))

    def _enter(self, module: str | None) -> None:
        if module and module not in PLUMBING and self.modules[-1:] != [module]:
            self.modules.append(module)

    def _carries(self, value: Any) -> bool:
        if getattr(value, "name", None) == self._name and isinstance(
            getattr(value, "tensor", None), torch.Tensor
        ):
            self._seen.append(value.tensor)
            return True
        if isinstance(value, torch.Tensor):
            start, _ = _place(value)
        elif isinstance(value, np.ndarray) and value.dtype != bool:
            start = value.__array_interface__["data"][0]
        else:
            return False
        return any(first <= start < stop for first, stop in map(_place, self._seen))


def _place(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes


def _module(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(ROOT):
        return None
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
