// Operations of one block's threads together: reductions, searches, and reporting faults. Blocks are whole warps, in
// one dimension. Every function here but report() must be reached by all threads of the block (or, where said, of the
// warp).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "common/cuda.h"
#include "common/search.h"
#include "common/status.h"

#if !defined(PRUNING_EXT_DYNAMIC_SHARED)
#define PRUNING_EXT_DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#endif

namespace pruning_ext {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ inline unsigned lane_index() { return threadIdx.x % kWarp; }
__device__ inline unsigned warp_index() { return threadIdx.x / kWarp; }
__device__ inline unsigned warp_count() { return blockDim.x / kWarp; }

__device__ inline void report(FaultWord* fault, Fault what, std::int64_t row) {
  atomicMin(fault, static_cast<FaultWord>(row) * 16 + static_cast<FaultWord>(what));
}

struct Add {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Min {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};
struct Max {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct Or {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a | b;
  }
};

// The same value in every lane, from partners in a fixed order: run-to-run equal.
template <int kLanes = kWarp, typename T, typename Op>
__device__ inline T warp_reduce(T value, Op op) {
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) value = op(value, __shfl_xor_sync(kAllLanes, value, offset));
  return value;
}

// The same value in every thread of the block.
template <typename T, typename Op>
__device__ inline T block_reduce(T value, Op op) {
  __shared__ T slots[kWarp];
  value = warp_reduce(value, op);
  __syncthreads();  // the slots may still be read from an earlier call
  if (lane_index() == 0) slots[warp_index()] = value;
  __syncthreads();
  T result = slots[0];
  for (unsigned w = 1; w < warp_count(); ++w) result = op(result, slots[w]);
  return result;
}

// The sum of the values of all threads before this one.
__device__ inline unsigned block_exclusive_sum(unsigned value) {
  __shared__ unsigned slots[kWarp];
  unsigned inclusive = value;
#pragma unroll
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const unsigned before = __shfl_up_sync(kAllLanes, inclusive, offset);
    if (lane_index() >= static_cast<unsigned>(offset)) inclusive += before;
  }
  __syncthreads();
  if (lane_index() == kWarp - 1) slots[warp_index()] = inclusive;
  __syncthreads();
  unsigned before = inclusive - value;
  for (unsigned w = 0; w < warp_index(); ++w) before += slots[w];
  return before;
}

// partition_point() by all lanes of a warp together: 32 probes at a time, three rounds for 32,768 entries.
template <typename Below>
__device__ inline unsigned warp_partition_point(unsigned begin, unsigned end, const Below& below) {
  while (begin < end) {
    const unsigned step = (end - begin + kWarp - 1) / kWarp;
    const unsigned probe = begin + lane_index() * step;
    const unsigned pieces = __popc(__ballot_sync(kAllLanes, probe < end && below(probe)));
    if (pieces == 0) return begin;
    const unsigned past = begin + pieces * step;
    begin += (pieces - 1) * step + 1;
    end = past < end ? past : end;
  }
  return begin;
}

}  // namespace pruning_ext
