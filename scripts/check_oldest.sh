#!/usr/bin/env bash
# The oldest torch and transformers that the package admits. First, that the bindings compile with that torch's headers, which
# include less of each other than later ones do; the CUDA bindings too where a toolkit is found (CUDA_HOME), without a GPU.
# Then the binaries as built, unchanged, under it: what the stable ABI promises.
# Downloads several gigabytes where the index has that torch only with CUDA. Usage: scripts/check_oldest.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.venv-oldest
[ -x $environment/bin/python ] || ${PYTHON:-python3} -m venv $environment
$environment/bin/python -m pip install --quiet "torch==2.10.*" "transformers==4.57.*"
$environment/bin/python scripts/requirements.py test | grep -v '^transformers' | $environment/bin/python -m pip install --quiet -r /dev/stdin

include=$($environment/bin/python -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "include"))')
cuda=${CUDA_HOME:-/usr/local/cuda}
for source in csrc/bindings/torch/*.cpp; do
  flags=(-std=c++20 -fsyntax-only -fvisibility=hidden -Wall -Wextra -Werror -I csrc -isystem "$include")
  flags+=(-D TORCH_TARGET_VERSION=0x020a000000000000ULL)
  if [[ $source == *_op_cuda.cpp ]]; then
    [ -e "$cuda/include/cuda_runtime.h" ] || { echo "$source not compiled: no CUDA toolkit under $cuda"; continue; }
    flags+=(-D USE_CUDA -isystem "$cuda/include")
  fi
  "${CXX:-c++}" "${flags[@]}" "$source"
  echo "$source compiles with the oldest headers"
done

export PYTHONPATH=$PWD  # the package is not installed there: its binaries must be the ones built before
built=$(.venv/bin/python -c 'import torch; print(torch.__version__)')
$environment/bin/python - <<PYTHON
import torch, transformers, pruning_ext
print(f"built with torch $built, loaded into torch {torch.__version__}, transformers {transformers.__version__}")
PYTHON
$environment/bin/python -m pytest "${@:-tests}"
