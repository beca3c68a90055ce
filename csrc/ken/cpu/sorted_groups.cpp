#include "ken/cpu/sorted_groups.h"

#include <algorithm>

#include "common/element.h"
#include "common/radix_sort.h"

namespace pruning_ext::ken {

void SortedGroups::assign(const double* row, std::int64_t n, bool narrow) {
  if (narrow) {
    sort_narrow(row, n);
  } else {
    sort_wide(row, n);
  }
  values_ = value_buffer_.reserve(n);
  starts_ = start_buffer_.reserve(n + 1);
  count_ = 0;
  for (std::int32_t position = 0; position < n; ++position) {
    const double value = row[entry(position)];
    if (count_ == 0 || value != values_[count_ - 1]) {
      values_[count_] = value;
      starts_[count_++] = position;
    }
  }
  starts_[count_] = static_cast<std::int32_t>(n);
}

// (value, column) in one word: equal values keep the order of the row.
void SortedGroups::sort_narrow(const double* row, std::int64_t n) {
  order_ = radix_sort<32>(n, keys_.reserve(n), other_keys_.reserve(n), [row](std::int64_t i) {
    return std::uint64_t{ordered_bits(static_cast<float>(row[i]))} << 32 | static_cast<std::uint64_t>(i);
  });
}

void SortedGroups::sort_wide(const double* row, std::int64_t n) {
  order_ = keys_.reserve(n);
  for (std::int64_t i = 0; i < n; ++i) order_[i] = static_cast<std::uint64_t>(i);
  std::sort(order_, order_ + n,
            [&](std::uint64_t a, std::uint64_t b) { return row[a] != row[b] ? row[a] < row[b] : a < b; });
}

}  // namespace pruning_ext::ken
