"""Rules of the house that no compiler sees: what may include what, and what may be linked into what."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import pruning_ext
from tests.checkout import ROOT, needs_sources

PACKAGE = Path(pruning_ext.__file__).resolve().parent
NATIVE = sorted(path for path in (ROOT / "csrc").rglob("*") if path.suffix in {".h", ".cpp", ".cu", ".cuh"})
BINDINGS = ROOT / "csrc" / "bindings"  # the only folder that may know torch or Python
TORCH_FREE = [path for path in NATIVE if not path.is_relative_to(BINDINGS)]
INCLUDE = r'^\s*#\s*include\s*[<"]'
FOREIGN = re.compile(INCLUDE + r'((?:torch|ATen|c10|caffe2|pybind11|Python|numpy)\b[^>"]*)', re.MULTILINE)


def _name(path):
    return path.relative_to(PACKAGE.parent if path.is_relative_to(PACKAGE) else ROOT).as_posix()


def _run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@needs_sources
def test_there_are_kernels():
    """That the tests below look at anything."""
    names = {_name(path) for path in TORCH_FREE}
    assert {"csrc/kde/cpu/kde_cpu.cpp", "csrc/kde/cpu/kde_kernels.cpp", "csrc/ken/cpu/ken_cpu.cpp"} <= names
    assert any(FOREIGN.search(path.read_text()) for path in NATIVE)


@pytest.mark.parametrize("path", TORCH_FREE, ids=_name)
def test_kernels_know_nothing_of_torch(path):
    assert FOREIGN.findall(path.read_text()) == []


@pytest.mark.parametrize("path", TORCH_FREE, ids=_name)
def test_kernels_include_no_binding(path):
    """Neither torch nor Python by the back door."""
    included = re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.MULTILINE)
    assert [name for name in included if name.startswith("bindings/")] == []


def test_op_libraries_use_the_stable_abi_alone():
    beside = str(Path(sys.executable).parent)
    audit = shutil.which("torch-abi-audit", path=beside) or shutil.which("torch-abi-audit")
    assert audit, "torch-abi-audit is missing; install the extra `test`"
    if shutil.which("nm") is None:
        pytest.skip("no nm here: binutils is not installed")
    libraries = [path for path in (PACKAGE / "_C.so", PACKAGE / "_C_cuda.so") if path.exists()]
    assert libraries
    for library in libraries:
        run = _run(audit, "--check", "torch", str(library))
        assert run.returncode == 0, run.stdout + run.stderr
        assert re.search(r"Torch ABI:\s+STABLE", run.stdout), run.stdout


def test_wider_instruction_sets_export_no_weak_symbol():
    """A weak symbol, as an inline function of ``std``, is linked once: AVX-512 code would run everywhere."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm here: binutils is not installed")
    folder = f"python-{sysconfig.get_python_version()}"
    objects = sorted((ROOT / "build" / folder / "CMakeFiles").glob("pruning_ext_kernels_avx*.dir/**/*.o"))
    if not objects:
        pytest.skip(f"no object files under build/{folder}: not built here, or not for x86-64")
    assert {re.search(r"kernels_(\w+)\.dir", str(path)).group(1) for path in objects} == {"avx2", "avx512"}
    weak = []
    for path in objects:
        run = _run(nm, "-C", str(path))
        assert " T " in run.stdout, f"{path} defines nothing"
        lines = run.stdout.splitlines()
        weak += [f"{_name(path)}: {line}" for line in lines if re.match(r"[0-9a-f]+ [WVu] ", line)]
    assert weak == []


@needs_sources
def test_files_are_short():
    """A second idea is a second file."""
    kinds = ("*.py", "*.h", "*.cpp", "*.cu", "*.cuh", "*.cmake", "*CMakeLists.txt")
    listed = _run("git", "ls-files", *kinds)
    if listed.returncode != 0:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    paths = [ROOT / name for name in listed.stdout.split()]
    assert len(paths) > 20
    lengths = {_name(path): path.read_text().count("\n") for path in paths if path.exists()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_numpy_front_door_does_not_import_torch():
    run = _run(sys.executable, "-c", "import sys, pruning_ext.numpy; print('torch' in sys.modules)")
    assert run.stdout.strip() == "False", run.stderr


def test_numpy_front_door_works_without_torch():
    """As on a machine that has none: any import of it would fail."""
    command = """
import sys
sys.modules["torch"] = None
import numpy as np
from pruning_ext.numpy import gaussian_kde, ken_mask
rows = np.random.default_rng(0).standard_normal((3, 50))
assert (ken_mask(rows, 7).sum(1) == 7).all()
assert gaussian_kde(rows, rows).shape == (3, 50)
"""
    run = _run(sys.executable, "-c", command)
    assert run.returncode == 0, run.stderr


def test_nothing_is_left_undone():
    """No mark of unfinished work in what is shipped."""
    marks = re.compile("TO" + "DO|FIX" + "ME|X" + "XX|NotImplemented" + "Error")
    shipped = [*NATIVE, *PACKAGE.rglob("*.py")]
    assert {_name(path): found for path in shipped if (found := marks.findall(path.read_text()))} == {}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=_name)
def test_the_oldest_python_can_read_it(path):
    """pyproject.toml promises 3.10; the suite may run under a later one."""
    ast.parse(path.read_text(), filename=str(path), feature_version=(3, 10))
