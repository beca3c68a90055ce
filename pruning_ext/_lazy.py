"""Packages whose names are imported at first use: type checkers and Python read them from one stub."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
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
        return vars(sys.modules[package]).setdefault(name, found)

    class Package(ModuleType):
        """A package whose public names stay what they are when a submodule of the same name is imported."""

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in homes or not isinstance(value, ModuleType) or callable(value):
                super().__setattr__(name, value)

    sys.modules[package].__class__ = Package

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return __getattr__, __dir__, list(homes)
