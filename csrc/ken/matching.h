// Greedy matching on a line: each point in turn takes the nearest entry not yet taken.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "ken/sorted_groups.h"

namespace pruning_ext::ken {

// A group is taken from its earliest entry on. Exhausted groups are skipped by union-find, one forest to either side,
// so that all k points together cost little more than k steps, however the points are ordered.
class GreedyMatcher {
 public:
  // `grid` [k], ascending.
  void reset(const SortedGroups& groups, const double* grid, std::int64_t k);

  // Takes the entry nearest to grid[j] and returns its column: of several at the same distance, the earliest in the
  // row.
  std::int32_t take(const SortedGroups& groups, std::int64_t j);

  std::int32_t taken_in(const SortedGroups& groups, std::int32_t group) const {
    return next_[group] - groups.begin(group);
  }

 private:
  void place_points(const SortedGroups& groups, std::int64_t k);  // makes right_of_
  std::int32_t nearest_left(std::int32_t group);  // of `group` and those below, the next with an entry left; -1 if none
  std::int32_t nearest_right(std::int32_t group);  // likewise above; count() if none

  std::int32_t count_ = 0;
  double* grid_ = nullptr;
  std::int32_t* right_of_ = nullptr;  // [k + 1]: the first group not below each grid point, and room for the end
  std::int32_t* next_ = nullptr;      // [count]: the next entry to take, as a position
  std::int32_t* left_ = nullptr;      // [count + 1]: parents, shifted by one so that 0 is "none"
  std::int32_t* right_ = nullptr;     // [count + 1]
  AlignedBuffer<double> grid_buffer_;
  AlignedBuffer<std::int32_t> right_of_buffer_, next_buffer_, left_buffer_, right_buffer_;
};

}  // namespace pruning_ext::ken
