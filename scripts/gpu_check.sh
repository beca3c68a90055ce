#!/usr/bin/env bash
# Everything that needs a GPU, on a bare machine with CUDA, torch, cmake and ninja, without a network.
# Usage: scripts/gpu_check.sh OUTDIR [PART...]
# Parts, in this order by default: build floors tests sanitizer kde ken mi pruners. On request: other-torch, dry.
#   build        the package, in place; what was built, the GPU, the driver
#   floors       benchmarks/floors.cu: what this GPU can do at most (floors.json)
#   tests        the CUDA half of the tests; a missing device is a failure
#   sanitizer    compute-sanitizer's four tools on every kernel once
#   kde ken mi pruners   benchmarks/gpu.py (<part>.json), beside the floors where floors.json is there
#   other-torch  BINARIES, a folder with _C.so, _C_cuda.so and build_info.json built with another torch, in a copy of the package
#   dry          without a GPU: that the scripts parse and the benchmarks run, at tiny sizes on the CPU
# Each part stays within ten minutes, leaves OUTDIR/<part>.log, and fails on its own; the exit status is that of all.
# Environment: PYTHON (python3), MAX_JOBS, NVCC (nvcc), CUDA_ARCHITECTURES (this GPU's), BINARIES.
set -uo pipefail
[ $# -ge 1 ] || { sed -n '2,12s/^# //p' "$0" >&2; exit 2; }
out=$(mkdir -p "$1" && cd "$1" && pwd) || exit 2
shift
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
export PYTHONPATH=. PYTHONUNBUFFERED=1

# 9.0 -> 90
capability() { nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '. '; }

build() {
  # Only what this GPU runs: a third of the time.
  local architectures=${CUDA_ARCHITECTURES:-$(capability)}
  nvidia-smi > "$out/nvidia-smi.txt"
  CMAKE_ARGS="-DPRUNING_EXT_CUDA_ARCHITECTURES=$architectures ${CMAKE_ARGS:-}" PRUNING_EXT_CUDA=on \
    timeout 590 "$python" setup.py build_ext --inplace && "$python" -m pruning_ext.info | tee "$out/info.txt"
}

floors() {
  local architecture flags=()
  architecture=$(capability)
  [ "$architecture" = 90 ] && architecture=90a flags=(-DFLOORS_WGMMA)
  "${NVCC:-nvcc}" -O3 -std=c++20 "${flags[@]}" -gencode="arch=compute_$architecture,code=sm_$architecture" \
    -o "$out/floors.bin" benchmarks/floors.cu && timeout 120 "$out/floors.bin" > "$out/floors.json.part" &&
    mv "$out/floors.json.part" "$out/floors.json" && cat "$out/floors.json"
  local status=$?
  rm -f "$out/floors.bin"
  return $status
}

tests() {
  PRUNING_EXT_REQUIRE_CUDA=1 timeout 590 "$python" -m pytest tests/kde tests/ken tests/mi tests/cuda/test_variants.py \
    -k cuda -q -p no:cacheprovider --junitxml="$out/tests.xml"
}

# A small subset: the tools slow kernels down a hundredfold.
sanitizer() {
  local status=0 tool
  for tool in memcheck racecheck initcheck synccheck; do
    timeout 140 compute-sanitizer --tool $tool --error-exitcode 1 "$python" scripts/gpu_small.py \
      > "$out/sanitizer-$tool.log" 2>&1 || { status=1; echo "$tool:"; tail -8 "$out/sanitizer-$tool.log"; }
  done
  return $status
}

benchmark() {
  local floors=()
  [ -e "$out/floors.json" ] && floors=(--floors "$out/floors.json")
  timeout 590 "$python" -m benchmarks.gpu "$out/$1.json" "$1" "${floors[@]}"
}
kde() { benchmark kde; }
ken() { benchmark ken; }
mi() { benchmark mi; }
pruners() { benchmark pruners; }

# What the stable ABI promises: the op libraries as built with another torch. _core is this Python's own.
other-torch() {
  local copy status
  copy=$(mktemp -d)
  cp -r pruning_ext tests examples benchmarks scripts pyproject.toml "$copy" &&
    cp "${BINARIES:?names a folder with the other _C.so, _C_cuda.so and build_info.json}"/{_C.so,_C_cuda.so,build_info.json} \
      "$copy/pruning_ext" &&
    (cd "$copy" && LD_BIND_NOW=1 "$python" scripts/check_cuda_load.py && "$python" scripts/gpu_small.py &&
      PRUNING_EXT_REQUIRE_CUDA=1 timeout 500 "$python" -m pytest tests/kde tests/ken tests/mi -k cuda -q -p no:cacheprovider)
  status=$?
  rm -rf "$copy"
  return $status
}

dry() {
  bash -n scripts/gpu_check.sh && "$python" -m py_compile scripts/gpu_small.py scripts/check_cuda_load.py &&
    "$python" -m pytest tests/kde tests/ken tests/mi tests/cuda/test_variants.py -k cuda -q --collect-only | tail -1 &&
    timeout 590 "$python" -m benchmarks.gpu "$out/dry.json" --smoke --device cpu
}

failed=0
[ $# -gt 0 ] || set -- build floors tests sanitizer kde ken mi pruners
for part; do
  case $part in
    build | floors | tests | sanitizer | kde | ken | mi | pruners | other-torch | dry) ;;
    *) echo "no part is called $part" >&2; exit 2 ;;
  esac
done
for part; do
  started=$SECONDS
  if "$part" > "$out/$part.log" 2>&1; then result=passed; else result=FAILED failed=1; fi
  echo "== $part: $result in $((SECONDS - started)) s"
  tail -n "$([ $result = passed ] && echo 12 || echo 40)" "$out/$part.log"
done
exit $failed
