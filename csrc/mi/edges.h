// Rules for the edges of one column's bins (pruning_ext/ops/reference.py has the definition), for CPU and CUDA.
//
// They ask for the i-th value of a column in ascending order, at(i), and for nothing else: the CPU holds it sorted,
// CUDA looks it up through sorted indexes. The next distinct value is looked for in strides that double: mostly it is
// the next one, but a spike may be most of the column.
#pragma once

#include <cstdint>

#include "common/macros.h"
#include "common/search.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

template <typename Value>
struct EdgeList {  // kept strictly increasing
  Value* out;
  unsigned size = 0;
  PRUNING_EXT_HOST_DEVICE void push(Value edge) {
    if (size == 0 || edge > out[size - 1]) out[size++] = edge;
  }
};

// The first i in [first, past) with at(i) above the value; `past` if none.
PRUNING_EXT_ANY_CALLABLE
template <typename Index, typename At, typename Value>
PRUNING_EXT_HOST_DEVICE inline Index next_above(const At& at, Index first, Index past, Value value) {
  for (Index stride = 1; first < past; stride *= 2) {
    const Index probe = past - first < stride ? past - 1 : first + stride - 1;
    if (at(probe) > value) return partition_point<Index>(first, probe, [&](Index i) { return at(i) <= value; });
    first = probe + 1;
  }
  return past;
}

// One edge for each distinct value but the first, if there are at most `bins` of them.
PRUNING_EXT_ANY_CALLABLE
template <typename Index, typename At, typename Value>
PRUNING_EXT_HOST_DEVICE inline bool push_distinct(const At& at, Index first, Index past, unsigned bins,
                                                  EdgeList<Value>& edges) {
  unsigned distinct = 0;
  for (Index i = first; i < past && distinct <= bins; ++distinct) i = next_above(at, i + 1, past, at(i));
  if (distinct > bins) return false;
  for (Index i = next_above(at, first + 1, past, at(first)); i < past; i = next_above(at, i + 1, past, at(i)))
    edges.push(at(i));
  return true;
}

PRUNING_EXT_ANY_CALLABLE
template <typename Index, typename At, typename Value>
PRUNING_EXT_HOST_DEVICE inline void push_quantiles(const At& at, Index first, Index past, unsigned bins,
                                                   EdgeList<Value>& edges) {
  if (first == past || push_distinct(at, first, past, bins, edges)) return;
  Value previous = at(first);
  for (unsigned j = 1; j < bins; ++j) {
    const Value value = at(first + static_cast<Index>(std::uint64_t{j} * (past - first) / bins));
    if (value == previous) {
      // A spike that several bins fall into, or the minimum: its own bin ends where the next value begins.
      const Index next = next_above(at, first, past, value);
      if (next != past) edges.push(at(next));
    } else {
      edges.push(value);
    }
    previous = value;
  }
}

PRUNING_EXT_ANY_CALLABLE
template <typename Index, typename At, typename Value>
PRUNING_EXT_HOST_DEVICE inline void push_zero_quantiles(const At& at, Index n, unsigned bins, EdgeList<Value>& edges) {
  const Index negative = partition_point<Index>(0, n, [&](Index i) { return at(i) < 0; });
  const Index first_positive = next_above(at, negative, n, Value{0});
  const Index positive = n - first_positive, others = negative + positive;
  if (others == n) return push_quantiles(at, Index{0}, n, bins, edges);
  if (push_distinct(at, Index{0}, n, bins, edges)) return;
  const std::int64_t share = static_cast<std::int64_t>((2ull * (bins - 1) * negative + others) / (2ull * others));
  const std::int64_t least = negative > 0, most = static_cast<std::int64_t>(bins) - 1 - (positive > 0);
  const unsigned below = static_cast<unsigned>(share < least ? least : share > most ? most : share);
  if (negative > 0) {
    push_quantiles(at, Index{0}, negative, below, edges);
    edges.push(Value{0});
  }
  if (positive > 0) {
    edges.push(at(first_positive));
    push_quantiles(at, first_positive, n, bins - 1 - below, edges);
  }
}

// low + (high - low) j / bins. Between whole numbers the difference and its multiple are exact, so an edge that is a
// whole number comes out as that number; j / bins would be rounded first. Where the range leaves float64, half of it
// does not.
PRUNING_EXT_HOST_DEVICE inline double uniform_edge(double low, double high, unsigned j, unsigned bins) {
  constexpr double kLargest = 0x1.fffffffffffffp1023;
#if defined(__CUDA_ARCH__)  // rounded alike everywhere: nothing fused
  const double part = __ddiv_rn(__dmul_rn(__dsub_rn(high, low), j), bins);
  if (part <= kLargest) return __dadd_rn(low, part);
  const double half = __ddiv_rn(__dsub_rn(__dmul_rn(high, 0.5), __dmul_rn(low, 0.5)), bins);
  return __dadd_rn(__dadd_rn(low, __dmul_rn(half, j)), __dmul_rn(half, j));
#else
  const double part = (high - low) * j / bins;
  if (part <= kLargest) return low + part;
  const double half = (high * 0.5 - low * 0.5) / bins;
  return low + half * j + half * j;
#endif
}

PRUNING_EXT_ANY_CALLABLE
template <typename Index, typename At, typename Value>
PRUNING_EXT_HOST_DEVICE inline void push_uniform(const At& at, Index n, unsigned bins, EdgeList<Value>& edges) {
  const double low = at(0), high = at(n - 1);
  for (unsigned j = 1; j < bins; ++j) {
    const Value edge = static_cast<Value>(uniform_edge(low, high, j, bins));
    if (edge > at(0) && edge <= at(n - 1)) edges.push(edge);
  }
}

// Writes at most bins - 1 edges, strictly increasing, and returns their number. at(i) is finite, n >= 2; for
// Strategy::uniform, which only the range matters to, the smallest and the largest value will do.
PRUNING_EXT_ANY_CALLABLE
template <typename Index, typename At, typename Value>
PRUNING_EXT_HOST_DEVICE inline unsigned place_edges(const At& at, Index n, unsigned bins, Strategy strategy,
                                                    Value* out) {
  EdgeList<Value> edges{out};
  switch (strategy) {
    case Strategy::quantile: push_quantiles(at, Index{0}, n, bins, edges); break;
    case Strategy::zero_quantile: push_zero_quantiles(at, n, bins, edges); break;
    default: push_uniform(at, n, bins, edges);
  }
  return edges.size;
}

// Whether edges that a caller gives may be: not decreasing, none NaN.
template <typename Value>
PRUNING_EXT_HOST_DEVICE inline bool are_edges(const Value* edges, std::int64_t count) {
  bool increasing = count == 0 || edges[0] == edges[0];  // not so if it is NaN
  for (std::int64_t e = 1; e < count; ++e) increasing = increasing && edges[e] >= edges[e - 1];
  return increasing;
}

}  // namespace pruning_ext::mi
