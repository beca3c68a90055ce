// Runs CUDA kernels on the CPU, for tests of their logic under sanitizers where there is no GPU: one block at a time,
// each of its threads a coroutine that gives way at barriers and warp collectives. Covers what csrc/ uses and no more.
//
// What this proves: indexing, layouts of shared memory, barriers reached by all, results that do not depend on the
// order in which threads run between barriers (EMULATION_ORDER: forward, backward, shuffled), how the work grows with
// the input. What it cannot: speed, the memory model within a warp, the compiler's code, the special-function units.
#pragma once

#include <math.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>

#define PRUNING_EXT_EMULATED
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __grid_constant__
#define __noinline__
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
#define PRUNING_EXT_DYNAMIC_SHARED(name) unsigned char* const name = ::emulation::dynamic_shared()

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

constexpr int kWarp = 32;
// Calls of bit counts and warp exchanges, by all threads: a measure of work that tests can hold against its size.
inline std::uint64_t steps = 0;

struct Slot {
  unsigned char bytes[16];
};

void run(dim3 grid, dim3 block, std::size_t dynamic_shared, const std::function<void()>& body);
unsigned char* dynamic_shared();
std::size_t dynamic_shared_bytes();
void block_barrier();
void wait_until(std::function<bool()> condition);  // that other threads of the block make true
void warp_barrier();
Slot* warp_slots();  // [32], the calling thread's warp's

// What each lane of the warp brought.
template <typename T>
void exchange(const T& mine, T (&all)[kWarp]) {
  ++steps;
  static_assert(sizeof(T) <= sizeof(Slot));
  Slot* const slots = warp_slots();
  std::memcpy(slots[threadIdx.x % kWarp].bytes, &mine, sizeof(T));
  warp_barrier();
  for (int lane = 0; lane < kWarp; ++lane) std::memcpy(&all[lane], slots[lane].bytes, sizeof(T));
  warp_barrier();
}

}  // namespace emulation

inline void __syncthreads() { emulation::block_barrier(); }
inline void __syncwarp(unsigned = 0xffffffffu) { emulation::warp_barrier(); }

template <typename T>
T __shfl_sync(unsigned, T value, int lane) {
  T all[emulation::kWarp];
  emulation::exchange(value, all);
  return all[lane % emulation::kWarp];
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  T all[emulation::kWarp];
  emulation::exchange(value, all);
  return all[(threadIdx.x % emulation::kWarp) ^ static_cast<unsigned>(mask)];
}
template <typename T>
T __shfl_up_sync(unsigned, T value, unsigned offset) {
  T all[emulation::kWarp];
  emulation::exchange(value, all);
  const unsigned lane = threadIdx.x % emulation::kWarp;
  return all[lane >= offset ? lane - offset : lane];
}
inline unsigned __ballot_sync(unsigned, bool predicate) {
  int all[emulation::kWarp];
  emulation::exchange(static_cast<int>(predicate), all);
  unsigned votes = 0;
  for (int lane = 0; lane < emulation::kWarp; ++lane) votes |= static_cast<unsigned>(all[lane]) << lane;
  return votes;
}
inline unsigned __reduce_min_sync(unsigned, unsigned value) {
  unsigned all[emulation::kWarp];
  emulation::exchange(value, all);
  return *std::min_element(all, all + emulation::kWarp);
}
template <typename T>
unsigned __match_any_sync(unsigned, T value) {
  T all[emulation::kWarp];
  emulation::exchange(value, all);
  unsigned same = 0;
  for (int lane = 0; lane < emulation::kWarp; ++lane) same |= static_cast<unsigned>(all[lane] == value) << lane;
  return same;
}

namespace emulation {

// mma.m16n8k256 .b1 .and.popc, operands spread over the lanes as PTX has it: A [16, 256] with words 0 and 1 of a lane
// in rows g and g + 8, words 2 and 3 128 columns on; B [256, 8]; C [16, 8].
template <typename Fragment>
void mma_and_popc(int (&c)[4], const Fragment& a, std::uint32_t b0, std::uint32_t b1) {
  struct Pair {
    std::uint32_t words[2];
  };
  Fragment all_a[kWarp];
  Pair all_b[kWarp];
  exchange(a, all_a);
  exchange(Pair{{b0, b1}}, all_b);
  const unsigned lane = threadIdx.x % kWarp;
  for (unsigned r = 0; r < 4; ++r) {
    const unsigned row = lane / 4 + 8 * (r / 2), column = lane % 4 * 2 + r % 2;
    for (unsigned w = 0; w < 8; ++w) {
      const std::uint32_t left = all_a[row % 8 * 4 + w % 4].words[row / 8 + 2 * (w / 4)];
      c[r] += __builtin_popcount(left & all_b[column * 4 + w % 4].words[w / 4]);
    }
  }
}

// mma.m16n8k32 .u8: A [16, 32] with words 0 and 1 of a lane in rows g and g + 8, columns 4 m to 4 m + 3, words 2 and 3
// 16 columns on; B [32, 8] with rows 4 m to 4 m + 3, and 16 on; C [16, 8].
template <typename Fragment>
void mma_u8(int (&c)[4], const Fragment& a, std::uint32_t b0, std::uint32_t b1) {
  struct Pair {
    std::uint32_t words[2];
  };
  Fragment all_a[kWarp];
  Pair all_b[kWarp];
  exchange(a, all_a);
  exchange(Pair{{b0, b1}}, all_b);
  const unsigned lane = threadIdx.x % kWarp;
  for (unsigned r = 0; r < 4; ++r) {
    const unsigned row = lane / 4 + 8 * (r / 2), column = lane % 4 * 2 + r % 2;
    for (unsigned k = 0; k < 32; ++k) {
      const unsigned member = k % 16 / 4, byte = 8 * (k % 4), half = k / 16;
      const unsigned left = all_a[row % 8 * 4 + member].words[row / 8 + 2 * half] >> byte & 255;
      c[r] += static_cast<int>(left * (all_b[column * 4 + member].words[half] >> byte & 255));
    }
  }
}

// prmt.b32 in its default mode.
inline std::uint32_t prmt(std::uint32_t low, std::uint32_t high, std::uint32_t selector) {
  std::uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const std::uint32_t nibble = selector >> (4 * i) & 15;
    std::uint32_t byte = (nibble & 4 ? high : low) >> (8 * (nibble & 3)) & 255;
    if (nibble & 8) byte = byte & 128 ? 255 : 0;
    result |= byte << (8 * i);
  }
  return result;
}

}  // namespace emulation

#include "hopper.h"

inline int __popc(unsigned word) {
  ++emulation::steps;
  return __builtin_popcount(word);
}
inline int __ffs(unsigned word) {
  ++emulation::steps;
  return __builtin_ffs(static_cast<int>(word));
}
inline int __clz(int word) {
  ++emulation::steps;
  return word == 0 ? 32 : __builtin_clz(static_cast<unsigned>(word));
}

template <typename T>
T atomicMin(T* at, T value) {
  const T before = *at;
  *at = std::min(before, value);
  return before;
}
template <typename T>
T atomicAdd(T* at, T value) {
  const T before = *at;
  *at = before + value;
  return before;
}

using std::max;
using std::min;

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin };
using cudaStream_t = void*;

struct cudaFuncAttributes {
  std::size_t sharedSizeBytes;
  int maxDynamicSharedSizeBytes;
};

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

namespace emulation {

// Shared memory as on sm_90. What a kernel declares is not known here; every one is taken to declare as much as most of
// csrc/ do at the most.
constexpr int kSharedUnasked = 48 * 1024, kSharedMost = 227 * 1024, kSharedDeclared = 1024;

// The dynamic shared memory that each kernel may be launched with.
inline int& shared_admitted(const void* kernel) {
  static std::map<const void*, int> admitted;
  return admitted.try_emplace(kernel, kSharedUnasked - kSharedDeclared).first->second;
}

}  // namespace emulation

inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = emulation::kSharedMost;
  return cudaSuccess;
}

template <typename Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel* kernel) {
  *attributes = {emulation::kSharedDeclared, emulation::shared_admitted(reinterpret_cast<const void*>(kernel))};
  return cudaSuccess;
}

template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute, int bytes) {
  if (bytes > emulation::kSharedMost - emulation::kSharedDeclared) return cudaErrorInvalidValue;
  emulation::shared_admitted(reinterpret_cast<const void*>(kernel)) = bytes;
  return cudaSuccess;
}

template <typename... Params, typename... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args&&... args) {
  const int admitted = emulation::shared_admitted(reinterpret_cast<const void*>(kernel));
  if (config->dynamicSmemBytes > static_cast<std::size_t>(admitted)) return cudaErrorInvalidValue;
  emulation::run(config->gridDim, config->blockDim, config->dynamicSmemBytes, [&] { kernel(args...); });
  return cudaSuccess;
}

inline cudaError_t cudaMemsetAsync(void* at, int value, std::size_t bytes, cudaStream_t) {
  std::memset(at, value, bytes);
  return cudaSuccess;
}
