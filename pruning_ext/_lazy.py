"""Packages whose names are imported at first use: type checkers and Python read them from one stub."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Names = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def names_from_stub(package: str, file: str) -> Names:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package, from the imports in its ``__init__.pyi``."""
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    homes = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = homes[name]
        found = getattr(importlib.import_module(str(module)), attribute)
        # A submodule that was imported on the way is bound by then, if it has this name.
        return vars(sys.modules[package]).setdefault(name, found)

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return __getattr__, __dir__, list(homes)
