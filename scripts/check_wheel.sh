#!/usr/bin/env bash
# A wheel where nothing can be compiled: installed into a new environment with compilers out of reach, and tested there by
# a copy of the tests without the sources. Of an sdist a wheel is made first, without CUDA unless PRUNING_EXT_CUDA says
# otherwise, and the tests are those in it. Usage: scripts/check_wheel.sh [WHEEL|SDIST [pytest arguments]]; else the newest wheel.
set -euo pipefail
cd "$(dirname "$0")/.."
given=$(realpath "${1:-$(ls -t dist/*.whl | head -n 1)}")
shift || true
python=$(realpath -s "${PYTHON:-.venv/bin/python}")
torch=$(sed -n 's/^TORCH := //p' Makefile)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
if [[ $given == *.tar.gz ]]; then
  tar -xzf "$given" -C "$place" --strip-components=1 --wildcards '*/tests' '*/pyproject.toml'
  PRUNING_EXT_CUDA=${PRUNING_EXT_CUDA:-off} "$python" -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir "$place" "$given"
  given=$(ls "$place"/*.whl)
else
  cp -r tests pyproject.toml "$place/"
fi

cd "$place"
"$python" -m venv environment
mkdir programs
for program in bash sh env cat cp ls mkdir mv nm rm sleep uname; do
  ln -s "$(command -v "$program")" programs/
done
export PATH=$place/environment/bin:$place/programs PYTHONNOUSERSITE=1
unset CC CXX CUDA_HOME CUDA_PATH PYTHONPATH
pip install --quiet --only-binary=:all: "torch==$torch"
pip install --quiet --only-binary=:all: "$given[test]"
for program in cc c++ gcc g++ clang clang++ nvcc cmake ninja make ld as; do
  ! command -v "$program" || { echo "a compiler can be reached" >&2; exit 1; }
done
echo "no compiler, linker or build tool on PATH=$PATH"

python - <<'PYTHON'
import sys
import pruning_ext
found = pruning_ext.info()
assert pruning_ext.__file__.startswith(sys.prefix), pruning_ext.__file__
assert found["build"] and found["numpy"] and not found["problems"], found
PYTHON
pruning-ext info
python -m pytest -p no:cacheprovider -m "not slow and not real" "${@:-tests}"
