// Sorting one column of floats.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include "common/aligned_buffer.h"

namespace pruning_ext::mi {

class ColumnSorter {
 public:
  // `values` [n], without NaN, in ascending order.
  void sort(double* values, std::int64_t n) { std::sort(values, values + n); }

  // Least significant digit first, on integers in the order of the floats. Digits that all values share, as the low
  // half of every bfloat16, cost nothing.
  void sort(float* values, std::int64_t n) {
    constexpr int kDigitBits = 8, kDigits = 4;
    constexpr std::uint32_t kMask = (1u << kDigitBits) - 1;
    std::uint32_t *from = first_.reserve(n), *to = second_.reserve(n);
    std::uint32_t counts[kDigits][kMask + 1] = {};
    for (std::int64_t i = 0; i < n; ++i) {
      const auto bits = std::bit_cast<std::uint32_t>(values[i]);
      from[i] = bits ^ (bits >> 31 != 0 ? 0xffffffffu : 0x80000000u);
      for (int d = 0; d < kDigits; ++d) ++counts[d][from[i] >> (kDigitBits * d) & kMask];
    }
    for (int d = 0; d < kDigits; ++d) {
      const int shift = kDigitBits * d;
      if (counts[d][from[0] >> shift & kMask] == static_cast<std::uint64_t>(n)) continue;
      std::uint32_t next = 0;
      for (std::uint32_t& count : counts[d]) next += std::exchange(count, next);
      for (std::int64_t i = 0; i < n; ++i) to[counts[d][from[i] >> shift & kMask]++] = from[i];
      std::swap(from, to);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      values[i] = std::bit_cast<float>(from[i] ^ (from[i] >> 31 != 0 ? 0x80000000u : 0xffffffffu));
    }
  }

 private:
  AlignedBuffer<std::uint32_t> first_, second_;
};

}  // namespace pruning_ext::mi
