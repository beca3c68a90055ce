// One column of floats in ascending order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/aligned_buffer.h"
#include "common/element.h"
#include "common/radix_sort.h"

namespace pruning_ext::mi {

// One per thread; keeps its scratch memory from column to column.
class ColumnSorter {
 public:
  // `values` [n], without NaN.
  void sort(double* values, std::int64_t n) { std::sort(values, values + n); }

  void sort(float* values, std::int64_t n) {
    const std::uint32_t* sorted = radix_sort<0>(n, keys_.reserve(n), other_keys_.reserve(n),
                                                [values](std::int64_t i) { return ordered_bits(values[i]); });
    for (std::int64_t i = 0; i < n; ++i) values[i] = ordered_value(sorted[i]);
  }

 private:
  AlignedBuffer<std::uint32_t> keys_, other_keys_;
};

}  // namespace pruning_ext::mi
