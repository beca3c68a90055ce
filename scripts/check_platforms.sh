#!/usr/bin/env bash
# The C++ core and its tests with every compiler that is found: each version of g++ and clang++ for this machine, the newest
# clang++ also under sanitizers and with libc++, and g++ and clang++ for AArch64, whose programs qemu runs. Warnings are
# errors. A line for each says what passed; the exit status is that of all. Logs and builds: build/platforms.
# On Debian: apt install clang g++-aarch64-linux-gnu qemu-user, and libc++-N-dev and libc++abi-N-dev for the newest clang-N
# Usage: scripts/check_platforms.sh [NAME...]   NAMEs as it prints them, such as g++-12 clang++-19-libc++ aarch64-g++
# Environment: MAX_JOBS (all cores).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
export PATH=$PWD/.venv/bin:$PATH
folder=build/platforms
mkdir -p $folder
failures=0 found=0
wanted=("$@")

is_wanted() {
  [ ${#wanted[@]} -eq 0 ] && return 0
  local name
  for name in "${wanted[@]}"; do [ "$name" = "$1" ] && return 0; done
  return 1
}

# check NAME COMPILER [CMake arguments]
check() {
  local name=$1 compiler=$2 log=$folder/$1.log tests version
  is_wanted "$name" || return 0
  found=$((found + 1))
  shift 2
  version=$("$compiler" --version | head -1)
  if cmake -S . -B "$folder/$name" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DPRUNING_EXT_TESTS=ON \
       -DPRUNING_EXT_WERROR=ON -DPRUNING_EXT_CUDA=off "$@" > "$log" 2>&1 &&
     cmake --build "$folder/$name" -j "${MAX_JOBS:-$(nproc)}" >> "$log" 2>&1 &&
     ctest --test-dir "$folder/$name" --output-on-failure "${test_arguments[@]}" >> "$log" 2>&1; then
    tests=$(grep -E '% tests passed' "$log" | tail -1)
    echo "$name ($version): ${tests:-no test was run}"
    [ -n "$tests" ] || failures=$((failures + 1))
  else
    echo "$name ($version): FAILED, see $log"
    failures=$((failures + 1))
  fi
}

test_arguments=()
newest=
for compiler in $(compgen -c | grep -E '^(g|clang)\+\+-[0-9]+$' | sort -u -V); do
  check "$compiler" "$compiler"
  case $compiler in clang*) newest=$compiler ;; esac
done
if [ -n "$newest" ]; then
  check "$newest-sanitized" "$newest" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPRUNING_EXT_SANITIZE=address,undefined
  if echo '#include <version>' | "$newest" -stdlib=libc++ -x c++ -fsyntax-only - 2> /dev/null; then
    check "$newest-libc++" "$newest" -DCMAKE_CXX_FLAGS=-stdlib=libc++
  else
    echo "$newest-libc++: not checked, libc++ is not installed"
  fi
else
  echo "clang++: not checked, not installed"
fi

# The CUDA kernels are the same sources for every CPU; emulated by an emulated CPU they would take long.
test_arguments=(--exclude-regex '^emulated_')
target=aarch64-linux-gnu
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static)
if [ -n "$qemu" ] && command -v $target-g++ > /dev/null; then
  cross=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 "-DCMAKE_CROSSCOMPILING_EMULATOR=$qemu;-L;/usr/$target")
  check aarch64-g++ $target-g++ "${cross[@]}"
  if [ -n "$newest" ]; then check "aarch64-$newest" "$newest" "${cross[@]}" -DCMAKE_CXX_COMPILER_TARGET=$target; fi
else
  echo "aarch64: not checked, g++-aarch64-linux-gnu or qemu-user is not installed"
fi

[ $found -gt 0 ] || { echo "nothing was checked" >&2; exit 1; }
[ $failures -eq 0 ]
