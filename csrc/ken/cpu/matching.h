// Greedy matching on a line: each point in turn takes the nearest entry not yet taken.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "ken/cpu/earliest.h"
#include "ken/cpu/sorted_groups.h"

namespace pruning_ext::ken {

// A group is taken from its earliest entry on. Exhausted groups are skipped by union-find, one forest to either side,
// so that all k points together cost little more than k steps, however the points are ordered. Where a point finds many
// groups at one distance (seen from an outlier, a whole row is equally far), it walks over them; once such walks have
// cost as much as the row has entries, a tree of minima answers instead: O(log n) for a point in any row.
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

  // Of all groups that are as near to a point as `left` or `right`, the nearest on either side, which are at `nearest`:
  // the one whose next entry is the earliest in the row.
  std::int32_t earliest_of_ties(const SortedGroups& groups, double point, double nearest, std::int32_t left,
                                std::int32_t right);
  // The same by a walk over them; -1 where it exhausts the patience.
  std::int32_t walk_ties(const SortedGroups& groups, double point, double nearest, std::int32_t left,
                         std::int32_t right);
  std::int64_t next_column(const SortedGroups& groups, std::int32_t group) const;  // EarliestTree::kNone if exhausted

  std::int32_t count_ = 0;
  std::int64_t patience_ = 0;  // steps that walks may still take, beyond a few of each
  bool has_tree_ = false;
  EarliestTree tree_;
  double* grid_ = nullptr;
  std::int32_t* right_of_ = nullptr;  // [k + 1]: the first group not below each grid point, and room for the end
  std::int32_t* next_ = nullptr;      // [count]: the next entry to take, as a position
  std::int32_t* left_ = nullptr;      // [count + 1]: parents, shifted by one so that 0 is "none"
  std::int32_t* right_ = nullptr;     // [count + 1]
  AlignedBuffer<double> grid_buffer_;
  AlignedBuffer<std::int32_t> right_of_buffer_, next_buffer_, left_buffer_, right_buffer_;
};

}  // namespace pruning_ext::ken
