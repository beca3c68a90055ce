#!/usr/bin/env bash
# Everything that needs a GPU, on a bare machine with CUDA, torch, cmake and ninja, without a network.
# Usage: scripts/gpu_check.sh OUTDIR [PART...]
# Parts, in this order by default: build floors kde ken tests mi pruners sanitizer. On request: other-torch, dry.
#   build        the package, in place; what was built, the GPU, the driver. With BINARIES: those, and nothing is compiled
#   floors       benchmarks/floors.cu: what this GPU can do at most (floors.json)
#   kde ken mi pruners   benchmarks/gpu.py (<part>.json), beside the floors where floors.json is there
#   tests        the CUDA half of the tests; a missing device is a failure
#   sanitizer    compute-sanitizer's four tools on every kernel once
#   other-torch  the BINARIES, built with another torch, in a copy of the package
#   dry          without a GPU: that the scripts parse and the benchmarks run, at tiny sizes on the CPU
# What parts leave lies in WORK (build/gpu), where those of later calls find it. OUTDIR gets two files: summary.txt, which
# is printed last, and results.tar.gz with what all calls since the last build left. On a machine lent for minutes:
#   LIMIT=560 scripts/gpu_check.sh OUTDIR build floors kde ken
#   LIMIT=560 scripts/gpu_check.sh OUTDIR tests
#   LIMIT=560 scripts/gpu_check.sh OUTDIR mi pruners sanitizer
# A part fails on its own, and is cut off after ten minutes or at the LIMIT; the exit status is that of all.
# Environment: PYTHON (python3), MAX_JOBS, NVCC (nvcc), CUDA_ARCHITECTURES (this GPU's), LIMIT (seconds for the whole call),
# WORK, BINARIES (a folder with _C.so, _C_cuda.so and build_info.json; they serve every Python and every torch from 2.10 on).
set -uo pipefail
[ $# -ge 1 ] || { sed -n '2,22s/^# //p' "$0" >&2; exit 2; }
out=$(mkdir -p "$1" && cd "$1" && pwd) || exit 2
shift
cd "$(dirname "$0")/.." || exit 2
work=${WORK:-build/gpu}
work=$(mkdir -p "$work" && cd "$work" && pwd) || exit 2
python=${PYTHON:-python3}
limit=${LIMIT:-86400}
export PYTHONPATH=. PYTHONUNBUFFERED=1

# within SECONDS COMMAND...: cut off there, or when the call's time is over.
within() {
  local left=$((limit - SECONDS)) most=$1
  shift
  [ $left -gt 0 ] || return 124
  timeout -k 5 $((left < most ? left : most)) "$@"
}

# 9.0 -> 90
capability() { nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '. '; }

# take-binaries PACKAGE
take_binaries() {
  cp "${BINARIES:?names a folder with _C.so, _C_cuda.so and build_info.json}"/{_C.so,_C_cuda.so,build_info.json} "$1"
}

build() {
  nvidia-smi > "$work/nvidia-smi.txt"
  if [ -n "${BINARIES:-}" ]; then
    take_binaries pruning_ext && LD_BIND_NOW=1 within 120 "$python" scripts/check_cuda_load.py | tee "$work/info.txt"
    return
  fi
  # Only what this GPU runs: a third of the time.
  CMAKE_ARGS="-DPRUNING_EXT_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES:-$(capability)} ${CMAKE_ARGS:-}" PRUNING_EXT_CUDA=on \
    within 590 "$python" setup.py build_ext --inplace && within 120 "$python" -m pruning_ext.info | tee "$work/info.txt"
}

floors() {
  local architecture flags=() status
  architecture=$(capability)
  [ "$architecture" = 90 ] && architecture=90a flags=(-DFLOORS_WGMMA)
  within 120 "${NVCC:-nvcc}" -O3 -std=c++20 "${flags[@]}" -gencode="arch=compute_$architecture,code=sm_$architecture" \
    -o "$work/floors.bin" benchmarks/floors.cu && within 120 "$work/floors.bin" > "$work/floors.json.part" &&
    mv "$work/floors.json.part" "$work/floors.json" && cat "$work/floors.json"
  status=$?
  rm -f "$work/floors.bin" "$work/floors.json.part"
  return $status
}

# cuda_tests MODULE_OR_FOLDER...: several at a time where pytest-xdist is there.
cuda_tests() {
  local several=()
  "$python" -c 'import xdist' 2> /dev/null && several=(-n 4)
  OMP_NUM_THREADS=4 PRUNING_EXT_REQUIRE_CUDA=1 within 590 "$python" -m pytest "$@" -k cuda -q -p no:cacheprovider "${several[@]}"
}
cuda_only=(tests/cuda/test_{variants,shared_memory,streams,long_rows}.py)
tests() {
  cuda_tests tests/kde tests/ken tests/mi "${cuda_only[@]}" --junitxml="$work/tests.xml"
}

# sanitize TOOL LOG ARGUMENT...
sanitize() {
  local tool=$1 log=$work/sanitizer-$2.log
  shift 2
  within 140 compute-sanitizer --tool "$tool" --error-exitcode 1 "$python" scripts/gpu_small.py "$@" > "$log" 2>&1 ||
    { echo "$log:"; tail -8 "$log"; return 1; }
}

# A small subset: the tools slow kernels down a hundredfold.
sanitizer() {
  local status=0 tool
  for tool in memcheck initcheck synccheck; do sanitize $tool $tool || status=1; done
  sanitize racecheck racecheck --matching 0 || status=1
  # By a log of its own: lanes of one warp read what others of it then change, with votes in between, of which racecheck
  # need not know that all lanes wait for each other there.
  sanitize racecheck racecheck-by-warp ken --matching 1 || status=1
  return $status
}

benchmark() {
  local floors=()
  [ -e "$work/floors.json" ] && floors=(--floors "$work/floors.json")
  within 590 "$python" -m benchmarks.gpu "$work/$1.json" "$1" "${floors[@]}"
}
kde() { benchmark kde; }
ken() { benchmark ken; }
mi() { benchmark mi; }
pruners() { benchmark pruners; }

# What the stable ABI promises: the op libraries as built with another torch. _core is this Python's own.
other-torch() {
  local copy status
  copy=$(mktemp -d)
  cp -r pruning_ext tests examples benchmarks scripts pyproject.toml "$copy" && take_binaries "$copy/pruning_ext" &&
    (cd "$copy" && LD_BIND_NOW=1 within 120 "$python" scripts/check_cuda_load.py && within 120 "$python" scripts/gpu_small.py &&
      cuda_tests tests/kde tests/ken tests/mi)
  status=$?
  rm -rf "$copy"
  return $status
}

dry() {
  bash -n scripts/gpu_check.sh && "$python" -m py_compile scripts/gpu_small.py scripts/check_cuda_load.py &&
    "$python" -m pytest tests/kde tests/ken tests/mi "${cuda_only[@]}" -k cuda -q --collect-only | tail -1 &&
    within 590 "$python" -m benchmarks.gpu "$work/dry.json" --smoke --device cpu
}

parts=(build floors kde ken tests mi pruners sanitizer)
[ $# -gt 0 ] || set -- "${parts[@]}"
for part; do
  case " ${parts[*]} other-torch dry " in
    *" $part "*) ;;
    *) echo "no part is called $part" >&2; exit 2 ;;
  esac
done

failed=0
for part; do
  # A new build starts a new record.
  [ "$part" = build ] && find "$work" -mindepth 1 -delete
  started=$SECONDS
  "$part" > "$work/$part.log" 2>&1
  status=$?
  case $status in
    0) result=passed ;;
    124 | 137) result="CUT OFF" failed=1 ;;
    *) result=FAILED failed=1 ;;
  esac
  echo "$part: $result after $((SECONDS - started)) s" > "$work/$part.result"
  echo "== $(cat "$work/$part.result")"
  tail -n "$([ $status = 0 ] && echo 12 || echo 40)" "$work/$part.log"
done

for part in "${parts[@]}" other-torch dry; do
  [ -e "$work/$part.result" ] && cat "$work/$part.result"
done > "$out/summary.txt"
tar -czf "$out/results.tar.gz" -C "$work" --exclude '*.bin' .
echo "== all parts since the last build; what they left is in results.tar.gz"
cat "$out/summary.txt"
exit $failed
