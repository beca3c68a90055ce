"""The sources around the tests, and a compiler. Beside an installed package neither need be there."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (ROOT / "setup.py").exists()
WITHOUT_SOURCES = "it is about the sources, and here are the tests alone"

needs_sources = pytest.mark.skipif(not SOURCES, reason=WITHOUT_SOURCES)
# Beside the sources a missing compiler is an error: how was the package built?
needs_compiler = pytest.mark.skipif(
    not SOURCES and not shutil.which(os.environ.get("CXX", "g++")),
    reason="it compiles, and here is no compiler",
)


def skip_module_without_sources() -> None:
    """For the top of a module that is about the sources altogether."""
    if not SOURCES:
        pytest.skip(WITHOUT_SOURCES, allow_module_level=True)
