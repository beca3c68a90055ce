// Bits of codes, and planes from them. A slice holds one bit of 32 codes: bit j of the codes of sample i in word w of a
// chunk stands at kBits * i + w. The order of samples does not matter where all rows share it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace pruning_ext::mi {

// 32 samples: kBits words of 32 / kBits codes.
template <int kBits>
struct alignas(16) Chunk {
  std::uint32_t words[kBits];
};

__host__ __device__ constexpr int slices_of(int bits) { return bits == 4 ? 4 : 5; }  // bins are at most 16, or 32

// By value: whole words are loaded, 16 bytes at a time.
template <int kBits>
__device__ inline Chunk<kBits> transposed(const Chunk<kBits> codes) {
  constexpr std::uint32_t kFirst = kBits == 4 ? 0x11111111u : 0x01010101u;
  Chunk<kBits> slices = {};
#pragma unroll
  for (int j = 0; j < slices_of(kBits); ++j) {
#pragma unroll
    for (int w = 0; w < kBits; ++w) {
      const std::uint32_t moved = w < j ? codes.words[w] >> (j - w) : codes.words[w] << (w - j);
      slices.words[j] |= moved & (kFirst << w);
    }
  }
  return slices;
}

// The 32 samples that are in `bin`.
template <int kSlices, int kBits>
__device__ inline std::uint32_t plane_of(const Chunk<kBits>& slices, unsigned bin) {
  std::uint32_t plane = ~0u;
#pragma unroll
  for (int j = 0; j < kSlices; ++j) plane &= slices.words[j] ^ ((bin >> j & 1) - 1);
  return plane;
}

// The first `left` of 32 samples, in the order of a slice.
template <int kBits>
__device__ inline std::uint32_t first_samples(std::int64_t left) {
  constexpr int kPerWord = 32 / kBits;
  if (left >= 32) return ~0u;
  std::uint32_t valid = 0;
  for (int t = 0; t < left; ++t) valid |= 1u << (kBits * (t % kPerWord) + t / kPerWord);
  return valid;
}

}  // namespace pruning_ext::mi
