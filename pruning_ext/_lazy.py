"""Packages whose names are imported at first use: type checkers and Python read them from one stub."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

Names = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def _exported(module: Path) -> list[str]:
    """The names in a module's ``__all__``, a plain list, from its text: importing or parsing takes longer."""
    found = re.search(r"^__all__ = (\[[^]]*\])", module.with_suffix(".py").read_text(encoding="utf-8"), re.M)
    if found is None:
        raise ImportError(f"{module}.py has no __all__")
    return list(ast.literal_eval(found[1]))


def names_from_stub(package: str, file: str) -> Names:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package, from the imports in its ``__init__.pyi``."""
    homes: dict[str, tuple[str, str]] = {}
    for node in ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        module = str(node.module)
        for alias in node.names:
            if alias.name == "*":
                parts = module.removeprefix(f"{package}.").split(".")
                homes |= {name: (module, name) for name in _exported(Path(file).parent.joinpath(*parts))}
            else:
                homes[alias.asname or alias.name] = (module, alias.name)

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = homes[name]
        found = getattr(importlib.import_module(module), attribute)
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
