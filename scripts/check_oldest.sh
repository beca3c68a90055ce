#!/usr/bin/env bash
# The binaries as built, unchanged, under the oldest torch and transformers that the package admits: what the stable ABI promises.
# Downloads several gigabytes where the index has that torch only with CUDA. Usage: scripts/check_oldest.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.venv-oldest
[ -x $environment/bin/python ] || ${PYTHON:-python3} -m venv $environment
$environment/bin/python -m pip install --quiet "torch==2.10.*" "transformers==4.57.*"
$environment/bin/python scripts/requirements.py test | grep -v '^transformers' | $environment/bin/python -m pip install --quiet -r /dev/stdin
export PYTHONPATH=$PWD  # the package is not installed there: its binaries must be the ones built before
built=$(.venv/bin/python -c 'import torch; print(torch.__version__)')
$environment/bin/python - <<PYTHON
import torch, transformers, pruning_ext
print(f"built with torch $built, loaded into torch {torch.__version__}, transformers {transformers.__version__}")
PYTHON
$environment/bin/python -m pytest "${@:-tests}"
