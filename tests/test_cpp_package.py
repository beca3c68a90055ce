"""The C++ package as a user meets it: installed to a prefix, found by five lines of CMake, built, run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pruning_ext.numpy import gaussian_kde, ken_mask, mutual_information
from tests.checkout import ROOT, skip_module_without_sources

skip_module_without_sources()
EXAMPLE = ROOT / "examples" / "cpp"
HEADERS = {
    "common/cpu_isa.h",
    "common/matrix.h",
    "common/parallel.h",
    "common/standard_arithmetic.h",
    "common/status.h",
    "common/threads.h",
    "kde/kde.h",
    "ken/ken.h",
    "mi/mi.h",
}


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Standard output of a command, or a failure that shows everything it printed."""
    beside_python = (
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # a venv's cmake and ninja
    )
    tool = shutil.which(str(command[0]), path=beside_python)
    assert tool, f"{command[0]} is not installed; the native build needs it"
    done = subprocess.run(
        [tool, *map(str, command[1:])],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": beside_python, **(env or {})},
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core, built by itself and installed. Its build folder stays: a second run compiles what changed."""
    build = ROOT / "build" / "core"
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "--build", build)
    run("cmake", "--install", build, "--component", "core", "--prefix", prefix)
    return prefix


@pytest.mark.parametrize("option", ["", "-DPRUNING_EXT_WERROR=ON"])
def test_a_warning_is_an_error_only_where_asked(option: str, tmp_path: Path) -> None:
    """A user's compiler may know warnings that ours does not; it must still give a package."""
    run(
        "cmake",
        "-S",
        ROOT,
        "-B",
        tmp_path,
        "-G",
        "Ninja",
        "-DPRUNING_EXT_TESTS=ON",
        *([option] if option else []),
    )
    commands = (tmp_path / "compile_commands.json").read_text()
    assert "-Wconversion" in commands
    assert ("-Werror" in commands) == bool(option)


@pytest.fixture(scope="module")
def example(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's program, built against nothing but the prefix, under a user's strict warnings."""
    build = tmp_path_factory.mktemp("example")
    flags = "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror"
    run("cmake", "-S", EXAMPLE, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", flags)
    run("cmake", "--build", build)
    return build / "score_rows"


@dataclass(frozen=True)
class Printed:
    """What the example says of its weights ``[R, N]``."""

    weight: np.ndarray
    density: np.ndarray
    mask: np.ndarray
    k: int
    isa: str
    bins: int
    information: np.ndarray  # [R, R]


def scores(printed: str) -> Printed:
    entries, pairs = printed.split("\n\n")
    head = re.match(r"# (\d+) rows of (\d+), k = (\d+), instruction set (\w+)\n", entries)
    assert head, printed[:200]
    shape = int(head[1]), int(head[2])
    table = np.loadtxt(entries.splitlines()[2:])
    assert (table[:, 0] == np.repeat(np.arange(shape[0]), shape[1])).all()
    weight, density = (table[:, column].astype(np.float32).reshape(shape) for column in (1, 2))
    mask = table[:, 3].astype(bool).reshape(shape)
    title, *rows = pairs.splitlines()
    bins = re.fullmatch(r"mutual information of the rows in nats, (\d+) bins", title)
    assert bins, title
    information = np.loadtxt(rows).astype(np.float32)
    return Printed(weight, density, mask, int(head[3]), head[4], int(bins[1]), information)


def test_the_example_is_five_lines_of_cmake():
    lines = [line for line in (EXAMPLE / "CMakeLists.txt").read_text().splitlines() if line.strip()]
    assert len(lines) == 5, lines


def test_the_example_prints_what_python_computes(example):
    found = scores(run(example))
    assert np.isfinite(found.weight).all()
    assert found.weight.std() > 0
    np.testing.assert_array_equal(found.density, gaussian_kde(found.weight, found.weight))
    np.testing.assert_array_equal(found.mask, ken_mask(found.weight, found.k))
    assert (found.mask.sum(1) == found.k).all()
    np.testing.assert_array_equal(found.information, mutual_information(found.weight.T, bins=found.bins))
    np.testing.assert_allclose(found.information.diagonal(), np.log(found.bins), rtol=1e-6)  # equal counts


def test_every_instruction_set_is_in_the_archive(example):
    """Each finds the same mask and information, and the same densities within the method's bound."""
    best = scores(run(example))
    seen = []
    for isa in ("baseline", "avx2", "avx512"):
        other = scores(run(example, env={"PRUNING_EXT_ISA": isa}))
        seen.append(other.isa)
        np.testing.assert_array_equal(other.weight, best.weight)
        np.testing.assert_array_equal(other.mask, best.mask)
        np.testing.assert_allclose(other.density, best.density, rtol=2e-5)
        np.testing.assert_allclose(other.information, best.information, rtol=1e-6)
    assert seen[0] == "baseline"  # what this CPU lacks falls to the next that it has
    assert seen[-1] == best.isa


def test_the_prefix_holds_the_package_and_nothing_else(prefix):
    found = {path.relative_to(prefix) for path in prefix.rglob("*") if path.is_file()}
    headers = {path for path in found if path.parts[0] == "include"}
    assert {path.relative_to("include/pruning_ext").as_posix() for path in headers} == HEADERS
    archives = {path for path in found if path.suffix == ".a"}
    assert [path.name for path in archives] == ["libpruning_ext_core.a"]
    config = {path for path in found if path.parent.name == "pruning_ext" and path.suffix == ".cmake"}
    assert {path.name for path in config} == {
        "pruning_ext-config.cmake",
        "pruning_ext-config-version.cmake",
        "pruning_ext-targets.cmake",
        "pruning_ext-targets-release.cmake",
    }
    assert found == headers | archives | config


def test_the_package_can_be_moved(prefix):
    """No file names the folder it was built in, or the one it was installed to."""
    for path in prefix.rglob("*.cmake"):
        text = path.read_text()
        assert str(ROOT) not in text, path
        assert str(prefix) not in text, path


@pytest.mark.parametrize("header", sorted(HEADERS))
def test_each_header_stands_alone_without_torch_or_python(prefix, tmp_path, header):
    """It compiles by itself from the prefix, included as a user does, and includes nothing foreign."""
    source = tmp_path / "alone.cpp"
    source.write_text(f"#include <pruning_ext/{header}>\n")
    include = prefix / "include"
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{include}", f"-I{include / 'pruning_ext'}"]
    listed = run("c++", *flags, "-M", source)
    assert str(include / "pruning_ext" / header) in listed
    assert not re.search(r"torch|Python\.h|pybind11", listed)
    run("c++", *flags, "-fsyntax-only", source)


def test_another_version_is_refused(prefix, tmp_path):
    """A project that asks for a later minor version is told so by CMake."""
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.24)\nproject(later CXX)\nfind_package(pruning_ext 0.99 REQUIRED)\n"
    )
    with pytest.raises(AssertionError, match=r"requested version\s+\"0\.99\""):
        run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
