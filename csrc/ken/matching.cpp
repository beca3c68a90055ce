#include "ken/matching.h"

#include <algorithm>
#include <cmath>
#include <limits>

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
}

// The grid is even, so a division says where a group lies in it, but for the rounding; merging the two would
// mispredict a branch for every point.
void GreedyMatcher::place_points(const SortedGroups& groups, std::int64_t k) {
  const double low = grid_[0], range = grid_[k - 1] - low;
  // Of a subnormal range the quotient would be infinite.
  const double per_step =
      range > 0 ? std::min(static_cast<double>(k - 1) / range, std::numeric_limits<double>::max()) : 0;
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

std::int32_t GreedyMatcher::take(const SortedGroups& groups, std::int64_t j) {
  const double point = grid_[j];
  const auto distance = [&](std::int32_t group) { return std::fabs(groups.value(group) - point); };
  std::int32_t left = nearest_left(right_of_[j] - 1), right = nearest_right(right_of_[j]);
  const double to_left = left >= 0 ? distance(left) : INFINITY;
  const double to_right = right < count_ ? distance(right) : INFINITY;
  const double nearest = std::min(to_left, to_right);
  std::int32_t chosen = -1;
  const auto consider = [&](std::int32_t group) {
    if (chosen < 0 || groups.entry(next_[group]) < groups.entry(next_[chosen])) chosen = group;
  };
  // Different values can lie at one distance: on either side of the point, or where the distance rounds. Where the
  // neighbour is further away, so is all beyond: no need to look for what is left of it.
  for (; left >= 0 && distance(left) == nearest; left = nearest_left(left - 1)) {
    consider(left);
    if (left == 0 || distance(left - 1) > nearest) break;
  }
  for (; right < count_ && distance(right) == nearest; right = nearest_right(right + 1)) {
    consider(right);
    if (right + 1 == count_ || distance(right + 1) > nearest) break;
  }

  const std::int32_t column = groups.entry(next_[chosen]++);
  if (next_[chosen] == groups.end(chosen)) {  // exhausted: from now on its neighbours stand for it
    left_[chosen + 1] = chosen;
    right_[chosen] = chosen + 1;
  }
  return column;
}

}  // namespace pruning_ext::ken
