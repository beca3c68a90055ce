#include "ken/cpu/sorted_groups.h"

#include <algorithm>
#include <utility>

#include "common/element.h"

namespace pruning_ext::ken {
namespace {

constexpr int kDigitBits = 8;
constexpr int kDigits = 32 / kDigitBits;
constexpr int kBuckets = 1 << kDigitBits;

}  // namespace

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

// Radix sort, least significant digit first, of (value, column) in one word: stable, so equal values keep the order of
// the row. Digits that all values share (the low half of every bfloat16) cost nothing.
void SortedGroups::sort_narrow(const double* row, std::int64_t n) {
  std::uint64_t* from = keys_.reserve(n);
  std::uint64_t* to = other_keys_.reserve(n);
  std::uint32_t counts[kDigits][kBuckets] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t key = ordered_bits(static_cast<float>(row[i]));
    from[i] = static_cast<std::uint64_t>(key) << 32 | static_cast<std::uint64_t>(i);
    for (int d = 0; d < kDigits; ++d) ++counts[d][key >> (kDigitBits * d) & (kBuckets - 1)];
  }
  for (int d = 0; d < kDigits; ++d) {
    const int shift = 32 + kDigitBits * d;
    if (counts[d][from[0] >> shift & (kBuckets - 1)] == n) continue;
    std::uint32_t next = 0;
    for (std::uint32_t& count : counts[d]) next += std::exchange(count, next);
    for (std::int64_t i = 0; i < n; ++i) to[counts[d][from[i] >> shift & (kBuckets - 1)]++] = from[i];
    std::swap(from, to);
  }
  order_ = from;
}

void SortedGroups::sort_wide(const double* row, std::int64_t n) {
  order_ = keys_.reserve(n);
  for (std::int64_t i = 0; i < n; ++i) order_[i] = static_cast<std::uint64_t>(i);
  std::sort(order_, order_ + n,
            [&](std::uint64_t a, std::uint64_t b) { return row[a] != row[b] ? row[a] < row[b] : a < b; });
}

}  // namespace pruning_ext::ken
