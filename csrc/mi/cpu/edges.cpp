#include "mi/cpu/edges.h"

#include <algorithm>

namespace pruning_ext::mi {
namespace {

// Edges in the making: kept strictly increasing.
template <typename Value>
class Edges {
 public:
  explicit Edges(Value* out) : out_(out) {}

  void push(Value edge) {
    if (size_ == 0 || edge > out_[size_ - 1]) out_[size_++] = edge;
  }
  std::int64_t size() const { return size_; }

 private:
  Value* out_;
  std::int64_t size_ = 0;
};

// One edge for each distinct value but the first, if there are at most `bins` of them.
template <typename Value>
bool push_distinct(const Value* sorted, std::int64_t n, std::int64_t bins, Edges<Value>& edges) {
  std::int64_t distinct = 1;
  for (std::int64_t i = 1; i < n && distinct <= bins; ++i) distinct += sorted[i] != sorted[i - 1];
  if (distinct > bins) return false;
  for (std::int64_t i = 1; i < n; ++i) {
    if (sorted[i] != sorted[i - 1]) edges.push(sorted[i]);
  }
  return true;
}

template <typename Value>
void push_quantiles(const Value* sorted, std::int64_t n, std::int64_t bins, Edges<Value>& edges) {
  if (n == 0 || push_distinct(sorted, n, bins, edges)) return;
  const Value* end = sorted + n;
  Value previous = sorted[0];
  for (std::int64_t j = 1; j < bins; ++j) {
    const Value value = sorted[j * n / bins];
    if (value == previous) {
      // A spike that several bins fall into, or the minimum: its own bin ends where the next value begins.
      const Value* next = std::upper_bound(sorted, end, value);
      if (next != end) edges.push(*next);
    } else {
      edges.push(value);
    }
    previous = value;
  }
}

template <typename Value>
void push_zero_quantiles(const Value* sorted, std::int64_t n, std::int64_t bins, Edges<Value>& edges) {
  const Value* end = sorted + n;
  const std::int64_t negative = std::lower_bound(sorted, end, Value{0}) - sorted;
  const std::int64_t positive = end - std::upper_bound(sorted, end, Value{0});
  const std::int64_t others = negative + positive;
  if (others == n) return push_quantiles(sorted, n, bins, edges);
  if (push_distinct(sorted, n, bins, edges)) return;
  std::int64_t below = (2 * (bins - 1) * negative + others) / (2 * others);
  below = std::min(std::max<std::int64_t>(below, negative > 0), bins - 1 - (positive > 0));
  if (negative > 0) {
    push_quantiles(sorted, negative, below, edges);
    edges.push(Value{0});
  }
  if (positive > 0) {
    edges.push(end[-positive]);
    push_quantiles(end - positive, positive, bins - 1 - below, edges);
  }
}

template <typename Value>
void push_uniform(const Value* sorted, std::int64_t n, std::int64_t bins, Edges<Value>& edges) {
  const double low = static_cast<double>(sorted[0]), high = static_cast<double>(sorted[n - 1]);
  for (std::int64_t j = 1; j < bins; ++j) {
    const double t = static_cast<double>(j) / static_cast<double>(bins);
    const auto edge = static_cast<Value>(low * (1 - t) + high * t);
    if (edge > sorted[0] && edge <= sorted[n - 1]) edges.push(edge);
  }
}

}  // namespace

template <typename Value>
std::int64_t place_edges(const Value* sorted, std::int64_t n, std::int64_t bins, Strategy strategy, Value* out) {
  Edges<Value> edges(out);
  switch (strategy) {
    case Strategy::quantile: push_quantiles(sorted, n, bins, edges); break;
    case Strategy::zero_quantile: push_zero_quantiles(sorted, n, bins, edges); break;
    case Strategy::uniform: push_uniform(sorted, n, bins, edges); break;
  }
  return edges.size();
}

template std::int64_t place_edges(const float*, std::int64_t, std::int64_t, Strategy, float*);
template std::int64_t place_edges(const double*, std::int64_t, std::int64_t, Strategy, double*);

}  // namespace pruning_ext::mi
