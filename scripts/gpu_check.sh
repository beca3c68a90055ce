#!/usr/bin/env bash
# Everything that needs a GPU, on a bare machine with CUDA, torch, cmake and ninja, without a network.
# Usage: scripts/gpu_check.sh OUTDIR [PART...]      parts: build tests sanitizer benchmarks other-torch (default: the first four)
# Each part stays within ten minutes, leaves OUTDIR/<part>.log, and fails on its own; the exit status is that of all.
# Environment: PYTHON (python3), OTHER_PYTHON (an interpreter with another torch, for other-torch), MAX_JOBS.
set -uo pipefail
[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
export PRUNING_EXT_REQUIRE_CUDA=1 PYTHONPATH=.

build() {
  PRUNING_EXT_CUDA=on "$python" setup.py build_ext --inplace &&
    "$python" -m pruning_ext.info | tee "$out/info.txt" && nvidia-smi > "$out/nvidia-smi.txt"
}

tests() { timeout 600 "$python" -m pytest tests/kde tests/ken tests/mi tests/cuda -k "cuda or emul or build" -q --junitxml="$out/tests.xml"; }

# A small subset: the tools slow kernels down a hundredfold.
sanitizer() {
  local status=0
  for tool in memcheck racecheck initcheck synccheck; do
    timeout 140 compute-sanitizer --tool $tool --error-exitcode 1 "$python" scripts/gpu_small.py \
      > "$out/sanitizer-$tool.log" 2>&1 || { status=1; tail -3 "$out/sanitizer-$tool.log"; }
  done
  return $status
}

benchmarks() {
  timeout 600 "$python" benchmarks/gpu.py "$out/benchmarks.json"
}

# The binaries as built, under another torch: what the stable ABI promises.
other-torch() {
  "${OTHER_PYTHON:?names the interpreter with the other torch}" scripts/check_cuda_load.py &&
    timeout 500 "$OTHER_PYTHON" -m pytest tests/kde tests/ken -k cuda -q
}

failed=0
[ $# -gt 0 ] || set -- build tests sanitizer benchmarks
for part; do
  case $part in build | tests | sanitizer | benchmarks | other-torch) ;; *) echo "no part is called $part" >&2; exit 2 ;; esac
  echo "== $part"
  "$part" > "$out/$part.log" 2>&1 || { failed=1; echo "$part failed:"; tail -15 "$out/$part.log"; }
done
exit $failed
