"""Loads the compiled ops, says in one sentence why one cannot run, and checks what all of them check."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PACKAGE = Path(__file__).resolve().parent.parent
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_MARK = "pruning_ext: "  # csrc/common/torch_op.h begins sentences meant for the user with it


@cache
def build_info() -> dict[str, str]:
    """What the native build recorded of itself."""
    return json.loads((PACKAGE / "build_info.json").read_text())


def _load() -> None:
    library = PACKAGE / "_C.so"
    if not library.exists():
        raise ImportError(
            f"pruning_ext is not built: {library.name} is missing; "
            "install it with `pip install --no-build-isolation .`"
        )
    try:
        torch.ops.load_library(library)
    except OSError as error:
        built = build_info()
        raise ImportError(
            f"pruning_ext was built with torch {built['torch_built_with']} for torch {built['torch_oldest']} "
            f"and later and cannot be loaded into torch {torch.__version__}: {error}"
        ) from error


_load()


def has_kernel(op: str, device_type: str) -> bool:
    """Whether ``op`` runs on devices of this type in this build."""
    key = {"cpu": "CPU", "cuda": "CUDA", "meta": "Meta"}.get(device_type)
    return key is not None and torch._C._dispatch_has_kernel_for_dispatch_key(f"pruning_ext::{op}", key)


def call(op: str, device: torch.device, *args: Any) -> Any:
    """Runs a native op; what its kernel found wrong with the data becomes a ``ValueError``."""
    function: Callable[..., Any] = getattr(torch.ops.pruning_ext, op).default
    if torch.compiler.is_compiling():
        return function(*args)
    if not has_kernel(op, device.type):
        where = "CUDA kernels" if device.type == "cuda" else f"kernels for {device.type!r} devices"
        remedy = "rebuild with PRUNING_EXT_CUDA=on or move" if device.type == "cuda" else "move"
        raise RuntimeError(f"{op} has no {where} in this build; {remedy} the tensors to the CPU")
    try:
        return function(*args)
    except RuntimeError as error:
        message = str(error)
        if _MARK not in message:
            raise
        raise ValueError(message.split(_MARK, 1)[1].splitlines()[0]) from None


def check_floating(name: str, tensor: Tensor) -> None:
    """``tensor`` must be a strided tensor of a supported floating-point dtype."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, not {type(tensor).__name__}")
    if tensor.dtype not in FLOATS:
        raise TypeError(f"{name} must be float64, float32, float16 or bfloat16, not {str(tensor.dtype)[6:]}")
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} must be a dense tensor, not {str(tensor.layout)[6:]}")


def check_rows(name: str, tensor: Tensor) -> None:
    """``tensor`` must be ``[R, N]`` with entries in its rows."""
    check_floating(name, tensor)
    if tensor.dim() != 2:
        raise ValueError(f"{name} must have 2 dimensions [R, N], has shape {tuple(tensor.shape)}")
    if tensor.shape[1] == 0 and tensor.shape[0] > 0:
        raise ValueError(f"{name} has rows without entries: its shape is {tuple(tensor.shape)}")


def check_device(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    """Both tensors must be on one device."""
    if tensor.device != other.device:
        raise ValueError(f"{name} is on {tensor.device} and {other_name} on {other.device}; move one of them")


def result_dtype(tensor: Tensor) -> torch.dtype:
    """float64 in gives float64 out, everything else float32."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
