"""What ``info`` says is true, whichever way it is called, and it says what is missing instead of failing."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pruning_ext
from pruning_ext import _core, ops
from pruning_ext.ops import _native
from tests.checkout import ROOT, needs_sources

PACKAGE = Path(pruning_ext.__file__).resolve().parent


def python(*arguments: str, **kwargs) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **kwargs)


def test_it_agrees_with_the_machine():
    found = pruning_ext.info()
    assert json.loads(json.dumps(found)) == found
    assert found["versions"] == {
        "pruning_ext": pruning_ext.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "torch": torch.__version__,
        "numpy": importlib.import_module("numpy").__version__,
    }
    assert found["cpu"] == {
        "instruction_set": _core.isa(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    assert _core.isa() in found["build"]["instruction_sets"]
    assert found["cuda"]["torch"] == torch.version.cuda
    assert len(found["cuda"]["devices"]) == torch.cuda.device_count()
    assert found["problems"] == []


def test_every_public_function_is_listed_with_where_it_runs():
    found = pruning_ext.info()
    assert set(found["ops"]) == set(ops.__all__) - {"TopK"}
    made_of = _native.NATIVE_OPS
    for name, devices in found["ops"].items():
        assert devices[0] == "cpu"
        has_kernels = not made_of[name] or not _native.cuda_problem  # plain PyTorch needs none
        assert ("cuda" in devices) == (torch.version.cuda is not None and has_kernels)
    front = importlib.import_module("pruning_ext.numpy")
    assert set(found["numpy"]) == set(front.__all__) - {"TopK"}
    assert set(found["numpy"]) < set(found["ops"])


@needs_sources
def test_what_functions_are_made_of_are_the_native_ops():
    registered = [name.partition("::") for name in torch._C._dispatch_get_all_op_names()]
    native = {name.partition(".")[0] for space, _, name in registered if space == "pruning_ext"}
    assert len(native) >= 4
    made_of = _native.NATIVE_OPS.values()
    assert {part for parts in made_of for part in parts} == {name for name in native if name[0] != "_"}


def test_a_function_runs_where_all_that_it_is_made_of_does(monkeypatch):
    monkeypatch.setattr(_native, "has_kernel", lambda op, device: op != "encode")
    found = pruning_ext.info()["ops"]
    assert [name for name, devices in found.items() if not devices] == ["MutualInformation", "discretize"]


def test_the_environment_lowers_the_instruction_set():
    code = "import pruning_ext; print(pruning_ext.info()['cpu']['instruction_set'])"
    assert python("-c", code, env={**os.environ, "PRUNING_EXT_ISA": "baseline"}).stdout == "baseline\n"


@pytest.mark.parametrize("wanted", ["AVX2", "avx-512", "0"])
@pytest.mark.parametrize(
    "use",
    [
        "pruning_ext.ken_mask(torch.zeros(1, 2), 1); pruning_ext.ken_mask(torch.zeros(1, 2), 1)",
        "front.ken_mask(numpy.zeros((1, 2)), 1); front.ken_mask(numpy.zeros((1, 2)), 1)",
    ],
)
def test_an_unknown_instruction_set_is_no_secret(wanted, use):
    imports = "import pruning_ext, pruning_ext.numpy as front, numpy, torch"
    code = f"{imports}; {use}; print(*pruning_ext.info()['problems'])"
    done = python("-c", code, env={**os.environ, "PRUNING_EXT_ISA": wanted})
    assert done.returncode == 0, done.stderr
    sentence = (
        f"PRUNING_EXT_ISA is '{wanted}' and is ignored ({_core.isa()} is used): set it to baseline, avx2 or "
        "avx512, or unset it"
    )
    assert done.stdout == f"{sentence}\n"
    assert done.stderr.count(f"RuntimeWarning: {sentence}") == 1


@pytest.mark.parametrize("wanted", ["baseline", "avx2", "avx512", ""])
def test_a_known_instruction_set_is_no_problem(wanted):
    code = "import pruning_ext; pruning_ext.ken_mask; print(pruning_ext.info()['problems'])"
    done = python("-W", "error", "-c", code, env={**os.environ, "PRUNING_EXT_ISA": wanted})
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.skipif(torch.version.cuda is not None, reason="torch is a CUDA build, which loads the kernels")
@pytest.mark.skipif(not _native.build_info()["cuda"], reason="built without CUDA kernels")
def test_kernels_that_this_torch_cannot_load_are_said_to_be_idle():
    (line,) = re.findall(r"CUDA kernels .*", python("-m", "pruning_ext.info").stdout)
    assert line.endswith("; not loaded, torch is a CPU build")


def test_as_a_program_it_prints_every_op_and_warns_of_nothing():
    done = python("-W", "error", "-m", "pruning_ext.info")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = pruning_ext.info()
    for word in (pruning_ext.__version__, torch.__version__, _core.isa(), *found["ops"], *found["numpy"]):
        assert word in done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import pruning_ext; pruning_ext.info()",
        "from pruning_ext import info; info()",
        "import pruning_ext, pruning_ext.info; pruning_ext.info(); pruning_ext.info.info()",
        "from pruning_ext.info import main; import pruning_ext; pruning_ext.info()",
        "import pruning_ext; pruning_ext.info(); from pruning_ext.info import main, info; info()",
    ],
)
def test_function_and_module_of_one_name_do_not_hide_each_other(code):
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_not_built_says_so(tmp_path):
    copy = tmp_path / "pruning_ext"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "build_info.json", "__pycache__"))
    # Isolated and without site's hooks, an editable install cannot lend its own binaries to the copy.
    code = (
        "import sys, json; sys.path[:0] = json.loads(sys.argv[1]); sys.meta_path[:] = "
        "[f for f in sys.meta_path if 'editable' not in repr(f).lower()]; "
        "import pruning_ext; print(pruning_ext.__file__); print(json.dumps(pruning_ext.info()))"
    )
    done = python("-c", code, json.dumps([str(tmp_path), *[path for path in sys.path if path]]), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    where, said = done.stdout.splitlines()
    assert Path(where).parent == copy
    found = json.loads(said)
    assert found["build"] is None
    assert found["ops"] == {}
    assert found["numpy"] == []
    assert found["cpu"]["instruction_set"] is None
    remedy = "install it with `pip install --no-build-isolation .`"
    assert found["problems"] == [f"pruning_ext is not built: build_info.json is missing; {remedy}"]

    (tmp_path / "setup.py").touch()  # as in the sources, whose folder hides what is installed
    done = python("-c", code, json.dumps([str(tmp_path), *[path for path in sys.path if path]]), cwd=tmp_path)
    (problem,) = json.loads(done.stdout.splitlines()[1])["problems"]
    assert "start Python in another folder" in problem


def test_public_names_exist_and_type_checkers_see_the_same():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    nodes = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.asname for node in nodes for alias in node.names if alias.name != "*"}
    for node in nodes:
        if node.names[0].name == "*":
            seen |= set(importlib.import_module(node.module).__all__)
    assert seen == set(pruning_ext.__all__)
    assert set(ops.__all__) - {"TopK"} <= seen
    assert set(pruning_ext.__all__) <= set(dir(pruning_ext))
    for name in pruning_ext.__all__:
        assert getattr(pruning_ext, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'kde'"):
        _ = pruning_ext.kde


def test_a_configuration_of_any_method_can_be_read_by_the_public_name_alone():
    code = (
        "from pruning_ext import PruneConfig; "
        "print(*(type(PruneConfig.from_dict(given)).__name__ for given in "
        "({'method': 'ken', 'k': 3}, {'method': 'mi', 'ratio': 0.5})))"
    )
    done = python("-c", code)
    assert (done.stdout, done.stderr) == ("KENConfig MIConfig\n", "")


@needs_sources
def test_the_version_stands_in_one_piece():
    metadata = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{pruning_ext.__version__}"\n' in metadata
    assert _native.build_info()["version"] == pruning_ext.__version__
