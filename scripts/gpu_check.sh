#!/usr/bin/env bash
# Everything that needs a GPU, on a bare machine with CUDA, torch, cmake, ninja and pybind11, without a network.
# Usage: scripts/gpu_check.sh OUTDIR [PART...]
# Parts, in this order by default: build small floors kde ken tests mi pruners sanitizer. On request: profile, other-torch, dry.
#   build        the package, in place; what was built, the GPU, the driver. With BINARIES: those, and nothing is compiled
#   small        every kernel once, on little data (gpu_small.py): what is wrong altogether is seen first. Where wgmma's way of
#                counting fails, or waits for ever, later parts leave it out
#   floors       benchmarks/floors.cu: what this GPU can do at most (floors.json)
#   kde ken mi pruners   benchmarks/gpu.py (<part>.json), beside the floors where floors.json is there
#   tests        the CUDA half of the tests; a missing device is a failure
#   sanitizer    compute-sanitizer's four tools on every kernel once
#   profile      ncu on every kernel once, at a size that fills the GPU: time, occupancy, throughputs (profile-<family>.csv)
#   other-torch  the BINARIES, built with another torch, in a copy of the package
#   dry          without a GPU: that the scripts parse and the benchmarks run, at tiny sizes on the CPU
# What parts leave lies in WORK (build/gpu), where those of later calls find it. OUTDIR gets two files: summary.txt, which
# is printed last, and results.tar.gz with what all calls since the last build left. On a machine lent for minutes (where it
# is given back in between, with `build` before the other parts):
#   LIMIT=560 scripts/gpu_check.sh OUTDIR build small floors kde ken
#   LIMIT=560 scripts/gpu_check.sh OUTDIR tests
#   LIMIT=560 scripts/gpu_check.sh OUTDIR mi pruners sanitizer
# A part fails on its own, and is cut off after ten minutes or at the LIMIT; the exit status is that of all.
# Environment: PYTHON (python3), MAX_JOBS, NVCC (nvcc), CUDA_ARCHITECTURES (this GPU's), LIMIT (seconds for the whole call),
# WORK, BINARIES (a folder with _C.so, _C_cuda.so and build_info.json; they serve every Python and every torch from 2.10 on).
set -uo pipefail
[ $# -ge 1 ] || { sed -n '2,23s/^# //p' "$0" >&2; exit 2; }
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
  # By CMake itself: setup.py needs setuptools from 77 on. Only what this GPU runs: a third of the time.
  local folder
  folder=build/python-$("$python" -c 'import sysconfig; print(sysconfig.get_python_version())')
  # shellcheck disable=SC2086  # of CMAKE_ARGS each word is an argument
  within 590 cmake -S . -B "$folder" -G Ninja -DPRUNING_EXT_PYTHON=ON -DPRUNING_EXT_CUDA=on \
    "-DPython_EXECUTABLE=$("$python" -c 'import sys; print(sys.executable)')" \
    "-DPRUNING_EXT_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES:-$(capability)}" ${CMAKE_ARGS:-} &&
    within 590 cmake --build "$folder" ${MAX_JOBS:+-j "$MAX_JOBS"} &&
    within 60 cmake --install "$folder" --component python --prefix pruning_ext &&
    within 120 "$python" -m pruning_ext.info | tee "$work/info.txt"
}

small() {
  local status=0 family
  for family in kde ken mi; do within 120 "$python" scripts/gpu_small.py $family || status=1; done
  within 120 "$python" scripts/gpu_small.py wgmma || { status=1; touch "$work/without-wgmma"; }
  return $status
}

# rates ARCHITECTURE FLAG...: floors.json
rates() {
  local architecture=$1 status
  shift
  within 120 "${NVCC:-nvcc}" -O3 -std=c++20 "$@" -gencode="arch=compute_$architecture,code=sm_$architecture" \
    -o "$work/floors.bin" benchmarks/floors.cu && within 120 "$work/floors.bin" > "$work/floors.json.part" &&
    mv "$work/floors.json.part" "$work/floors.json" && cat "$work/floors.json"
  status=$?
  rm -f "$work/floors.bin" "$work/floors.json.part"
  return $status
}

# The rates of wgmma are worth a failure, but not all the others.
floors() {
  local architecture
  architecture=$(capability)
  [ "$architecture" = 90 ] || { rates "$architecture"; return; }
  rates 90a -DFLOORS_WGMMA || { rates 90; return 1; }
}

# cuda_tests REPORT EXPRESSION MODULE_OR_FOLDER...: several at a time where pytest-xdist is there. Python cannot interrupt a
# test that waits for a kernel: where pytest-timeout is there, its process is ended.
cuda_tests() {
  local options=("--junitxml=$1" -k "$2")
  shift 2
  "$python" -c 'import xdist' 2> /dev/null && options+=(-n 4)
  "$python" -c 'import pytest_timeout' 2> /dev/null && options+=(--timeout 200 --timeout-method thread)
  OMP_NUM_THREADS=4 PRUNING_EXT_REQUIRE_CUDA=1 within 590 "$python" -m pytest "$@" -q -p no:cacheprovider "${options[@]}"
}
cuda_only=(tests/cuda/test_{variants,shared_memory,streams,long_rows}.py)
tests() {
  local status=0 wgmma='(wgmma or ways_of_counting_agree)'
  cuda_tests "$work/tests.xml" "cuda and not $wgmma" tests/kde tests/ken tests/mi "${cuda_only[@]}" || status=$?
  if [ -e "$work/without-wgmma" ]; then
    echo "not run: what counts by wgmma, for it failed in part small" >&2
    return 1
  fi
  cuda_tests "$work/tests-wgmma.xml" "cuda and $wgmma" tests/cuda/test_variants.py || status=$?
  return $status
}

# sanitize TOOL LOG ARGUMENT...: without torch's pool of memory, in which an access beyond a tensor is one to its neighbour.
sanitize() {
  local tool=$1 log=$work/sanitizer-$2.log
  shift 2
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 within 140 compute-sanitizer --tool "$tool" --error-exitcode 1 "$python" scripts/gpu_small.py "$@" > "$log" 2>&1 ||
    { echo "$log:"; tail -8 "$log"; return 1; }
}

# A small subset: the tools slow kernels down a hundredfold.
sanitizer() {
  local status=0 tool
  # shellcheck disable=SC2046  # a word for each family
  for tool in memcheck initcheck synccheck; do sanitize $tool $tool $(families) || status=1; done
  sanitize racecheck racecheck $(families) --matching 0 || status=1
  # By a log of its own: lanes of one warp read what others of it then change, with votes in between, of which racecheck
  # need not know that all lanes wait for each other there.
  sanitize racecheck racecheck-by-warp ken --matching 1 2 || status=1
  return $status
}

# The families of gpu_small.py and gpu_once.py that may be run.
families() {
  echo kde ken mi
  [ -e "$work/without-wgmma" ] || echo wgmma
}

# A process each: what ends one does not end the others.
profile() {
  local status=0 family
  for family in $(families); do
    within 200 ncu --clock-control none --profile-from-start no --csv --page details --target-processes application-only \
      --section SpeedOfLight --section Occupancy --section MemoryWorkloadAnalysis --section WarpStateStats \
      --log-file "$work/profile-$family.csv" "$python" scripts/gpu_once.py "$family" || status=1
  done
  return $status
}

benchmark() {
  local options=()
  [ -e "$work/floors.json" ] && options+=(--floors "$work/floors.json")
  [ -e "$work/without-wgmma" ] && options+=(--without "pruning_ext, wgmma")
  within 590 "$python" -m benchmarks.gpu "$work/$1.json" "$1" "${options[@]}"
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
      cuda_tests "$work/other-torch.xml" cuda tests/kde tests/ken tests/mi)
  status=$?
  rm -rf "$copy"
  return $status
}

dry() {
  bash -n scripts/gpu_check.sh && "$python" -m py_compile scripts/gpu_small.py scripts/gpu_once.py scripts/check_cuda_load.py &&
    "$python" -m pytest tests/kde tests/ken tests/mi "${cuda_only[@]}" -k cuda -q --collect-only | tail -1 &&
    within 590 "$python" -m benchmarks.gpu "$work/dry.json" --smoke --device cpu
}

parts=(build small floors kde ken tests mi pruners sanitizer)
[ $# -gt 0 ] || set -- "${parts[@]}"
for part; do
  case " ${parts[*]} profile other-torch dry " in
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

for part in "${parts[@]}" profile other-torch dry; do
  [ -e "$work/$part.result" ] && cat "$work/$part.result"
done > "$out/summary.txt"
tar -czf "$out/results.tar.gz" -C "$work" --exclude '*.bin' .
echo "== all parts since the last build; what they left is in results.tar.gz"
cat "$out/summary.txt"
exit $failed
