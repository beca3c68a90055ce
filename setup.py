"""Drives CMake, which describes the native build; the metadata is in pyproject.toml."""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, __version__, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# Tools of this environment, whether or not it has been activated.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])


def missing_tools() -> list[str]:
    """What the build needs of this environment and does not find, as pip names it."""
    missing = [name for name in ("torch", "pybind11") if find_spec(name) is None]
    missing += [name for name in ("ninja", "cmake") if shutil.which(name) is None]
    if int(__version__.partition(".")[0]) < 77:  # older ones do not know a licence by its name
        missing.append("setuptools>=77")
    return missing


# Here, before setup() reads pyproject.toml: an old setuptools stumbles over that, and CMake without torch
# buries the reason under a traceback.
if missing_tools():
    raise SystemExit(
        "pruning_ext is built with what this environment has, which lacks "
        f"{', '.join(missing_tools())}:\n"
        '  pip install torch pybind11 ninja cmake "setuptools>=77"\n'
        "  pip install --no-build-isolation ."
    )


class FreshBuild(build_py):
    """Copies the Python files into an empty folder: all that lies there becomes the wheel."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib) / "pruning_ext", ignore_errors=True)
        super().run()


class CMakeBuild(build_ext):
    """Builds the op libraries and installs them into the package's folder; for a wheel, stripped.

    PRUNING_EXT_CUDA (auto, on, off) and CMAKE_ARGS are handed on; MAX_JOBS limits parallel compilation.
    """

    def run(self) -> None:
        build = ROOT / "build" / f"python-{sys.version_info.major}.{sys.version_info.minor}"
        in_place = self.editable_mode or self.inplace
        package = ROOT / "pruning_ext" if in_place else Path(self.build_lib) / "pruning_ext"
        configure = [
            f"-DPython_EXECUTABLE={sys.executable}",
            "-DPRUNING_EXT_PYTHON=ON",
            f"-DPRUNING_EXT_CUDA={os.environ.get('PRUNING_EXT_CUDA', 'auto')}",
            *os.environ.get("CMAKE_ARGS", "").split(),
        ]
        jobs = os.environ.get("MAX_JOBS", str(os.cpu_count() or 1))
        cmake = ["cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja", *configure]
        subprocess.run(cmake, check=True)
        subprocess.run(["cmake", "--build", str(build), "-j", jobs], check=True)
        install = [
            "cmake",
            "--install",
            str(build),
            "--component",
            "python",
            "--prefix",
            str(package.resolve()),
            *([] if in_place else ["--strip"]),
        ]
        subprocess.run(install, check=True)

    def get_outputs(self) -> list[str]:
        return []


# One named extension makes the wheel a platform wheel; CMake decides what is built.
setup(
    ext_modules=[Extension("pruning_ext._core", sources=[])],
    cmdclass={"build_py": FreshBuild, "build_ext": CMakeBuild},
)
