// Stable radix sort of a row by one block, least significant digit first.
//
// Only the indexes move; a digit is looked up through them. Each warp owns a contiguous stretch of the row and a row of
// counters, so that equal digits keep their order without a single atomic operation: lanes of one digit find each other
// by __match_any_sync. A digit that all keys share (the low half of every bfloat16) costs nothing.
//
// Counters: [warps, a power of two][256 digits], of a type that can hold n. A warp's 32 digits then fall into all banks
// of shared memory; with the warps side by side in [256 digits][8 warps] of 16 bits they would fall into eight of 32.
// Everything may lie in shared or in global memory.
#pragma once

#include <type_traits>

#include "common/block.cuh"

namespace pruning_ext {

constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;

// Sorts `index` [n] by key(index[i]); `other` [n] is scratch. Returns whichever of the two holds the result.
template <int kKeyBits, typename Index, typename KeyOf>
__device__ Index* block_argsort(const KeyOf& key, unsigned n, Index* index, Index* other, Index* counters) {
  const unsigned warps = warp_count(), warp = warp_index(), lane = lane_index();
  const unsigned stretch = ((n + warps - 1) / warps + kWarp - 1) / kWarp * kWarp;
  const unsigned begin = min(warp * stretch, n), end = min(begin + stretch, n);
  const unsigned per_thread = kDigits / kWarp;  // counters for each thread to scan, whatever the number of warps
  // By digits, and by warps for each.
  const auto counter = [&](unsigned c) -> Index& {
    return counters[(c & (warps - 1)) * kDigits + (c >> __popc(warps - 1))];
  };

  using Bits = std::conditional_t<(kKeyBits > 32), unsigned long long, unsigned>;
  Bits differing = 0;
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x)
    differing |= static_cast<Bits>(key(index[i])) ^ static_cast<Bits>(key(index[0]));
  differing = block_reduce(differing, Or{});

  for (int shift = 0; shift < kKeyBits; shift += kDigitBits) {
    if ((differing >> shift & (kDigits - 1)) == 0) continue;
    for (unsigned c = threadIdx.x; c < kDigits * warps; c += blockDim.x) counters[c] = 0;
    __syncthreads();
    for (unsigned first = begin; first < end; first += kWarp) {
      const unsigned i = first + lane;
      // Lanes past the end match each other alone.
      const unsigned digit = i < end ? static_cast<unsigned>(key(index[i]) >> shift) & (kDigits - 1) : kDigits;
      const unsigned same = __match_any_sync(kAllLanes, digit);
      if (i < end && lane == static_cast<unsigned>(__ffs(same)) - 1)
        counters[warp * kDigits + digit] = static_cast<Index>(counters[warp * kDigits + digit] + __popc(same));
      __syncwarp();
    }
    __syncthreads();

    unsigned total = 0;
#pragma unroll 4
    for (unsigned c = 0; c < per_thread; ++c) total += counter(threadIdx.x * per_thread + c);
    unsigned next = block_exclusive_sum(total);
#pragma unroll 4
    for (unsigned c = 0; c < per_thread; ++c) {
      Index& before = counter(threadIdx.x * per_thread + c);
      const unsigned count = before;
      before = static_cast<Index>(next);
      next += count;
    }
    __syncthreads();

    for (unsigned first = begin; first < end; first += kWarp) {
      const unsigned i = first + lane;
      const Index mine = i < end ? index[i] : Index{0};
      const unsigned digit = i < end ? static_cast<unsigned>(key(mine) >> shift) & (kDigits - 1) : kDigits;
      const unsigned same = __match_any_sync(kAllLanes, digit);
      const unsigned before = __popc(same & ((1u << lane) - 1));
      const unsigned base = i < end ? counters[warp * kDigits + digit] : 0;
      __syncwarp();
      if (i < end) {
        other[base + before] = mine;
        if (before == 0) counters[warp * kDigits + digit] = static_cast<Index>(base + __popc(same));
      }
      __syncwarp();
    }
    __syncthreads();
    Index* const sorted = other;
    other = index;
    index = sorted;
  }
  return index;
}

}  // namespace pruning_ext
