"""What the compiler says of the CUDA kernels, as the build recorded it: every architecture, no spills."""

import re
import subprocess
import sysconfig

import pytest

from pruning_ext.ops._native import build_info
from tests.checkout import ROOT, skip_module_without_sources

skip_module_without_sources()
RESOURCES = ROOT / "build" / f"python-{sysconfig.get_python_version()}" / "resources"
SOURCES = sorted((ROOT / "csrc").rglob("*.cu"))

pytestmark = pytest.mark.skipif(
    not build_info()["cuda"],
    reason="built without CUDA kernels: no CUDA toolkit was found, or PRUNING_EXT_CUDA=off",
)


def reports():
    """(kernel, architecture, registers, spilled bytes) of every kernel."""
    found = []
    for path in sorted(RESOURCES.glob("*.txt")):
        # One entry: its name, then what its functions spill, then what it uses.
        for entry in re.split(r"Compiling entry function", path.read_text())[1:]:
            name, architecture = re.match(r" '(\w+)' for '(sm_\w+)'", entry).groups()
            spilled = sum(int(n) for n in re.findall(r"(\d+) bytes spill", entry))
            stack = sum(int(n) for n in re.findall(r"(\d+) bytes stack frame", entry))
            registers = int(re.search(r"Used (\d+) registers", entry).group(1))
            found.append((name, architecture, registers, spilled + stack))
    return found


@pytest.fixture(scope="module")
def kernels():
    if not RESOURCES.exists():
        pytest.skip(f"no {RESOURCES.relative_to(ROOT)}: not built here")
    return reports()


def test_every_source_is_compiled_for_every_architecture(kernels):
    wanted = {f"sm_{name}" for name in build_info()["cuda_architectures"].split(";")}
    assert {"sm_80", "sm_90", "sm_100"} <= wanted
    by_kernel = {name: set() for name, *_ in kernels}
    for name, architecture, *_ in kernels:
        by_kernel[name].add(architecture)
    only_hopper = {name for name in by_kernel if "wgmma_kernel" in name}
    assert [by_kernel.pop(name) for name in only_hopper] == [{"sm_90a"}]  # its instructions are there alone
    assert all(architectures == wanted for architectures in by_kernel.values())
    assert {path.stem for path in RESOURCES.glob("*.txt")} >= {path.stem for path in SOURCES}


def test_no_kernel_spills(kernels):
    """Neither registers to local memory nor arrays that were meant for registers."""
    assert [entry for entry in kernels if entry[3] > 0] == []


@pytest.mark.parametrize(
    ("kernel", "most"),
    [
        # With 54 KB shared: four blocks of 256 threads for rows of 4096 (csrc/ken/cuda/ken_cuda.cu).
        ("ken_kernel.*LatticeShapeILi8E", 64),
        # Two blocks of 256 threads at the least (csrc/kde).
        ("lattice_kernel", 128),
        # Three, where shared memory has room for them (csrc/kde/cuda/lattice.cu).
        ("lattice_kernel.*LatticeShapeILi8E", 80),
        ("finish_kernel", 128),
        # What a thread of three groups of warps starts with (csrc/mi/cuda/count_wgmma.cu).
        ("wgmma_kernel", 168),
        # The hot loop of the exact method wants many warps.
        ("direct_kernelI.*FastTerm", 64),
    ],
)
def test_registers_are_as_the_occupancy_needs(kernels, kernel, most):
    used = [registers for name, _, registers, _ in kernels if re.search(kernel, name)]
    assert used
    assert max(used) <= most


def test_the_library_asks_for_torch_cuda():
    """Or a CUDA torch would load it with symbols missing."""
    listed = subprocess.run(
        ["readelf", "-d", ROOT / "pruning_ext" / "_C_cuda.so"], capture_output=True, text=True, check=True
    ).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", listed)
    assert "libtorch_cuda.so" in needed
    assert not any(name.startswith("libcudart") for name in needed)  # linked statically
    assert "RUNPATH" not in listed
    assert "RPATH" not in listed
