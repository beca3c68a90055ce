"""What to say where the native parts are missing; it needs none of them."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def not_built(missing: str) -> str:
    """The sentence on the part ``missing``, with the remedy."""
    if (PACKAGE.parent / "setup.py").exists():  # the sources come before what is installed, from their folder
        return (
            f"pruning_ext is imported from its sources in {PACKAGE.parent}, where it is not built: start "
            "Python in another folder, or build it there with `pip install --no-build-isolation -e .`"
        )
    remedy = "install it with `pip install --no-build-isolation .`"
    return f"pruning_ext is not built: {missing} is missing; {remedy}"
