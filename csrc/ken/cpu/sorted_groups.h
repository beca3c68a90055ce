// A row sorted into groups of equal values, each listing where its entries stand in the row, earliest first.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"

namespace pruning_ext::ken {

class SortedGroups {
 public:
  // `row` is [n], finite, n < 2^31. `narrow`: every value is exactly a float32.
  void assign(const double* row, std::int64_t n, bool narrow);

  std::int32_t count() const { return count_; }                            // groups
  double value(std::int32_t group) const { return values_[group]; }        // ascending
  std::int32_t begin(std::int32_t group) const { return starts_[group]; }  // into entry()
  std::int32_t end(std::int32_t group) const { return starts_[group + 1]; }
  std::int32_t entry(std::int32_t position) const {
    return static_cast<std::int32_t>(order_[position] & 0xffffffffu);
  }  // column in the row

 private:
  void sort_narrow(const double* row, std::int64_t n);
  void sort_wide(const double* row, std::int64_t n);

  std::int32_t count_ = 0;
  std::uint64_t* order_ = nullptr;  // [n]: the low half is the column
  double* values_ = nullptr;
  std::int32_t* starts_ = nullptr;
  AlignedBuffer<std::uint64_t> keys_, other_keys_;
  AlignedBuffer<double> value_buffer_;
  AlignedBuffer<std::int32_t> start_buffer_;
};

}  // namespace pruning_ext::ken
