// Range-minimum tree over groups: the one of a range whose next entry stands earliest in the row, in O(log n).
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/aligned_buffer.h"

namespace pruning_ext::ken {

class EarliestTree {
 public:
  // `column(group)`: where the group's next entry stands, or kNone.
  template <typename Column>
  void assign(std::int32_t count, const Column& column) {
    count_ = count;
    nodes_ = buffer_.reserve(2 * count_);
    for (std::int32_t group = 0; group < count; ++group) nodes_[count_ + group] = pack(column(group), group);
    for (std::int64_t node = count_ - 1; node > 0; --node) nodes_[node] = least_below(node);
  }

  void set(std::int32_t group, std::int64_t column) {
    std::int64_t node = count_ + group;
    nodes_[node] = pack(column, group);
    while (node /= 2) nodes_[node] = least_below(node);
  }

  // Of groups [first, past), one of which has an entry left.
  std::int32_t earliest(std::int32_t first, std::int32_t past) const {
    std::uint64_t least = UINT64_MAX;
    std::int64_t begin = count_ + first, end = count_ + past;
    for (; begin < end; begin /= 2, end /= 2) {
      if (begin % 2 == 1) least = std::min(least, nodes_[begin++]);
      if (end % 2 == 1) least = std::min(least, nodes_[--end]);
    }
    return static_cast<std::int32_t>(least & 0xffffffffu);
  }

  static constexpr std::int64_t kNone = 0xffffffff;

 private:
  static std::uint64_t pack(std::int64_t column, std::int32_t group) {
    return static_cast<std::uint64_t>(column) << 32 | static_cast<std::uint64_t>(group);
  }
  std::uint64_t least_below(std::int64_t node) const { return std::min(nodes_[2 * node], nodes_[2 * node + 1]); }

  std::int64_t count_ = 0;
  std::uint64_t* nodes_ = nullptr;  // [2 count]: the leaves, column above group, in the upper half
  AlignedBuffer<std::uint64_t> buffer_;
};

}  // namespace pruning_ext::ken
