"""The compiled ops: loading, calling, a sentence where one cannot run, and the checks that all share."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from pruning_ext._build import PACKAGE, native, not_built

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_MARK = "pruning_ext: "  # begins every sentence meant for the user: csrc/bindings/arguments.h

NATIVE_OPS: dict[str, tuple[str, ...]] = {}
"""The native ops behind each public function. None: plain PyTorch, which runs where PyTorch does."""

Public = TypeVar("Public", bound=Callable[..., Any])


def made_of(*ops: str) -> Callable[[Public], Public]:
    """Record the native ops behind a public function, for :func:`pruning_ext.info`."""

    def record(function: Public) -> Public:
        NATIVE_OPS[function.__name__] = ops
        return function

    return record


@cache
def build_info() -> dict[str, str]:
    """What the native build recorded of itself."""
    return json.loads((PACKAGE / "build_info.json").read_text())


def _load(name: str) -> None:
    try:
        torch.ops.load_library(PACKAGE / name)
    except OSError as error:
        built = build_info()
        raise ImportError(
            f"pruning_ext was built with torch {built['torch_built_with']} for torch {built['torch_oldest']} "
            f"and later; its {name} cannot be loaded into torch {torch.__version__}: {error}"
        ) from error


def _load_cuda() -> str:
    """Loads the CUDA kernels, if they are built and this torch can run them; else says what is missing."""
    if not (PACKAGE / "_C_cuda.so").exists():
        return "pruning_ext was built without CUDA kernels; rebuild it with PRUNING_EXT_CUDA=on"
    if torch.version.cuda is None:  # nothing that could hold a CUDA tensor
        return f"torch {torch.__version__} is built without CUDA; install a CUDA build of torch"
    try:
        _load("_C_cuda.so")
    except ImportError as error:
        return str(error)
    return ""


if not (PACKAGE / "_C.so").exists():
    raise ImportError(not_built("_C.so"))
_load("_C.so")
with contextlib.suppress(ImportError):  # for its warning alone; pruning_ext.info says that it is missing
    native()
cuda_problem = _load_cuda()  # empty if the CUDA kernels are loaded


def has_kernel(op: str, device_type: str) -> bool:
    """Whether ``op`` runs on devices of this type in this build."""
    key = {"cpu": "CPU", "cuda": "CUDA", "meta": "Meta"}.get(device_type)
    return key is not None and torch._C._dispatch_has_kernel_for_dispatch_key(f"pruning_ext::{op}", key)


def call(op: str, device: torch.device, *args: Any) -> Any:
    """Runs a native op; what its kernel found wrong with the data becomes a ``ValueError``."""
    function: Callable[..., Any] = getattr(torch.ops.pruning_ext, op).default
    # No op has a derivative: results of parameters carry no gradient rather than a wrong one.
    if torch.compiler.is_compiling():
        with torch.no_grad():
            return function(*args)
    if not has_kernel(op, device.type):
        raise RuntimeError(_missing(op, device))
    try:
        with torch.no_grad():
            return function(*args)
    except RuntimeError as error:
        message = str(error)
        if _MARK not in message:
            raise
        raise ValueError(message.split(_MARK, 1)[1].splitlines()[0]) from None


def _missing(op: str, device: torch.device) -> str:
    if device.type != "cuda":
        return f"{op} has no kernels for {device.type!r} devices; move the tensors to the CPU"
    if cuda_problem:
        return f"{op} cannot run on {device}: {cuda_problem}, or move the tensors to the CPU"
    return f"{op} has no CUDA kernels in this version; move the tensors to the CPU"


def check_floating(name: str, tensor: Tensor) -> None:
    """``tensor`` must be a strided tensor of a supported floating-point dtype."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, not {type(tensor).__name__}")
    if tensor.dtype not in FLOATS:
        raise TypeError(f"{name} must be float64, float32, float16 or bfloat16, not {str(tensor.dtype)[6:]}")
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} must be a dense tensor, not {str(tensor.layout)[6:]}")


def check_device(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    """Both tensors must be on one device."""
    if tensor.device != other.device:
        raise ValueError(f"{name} is on {tensor.device} and {other_name} on {other.device}; move one of them")


def result_dtype(tensor: Tensor) -> torch.dtype:
    """float64 in gives float64 out, everything else float32."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def as_int64(number: int) -> int:
    """At most what an op can be handed; in a graph, where the number may be symbolic, as it is."""
    if isinstance(number, torch.SymInt) or torch.compiler.is_compiling():
        return number
    return min(number, 2**63 - 1)
