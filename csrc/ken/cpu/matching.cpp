#include "ken/cpu/matching.h"

#include <algorithm>
#include <cmath>

namespace pruning_ext::ken {
namespace {

// Root of a node, halving the path on the way.
std::int32_t find(std::int32_t* parent, std::int32_t node) {
  while (parent[node] != node) {
    parent[node] = parent[parent[node]];
    node = parent[node];
  }
  return node;
}

}  // namespace

void GreedyMatcher::reset(const SortedGroups& groups, const double* grid, std::int64_t k) {
  count_ = groups.count();
  grid_ = grid_buffer_.reserve(k);
  right_of_ = right_of_buffer_.reserve(k + 1);
  next_ = next_buffer_.reserve(count_);
  left_ = left_buffer_.reserve(count_ + 1);
  right_ = right_buffer_.reserve(count_ + 1);
  std::copy(grid, grid + k, grid_);
  place_points(groups, k);
  for (std::int32_t g = 0; g <= count_; ++g) left_[g] = right_[g] = g;
  for (std::int32_t g = 0; g < count_; ++g) next_[g] = groups.begin(g);
  patience_ = groups.begin(count_);
  has_tree_ = false;
}

// The grid is even, so a division says where a group lies in it, but for the rounding; merging the two would
// mispredict a branch for every point.
void GreedyMatcher::place_points(const SortedGroups& groups, std::int64_t k) {
  const double low = grid_[0], range = grid_[k - 1] - low;
  const double per_step = range > 0 ? static_cast<double>(k - 1) / range : 0;
  std::fill(right_of_, right_of_ + k + 1, 0);
  for (std::int32_t g = 0; g < count_; ++g) {
    const double value = groups.value(g);
    // The points not above the value.
    auto points = std::clamp<std::int64_t>(static_cast<std::int64_t>((value - low) * per_step) + 1, 0, k);
    while (points < k && grid_[points] <= value) ++points;
    while (points > 0 && grid_[points - 1] > value) --points;
    ++right_of_[points];
  }
  for (std::int64_t j = 1; j < k; ++j) right_of_[j] += right_of_[j - 1];
}

std::int32_t GreedyMatcher::nearest_left(std::int32_t group) { return find(left_, group + 1) - 1; }
std::int32_t GreedyMatcher::nearest_right(std::int32_t group) { return find(right_, group); }

std::int64_t GreedyMatcher::next_column(const SortedGroups& groups, std::int32_t group) const {
  return next_[group] < groups.end(group) ? groups.entry(next_[group]) : EarliestTree::kNone;
}

std::int32_t GreedyMatcher::walk_ties(const SortedGroups& groups, double point, double nearest, std::int32_t left,
                                      std::int32_t right) {
  constexpr std::int64_t kFew = 8;
  const auto distance = [&](std::int32_t group) { return std::fabs(groups.value(group) - point); };
  std::int32_t chosen = -1;
  std::int64_t steps = 0;
  const auto consider = [&](std::int32_t group) {
    if (chosen < 0 || groups.entry(next_[group]) < groups.entry(next_[chosen])) chosen = group;
    return ++steps < patience_ + kFew;
  };
  // Where the neighbour is further away, so is all beyond: no need to look for what is left of it.
  for (; left >= 0 && distance(left) == nearest; left = nearest_left(left - 1)) {
    if (!consider(left)) return -1;
    if (left == 0 || distance(left - 1) > nearest) break;
  }
  for (; right < count_ && distance(right) == nearest; right = nearest_right(right + 1)) {
    if (!consider(right)) return -1;
    if (right + 1 == count_ || distance(right + 1) > nearest) break;
  }
  patience_ -= std::max<std::int64_t>(steps - kFew, 0);
  return chosen;
}

std::int32_t GreedyMatcher::earliest_of_ties(const SortedGroups& groups, double point, double nearest,
                                             std::int32_t left, std::int32_t right) {
  if (!has_tree_) {
    const std::int32_t chosen = walk_ties(groups, point, nearest, left, right);
    if (chosen >= 0) return chosen;
    tree_.assign(count_, [&](std::int32_t group) { return next_column(groups, group); });
    has_tree_ = true;
  }
  // A distance, rounded or not, does not shrink from one group to the next further out. Nothing is left between the
  // two sides.
  const auto beyond = [&](std::int32_t group) { return std::fabs(groups.value(group) - point) > nearest; };
  std::int32_t first = 0, past = count_;
  for (std::int32_t last = right; first < last;) {
    const std::int32_t middle = first + (last - first) / 2;
    if (middle <= left && beyond(middle)) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  for (std::int32_t least = left + 1; least < past;) {
    const std::int32_t middle = least + (past - least) / 2;
    if (middle >= right && beyond(middle)) {
      past = middle;
    } else {
      least = middle + 1;
    }
  }
  return tree_.earliest(first, past);
}

std::int32_t GreedyMatcher::take(const SortedGroups& groups, std::int64_t j) {
  const double point = grid_[j];
  const auto distance = [&](std::int32_t group) { return std::fabs(groups.value(group) - point); };
  const std::int32_t left = nearest_left(right_of_[j] - 1), right = nearest_right(right_of_[j]);
  const double to_left = left >= 0 ? distance(left) : INFINITY;
  const double to_right = right < count_ ? distance(right) : INFINITY;
  // Different values can lie at one distance: on either side of the point, or where the distance rounds.
  std::int32_t chosen;
  if (to_left < to_right && (left == 0 || distance(left - 1) > to_left)) {
    chosen = left;
  } else if (to_right < to_left && (right + 1 == count_ || distance(right + 1) > to_right)) {
    chosen = right;
  } else {
    chosen = earliest_of_ties(groups, point, std::min(to_left, to_right), left, right);
  }

  const std::int32_t column = groups.entry(next_[chosen]++);
  if (next_[chosen] == groups.end(chosen)) {  // exhausted: from now on its neighbours stand for it
    left_[chosen + 1] = chosen;
    right_[chosen] = chosen + 1;
  }
  if (has_tree_) tree_.set(chosen, next_column(groups, chosen));
  return column;
}

}  // namespace pruning_ext::ken
