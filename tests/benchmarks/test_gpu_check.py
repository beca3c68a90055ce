"""scripts/gpu_check.sh with stand-ins for python, cmake, nvcc and nvidia-smi: what it leaves and finds."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
case "$*" in
  *"import xdist"* | *"import pytest_timeout"*) exit 1 ;;
  *get_python_version*) echo 3.99 ;;
  *sys.executable*) echo python ;;
  *"gpu_small.py wgmma"*) echo "$*"; exit "${WGMMA:-0}" ;;
  *gpu_small.py*) echo "$*" ;;
  *benchmarks.gpu*) echo "{}" > "$3"; echo "given: $*" ;;
  *pytest*) echo "$*"; sleep "${TESTS:-30}" ;;
  *) exit 3 ;;
esac
"""
CMAKE = """#!/bin/sh
echo "given: $*"
"""
# A program that fails where it was to measure wgmma's rates and WGMMA is not 0.
NVCC = """#!/bin/sh
case "$*" in *FLOORS_WGMMA*) [ "${WGMMA:-0}" = 0 ] || exit 1 ;; esac
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho "{\\\\"exp2_per_second\\\\": 1}"\\n' > "$2"
chmod +x "$2"
"""


@pytest.fixture
def check(tmp_path):
    """``check(*parts, **environment)`` gives the script's status, output and the folder it filled."""
    smi = "#!/bin/sh\necho 9.0\n"
    for name, text in (("python", PYTHON), ("cmake", CMAKE), ("nvcc", NVCC), ("nvidia-smi", smi)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def run(*parts, **environment):
        out = tmp_path / "out"
        for path in out.glob("*"):
            path.unlink()  # as where a machine's folder is emptied for each call
        settings = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHON": str(tmp_path / "python"),
            "NVCC": str(tmp_path / "nvcc"),
            "WORK": str(tmp_path / "work"),
        }
        command = ["bash", str(ROOT / "scripts" / "gpu_check.sh"), str(out), *parts]
        made = subprocess.run(
            command,
            env=os.environ | settings | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return made.returncode, made.stdout + made.stderr, out

    return run


def _left(out):
    with tarfile.open(out / "results.tar.gz") as archive:
        return {
            name.removeprefix("./"): archive.extractfile(name).read().decode()
            for name in archive.getnames()
            if archive.getmember(name).isfile()
        }


def test_later_calls_find_the_floors_and_return_everything(check):
    status, said, out = check("floors")
    assert status == 0, said
    assert sorted(path.name for path in out.iterdir()) == ["results.tar.gz", "summary.txt"]
    status, said, out = check("kde", "ken")
    assert status == 0, said
    left = _left(out)
    assert {"floors.json", "floors.result", "kde.json", "kde.log", "ken.json", "ken.log"} <= set(left)
    assert "--floors" in left["kde.log"]
    lines = said.splitlines()[-3:]
    assert [line.split(" after ")[0] for line in lines] == ["floors: passed", "kde: passed", "ken: passed"]
    assert (out / "summary.txt").read_text().splitlines() == lines


def test_a_part_is_cut_off_at_the_limit_and_the_rest_is_kept(check):
    status, said, out = check("kde", "tests", "mi", LIMIT="4")
    assert status == 1
    summary = (out / "summary.txt").read_text()
    assert "kde: passed" in summary, said
    assert "tests: CUT OFF" in summary
    assert "mi: CUT OFF" in summary
    assert "kde.json" in _left(out)


def test_a_build_starts_a_new_record(check):
    check("kde")
    _, said, out = check("build")
    assert "build: FAILED" in said  # `-m pruning_ext.info` fails here
    left = _left(out)
    assert "kde.json" not in left
    assert "-DPRUNING_EXT_CUDA_ARCHITECTURES=90" in left["build.log"]
    assert "--install build/python-3.99 --component python --prefix pruning_ext" in left["build.log"]


def test_what_counts_by_wgmma_is_left_out_where_it_failed(check):
    status, said, out = check("small", "floors", "mi", "tests", WGMMA="1", TESTS="0")
    assert status == 1
    summary = (out / "summary.txt").read_text()
    assert [line.split(" after ")[0] for line in summary.splitlines()] == [
        "small: FAILED",
        "floors: FAILED",
        "tests: FAILED",
        "mi: passed",
    ]
    left = _left(out)
    assert left["small.log"].count("gpu_small.py") == 4
    assert "exp2_per_second" in left["floors.json"]  # the other rates
    assert "--without pruning_ext, wgmma" in left["mi.log"]
    assert left["tests.log"].count("-m pytest") == 1
    assert "not run: what counts by wgmma" in left["tests.log"], said
    check("build")
    _, _, out = check("mi", "tests", TESTS="0")
    left = _left(out)
    assert "--without" not in left["mi.log"]
    assert left["tests.log"].count("-m pytest") == 2


def test_binaries_must_be_there(check, tmp_path):
    status, said, _ = check("build", BINARIES=str(tmp_path / "none"))
    assert status == 1
    assert "_C_cuda.so" in said


def test_an_unknown_part_is_refused_before_anything_runs(check):
    status, said, out = check("kde", "kdf")
    assert status == 2
    assert "no part is called kdf" in said
    assert list(out.iterdir()) == []
