#!/usr/bin/env bash
# Loads the binaries as built into CUDA builds of torch, with or without a GPU: every symbol must be found, every op must
# have its CUDA kernel. Downloads some gigabytes for each version, once. Usage: scripts/check_cuda_load.sh [VERSION...]
set -euo pipefail
cd "$(dirname "$0")/.."
[ -e pruning_ext/_C_cuda.so ] || { echo "pruning_ext is built without CUDA kernels; build it with PRUNING_EXT_CUDA=on" >&2; exit 1; }
for version in "${@:-2.14.1}"; do
  environment=.venv-cuda-$version
  [ -x "$environment/bin/python" ] || "${PYTHON:-.venv/bin/python}" -m venv "$environment"
  "$environment/bin/python" -m pip install --quiet "torch==$version" numpy tqdm PyYAML safetensors
  # Without lazy binding a symbol that is missing anywhere fails here, not at its first use.
  LD_BIND_NOW=1 PYTHONPATH=. "$environment/bin/python" scripts/check_cuda_load.py
done
