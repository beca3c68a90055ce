"""The version, the compiled core, and the message for a native part that is missing."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

__version__ = "0.1.0"  # as pyproject.toml has it

PACKAGE = Path(__file__).resolve().parent


def not_built(missing: str) -> str:
    """The message for the part ``missing``, with the remedy."""
    if (PACKAGE.parent / "setup.py").exists():  # the sources come before what is installed, from their folder
        return (
            f"pruning_ext is imported from its sources in {PACKAGE.parent}, where it is not built: start "
            "Python in another folder, or build it there with `pip install --no-build-isolation -e .`"
        )
    remedy = "install it with `pip install --no-build-isolation .`"
    return f"pruning_ext is not built: {missing} is missing; {remedy}"


@cache
def native() -> ModuleType:
    """The compiled core; at its first use a warning, if the instruction set asked for is not known."""
    try:
        import pruning_ext._core as _core
    except ImportError as error:
        raise ImportError(f"{not_built('_core for this Python')} ({error})") from error
    if _core.isa_problem():
        warnings.warn(_core.isa_problem(), RuntimeWarning, stacklevel=2)
    return _core
