"""Report of what is installed, what was built, and where each op runs: ``python -m pruning_ext.info``.

Nothing here needs more than Python: what is missing is said, with the remedy, instead of raised.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pruning_ext._build import __version__, not_built

_DEVICES = ("cpu", "cuda")


def info() -> dict[str, Any]:
    """What is installed, what was built and what it finds on this machine; every value is JSON-ready.

    Returns:
        * ``versions``: of ``pruning_ext``, ``python``, ``torch``, ``numpy``; None for what is not installed.
        * ``platform``: system and processor.
        * ``build``: ``compiler``, ``instruction_sets`` compiled, ``torch_built_with``, ``torch_oldest`` that
          the binaries serve, ``cuda`` (the toolkit's version, or None) and ``cuda_architectures``; None if
          the package is not built.
        * ``cpu``: the ``instruction_set`` chosen (None if not built), ``cores``, and torch's ``threads``.
        * ``cuda``: torch's own CUDA version (None for a CPU build) and the names of the ``devices`` it sees.
        * ``ops``: for every function of :mod:`pruning_ext.ops` the device types that it runs on here.
        * ``numpy``: the functions of :mod:`pruning_ext.numpy`; none if the package is not built.
        * ``problems``: one sentence for each part that cannot be used, with the remedy. Empty if all is well.
    """
    problems: list[str] = []
    native: list[str] = []
    build = _build(native)
    torch = _import_torch(problems)
    instruction_set = _instruction_set(native)
    ops = {} if torch is None else _ops(torch, native)
    numpy = [] if instruction_set is None else _numpy_ops(native)
    if build is None:  # one remedy for all of them
        native = native[:1]
    return {
        "versions": {
            "pruning_ext": __version__,
            "python": platform.python_version(),
            "torch": None if torch is None else str(torch.__version__),
            "numpy": _version("numpy"),
        },
        "platform": platform.platform(),
        "build": build,
        "cpu": {
            "instruction_set": instruction_set,
            "cores": os.cpu_count(),
            "threads": None if torch is None else torch.get_num_threads(),
        },
        "cuda": _cuda(torch),
        "ops": ops,
        "numpy": numpy,
        "problems": [*problems, *dict.fromkeys(native)],
    }


def main() -> None:
    """Print :func:`info` for a person."""
    found = info()
    build, cpu, cuda = found["build"], found["cpu"], found["cuda"]
    versions = found["versions"]
    lines = [(name, version or "not installed") for name, version in versions.items()]
    lines.append(("platform", found["platform"]))
    if build is not None:
        oldest, built_with = build["torch_oldest"], build["torch_built_with"]
        lines.append(("compiler", build["compiler"]))
        lines.append(("torch served", f"{oldest} and later (built with {built_with})"))
        sets = ", ".join(build["instruction_sets"])
        lines.append(("instruction sets", f"{sets}; here: {cpu['instruction_set'] or 'unknown'}"))
        lines.append(("CUDA kernels", _cuda_kernels(build, versions["torch"] and not cuda["torch"])))
    lines.append(("threads", f"{cpu['threads'] or 'unknown'} of {cpu['cores']} cores"))
    if versions["torch"] is not None:
        lines.append(("torch's CUDA", cuda["torch"] or "none (a CPU build)"))
        lines.append(("CUDA devices", ", ".join(cuda["devices"]) or "none"))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:<{width}}  {value}")
    print("\nops")
    names = sorted({*found["ops"], *found["numpy"]})
    width = max([len(name) for name in names], default=0)
    for name in names:
        where = [*found["ops"].get(name, ()), *(["numpy"] if name in found["numpy"] else [])]
        print(f"  {name:<{width}}  {', '.join(where)}")
    if not names:
        print("  none")
    for problem in found["problems"]:
        print(f"\n{problem}")


def _cuda_kernels(build: dict[str, Any], idle: bool) -> str:
    if not build["cuda"]:
        return "not built"
    built = f"toolkit {build['cuda']}, architectures {', '.join(build['cuda_architectures'])}"
    return f"{built}; not loaded, torch is a CPU build" if idle else built


def _build(problems: list[str]) -> dict[str, Any] | None:
    path = Path(__file__).with_name("build_info.json")
    if not path.exists():
        problems.append(not_built(path.name))
        return None
    recorded = json.loads(path.read_text())
    return {
        "compiler": recorded["compiler"],
        "instruction_sets": _listed(recorded["instruction_sets"]),
        "torch_built_with": recorded["torch_built_with"],
        "torch_oldest": recorded["torch_oldest"],
        "cuda": recorded["cuda"] or None,
        "cuda_architectures": _listed(recorded["cuda_architectures"]),
    }


def _listed(cmake_list: str) -> list[str]:
    return [entry for entry in cmake_list.split(";") if entry]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _import_torch(problems: list[str]) -> ModuleType | None:
    try:
        import torch
    except (ImportError, OSError) as error:
        problems.append(f"torch cannot be imported, so that only pruning_ext.numpy can be used: {error}")
        return None
    return torch


def _instruction_set(problems: list[str]) -> str | None:
    try:
        import pruning_ext._core as _core
    except ImportError as error:
        problems.append(f"{not_built('_core for this Python')} ({error})")
        return None
    if _core.isa_problem():
        problems.append(_core.isa_problem())
    name: str = _core.isa()
    return name


def _cuda(torch: ModuleType | None) -> dict[str, Any]:
    if torch is None:
        return {"torch": None, "devices": []}
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"torch": torch.version.cuda, "devices": devices}


def _ops(torch: ModuleType, problems: list[str]) -> dict[str, list[str]]:
    try:
        from pruning_ext.ops._native import NATIVE_OPS, has_kernel
    except ImportError as error:
        problems.append(str(error))
        return {}
    usable = {"cpu": True, "cuda": torch.version.cuda is not None}
    return {
        name: [
            device
            for device in _DEVICES
            if usable[device] and all(has_kernel(part, device) for part in parts)
        ]
        for name, parts in sorted(NATIVE_OPS.items())
    }


def _numpy_ops(problems: list[str]) -> list[str]:
    try:
        import pruning_ext.numpy as front_door
    except ImportError as error:
        problems.append(str(error))
        return []
    return [name for name in front_door.__all__ if not isinstance(getattr(front_door, name), type)]


class _CallableModule(ModuleType):
    """Importing this module binds ``pruning_ext.info`` to it, as Python does with every submodule, and that
    is the public function's name too. So the module can be called, and neither use breaks the other.
    """

    def __call__(self) -> dict[str, Any]:
        return info()


sys.modules[__name__].__class__ = _CallableModule

if __name__ == "__main__":
    main()
