// The entries of a sorted row that no point has taken yet: a bitmap, with a second that says which of its words are not
// empty, so that a walk over what is taken crosses 1024 entries a step.
#pragma once

#include <cstdint>

#include "common/block.cuh"
#include "common/macros.h"

namespace pruning_ext::ken {

PRUNING_EXT_HOST_DEVICE constexpr int words_of(std::int64_t bits) { return static_cast<int>((bits + 31) / 32); }

// A set of numbers below n.
struct FreeEntries {
  std::uint32_t* words;    // [words_of(n)]
  std::uint32_t* summary;  // [words_of(words_of(n))], which words are not 0
  int n;

  __device__ bool contains(int i) const { return words[i / 32] >> (i % 32) & 1; }

  // All of them; by all threads of the block, which is to wait before it looks.
  __device__ void fill() const {
    const auto first = [](int bits) { return bits >= 32 ? ~0u : (1u << bits) - 1; };
    const int count = words_of(n);
    for (int w = threadIdx.x; w < count; w += blockDim.x) words[w] = first(n - 32 * w);
    for (int s = threadIdx.x; s < words_of(count); s += blockDim.x) summary[s] = first(count - 32 * s);
  }

  // Removes one that is there; any lanes at once. Its bit is set, so that subtracting it clears it.
  __device__ void remove(int i) const {
    const std::uint32_t bit = 1u << (i % 32);
    if (atomicAdd(words + i / 32, 0u - bit) == bit) atomicAdd(summary + i / 1024, 0u - (1u << (i / 32 % 32)));
  }

  // below[w] = how many lie below word w, of [words_of(n) + 1]; by all threads of the block.
  template <typename Index>
  __device__ void count_words(Index* below) const {
    const int count = words_of(n), threads = static_cast<int>(blockDim.x);
    const int stretch = (count + threads - 1) / threads;
    const int begin = min(static_cast<int>(threadIdx.x) * stretch, count), end = min(begin + stretch, count);
    unsigned total = 0;
    for (int w = begin; w < end; ++w) total += __popc(words[w]);
    unsigned next = block_exclusive_sum(total);
    for (int w = begin; w < end; ++w) {
      below[w] = static_cast<Index>(next);
      next += __popc(words[w]);
    }
    if (static_cast<int>(threadIdx.x) == threads - 1) below[count] = static_cast<Index>(next);
    __syncthreads();
  }

  // How many lie below i, n at most, by what count_words() made.
  template <typename Index>
  __device__ int before(int i, const Index* below) const {
    const int rest = i % 32, whole = static_cast<int>(below[i / 32]);
    return rest == 0 ? whole : whole + __popc(words[i / 32] & ((1u << rest) - 1));
  }

  // How many lie in [begin, end), by themselves.
  __device__ int count(int begin, int end) const {
    int total = 0;
    for (int w = begin / 32; 32 * w < end; ++w) {
      std::uint32_t bits = words[w];
      if (32 * w < begin) bits &= ~0u << (begin % 32);
      if (end - 32 * w < 32) bits &= (1u << (end - 32 * w)) - 1;
      total += __popc(bits);
    }
    return total;
  }

  // The first at or above `from`, `skip` others aside; n if there is none.
  __device__ int above(int from, int skip = 0) const {
    if (from >= n) return n;
    int w = from / 32;
    std::uint32_t bits = words[w] & ~0u << (from % 32);
    for (int here = __popc(bits); here <= skip; here = __popc(bits)) {
      skip -= here;
      w = next_word(w + 1);
      if (w == words_of(n)) return n;
      bits = words[w];
    }
    return 32 * w + (skip == 0 ? __ffs(bits) - 1 : nth_bit(bits, skip));
  }

  // The first at or below `from`, `skip` others aside; -1 if there is none.
  __device__ int below(int from, int skip = 0) const {
    if (from < 0) return -1;
    int w = from / 32;
    std::uint32_t bits = words[w] & ~0u >> (31 - from % 32);
    int here = __popc(bits);
    for (; here <= skip; here = __popc(bits)) {
      skip -= here;
      w = last_word(w - 1);
      if (w < 0) return -1;
      bits = words[w];
    }
    return 32 * w + (skip == 0 ? 31 - __clz(static_cast<int>(bits)) : nth_bit(bits, here - 1 - skip));
  }

 private:
  // The first word at or above w that is not empty; as many as there are if none.
  __device__ int next_word(int w) const {
    const int count = words_of(n);
    if (w >= count) return count;
    int s = w / 32;
    std::uint32_t filled = summary[s] & ~0u << (w % 32);
    while (filled == 0) {
      if (++s >= words_of(count)) return count;
      filled = summary[s];
    }
    return 32 * s + __ffs(filled) - 1;
  }

  // The last at or below w; -1 if none.
  __device__ int last_word(int w) const {
    if (w < 0) return -1;
    int s = w / 32;
    std::uint32_t filled = summary[s] & ~0u >> (31 - w % 32);
    while (filled == 0) {
      if (--s < 0) return -1;
      filled = summary[s];
    }
    return 32 * s + 31 - __clz(static_cast<int>(filled));
  }

  // Where the bit is that has `skip` others below.
  static __device__ int nth_bit(std::uint32_t bits, int skip) {
    int at = 0;
#pragma unroll
    for (int width = 16; width > 0; width /= 2) {
      const int lower = __popc(bits >> at & ((1u << width) - 1));
      if (skip >= lower) skip -= lower, at += width;
    }
    return at;
  }
};

}  // namespace pruning_ext::ken
