"""Who builds without the tools is told which, in one sentence, before anything fails for want of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[1] / "setup.py"
RUN = "import runpy, sys; sys.argv = ['setup.py', '--version']; runpy.run_path({!r}, run_name='__main__')"


def build(prelude: str = "pass", **environment: str) -> subprocess.CompletedProcess[str]:
    """What setup.py says in an interpreter that has run ``prelude``."""
    code = f"{prelude}\n{RUN.format(str(SETUP))}"
    given = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=given, cwd=SETUP.parent
    )


@pytest.mark.parametrize(
    ("prelude", "lacks"),
    [
        ("import sys; sys.modules['torch'] = None", "torch"),
        ("import sys; sys.modules['torch'] = sys.modules['pybind11'] = None", "torch, pybind11"),
        ("import setuptools; setuptools.__version__ = '65.5.0'", "setuptools>=77"),
    ],
)
def test_what_is_missing_is_named_with_the_remedy(prelude: str, lacks: str) -> None:
    done = build(prelude)
    assert done.returncode == 1
    first, *remedy = done.stderr.splitlines()
    assert first == f"pruning_ext is built with what this environment has, which lacks {lacks}:"
    assert [line.strip() for line in remedy] == [
        'pip install torch pybind11 ninja cmake "setuptools>=77"',
        "pip install --no-build-isolation .",
    ]


def test_tools_are_looked_for_in_the_environment_too(tmp_path: Path) -> None:
    """It need not have been activated: pip has a path of its own."""
    for name in ("cmake", "ninja"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    scripts = "import sysconfig; sysconfig.get_path = lambda name: {!r}"
    found = build(scripts.format(str(tmp_path)), PATH="")
    assert found.returncode == 0, found.stderr
    lost = build(scripts.format(str(tmp_path / "none")), PATH="")
    assert "which lacks ninja, cmake:" in lost.stderr
