"""What setup.py says to who builds without the tools, and the files of a wheel and of an sdist."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT, skip_module_without_sources

skip_module_without_sources()
SETUP = ROOT / "setup.py"
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


def run_setup(*arguments: str | Path) -> None:
    command = [sys.executable, str(SETUP), "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_has_the_package_as_it_lies_here_and_nothing_else(tmp_path: Path) -> None:
    """The stubs too, which names are read from at run time. Binaries are installed by CMake alone."""
    package = ROOT / "pruning_ext"
    here = {path.relative_to(ROOT) for path in package.rglob("*") if path.is_file()}
    sources = {path for path in here if "__pycache__" not in path.parts and path.suffix != ".so"}
    sources.discard(Path("pruning_ext/build_info.json"))
    assert {Path(f"pruning_ext/{name}") for name in ("py.typed", "__init__.pyi")} < sources

    for left_over in ("moved_since.py", "_C_cuda.so"):  # by an earlier build
        (tmp_path / "pruning_ext").mkdir(exist_ok=True)
        (tmp_path / "pruning_ext" / left_over).touch()
    run_setup("build_py", "--build-lib", tmp_path)
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == sources


def test_an_sdist_has_all_that_is_committed(tmp_path: Path) -> None:
    """But what is about the repository alone."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT)
    if listed.returncode != 0:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    of_the_repository = (".ci/", ".gitignore", ".pre-commit-config.yaml")
    committed = {name for name in listed.stdout.splitlines() if not name.startswith(of_the_repository)}
    run_setup("egg_info", "--egg-base", tmp_path)
    packed = set((tmp_path / "pruning_ext.egg-info" / "SOURCES.txt").read_text().splitlines())
    assert {name for name in committed - packed if (ROOT / name).exists()} == set()
