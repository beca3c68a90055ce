// Where the edges of one column's bins lie: place_edges() of edges.cpp for one thread and a sorted column that it can
// only ask for the i-th value. The next distinct value is looked for in strides that double: mostly it is the next one,
// but a spike may be most of the column.
#pragma once

#include "common/block.cuh"
#include "mi/mi.h"

namespace pruning_ext::mi {

template <typename Value>
struct EdgeList {  // kept strictly increasing
  Value* out;
  unsigned size = 0;
  __device__ void push(Value edge) {
    if (size == 0 || edge > out[size - 1]) out[size++] = edge;
  }
};

// The first i in [first, past) with at(i) above the value; `past` if none. at(i) is ascending.
template <typename At, typename Value>
__device__ unsigned next_above(const At& at, unsigned first, unsigned past, Value value) {
  for (unsigned stride = 1; first < past; stride *= 2) {
    const unsigned probe = past - first < stride ? past - 1 : first + stride - 1;
    if (at(probe) > value) return partition_point(first, probe, [&](unsigned i) { return at(i) <= value; });
    first = probe + 1;
  }
  return past;
}

// One edge for each distinct value but the first, if there are at most `bins` of them.
template <typename At, typename Value>
__device__ bool push_distinct(const At& at, unsigned first, unsigned past, unsigned bins, EdgeList<Value>& edges) {
  unsigned distinct = 0;
  for (unsigned i = first; i < past && distinct <= bins; ++distinct) i = next_above(at, i + 1, past, at(i));
  if (distinct > bins) return false;
  for (unsigned i = next_above(at, first + 1, past, at(first)); i < past; i = next_above(at, i + 1, past, at(i)))
    edges.push(at(i));
  return true;
}

template <typename At, typename Value>
__device__ void push_quantiles(const At& at, unsigned first, unsigned past, unsigned bins, EdgeList<Value>& edges) {
  if (first == past || push_distinct(at, first, past, bins, edges)) return;
  Value previous = at(first);
  for (unsigned j = 1; j < bins; ++j) {
    const Value value = at(first + static_cast<unsigned>(static_cast<unsigned long long>(j) * (past - first) / bins));
    if (value == previous) {
      // A spike that several bins fall into, or the minimum: its own bin ends where the next value begins.
      const unsigned next = next_above(at, first, past, value);
      if (next != past) edges.push(at(next));
    } else {
      edges.push(value);
    }
    previous = value;
  }
}

template <typename At, typename Value>
__device__ void push_zero_quantiles(const At& at, unsigned n, unsigned bins, EdgeList<Value>& edges) {
  const unsigned negative = partition_point(0, n, [&](unsigned i) { return at(i) < 0; });
  const unsigned first_positive = next_above(at, negative, n, Value{0});
  const unsigned positive = n - first_positive, others = negative + positive;
  if (others == n) return push_quantiles(at, 0, n, bins, edges);
  if (push_distinct(at, 0, n, bins, edges)) return;
  const long long share = (2ll * (bins - 1) * negative + others) / (2ll * others);
  const long long least = negative > 0, most = static_cast<long long>(bins) - 1 - (positive > 0);
  const unsigned below = static_cast<unsigned>(share < least ? least : share > most ? most : share);
  if (negative > 0) {
    push_quantiles(at, 0, negative, below, edges);
    edges.push(Value{0});
  }
  if (positive > 0) {
    edges.push(at(first_positive));
    push_quantiles(at, first_positive, n, bins - 1 - below, edges);
  }
}

template <typename At, typename Value>
__device__ void push_uniform(const At& at, unsigned n, unsigned bins, EdgeList<Value>& edges) {
  const double low = at(0), high = at(n - 1);
  for (unsigned j = 1; j < bins; ++j) {
    const double t = static_cast<double>(j) / bins;
    // As the CPU rounds it: nothing fused.
#if defined(__CUDA_ARCH__)
    const Value edge = static_cast<Value>(__dadd_rn(__dmul_rn(low, 1 - t), __dmul_rn(high, t)));
#else
    const Value edge = static_cast<Value>(low * (1 - t) + high * t);
#endif
    if (edge > at(0) && edge <= at(n - 1)) edges.push(edge);
  }
}

// Writes at most bins - 1 edges, strictly increasing, and returns their number.
template <typename At, typename Value>
__device__ unsigned place_edges(const At& at, unsigned n, unsigned bins, Strategy strategy, Value* out) {
  EdgeList<Value> edges{out};
  switch (strategy) {
    case Strategy::quantile: push_quantiles(at, 0, n, bins, edges); break;
    case Strategy::zero_quantile: push_zero_quantiles(at, n, bins, edges); break;
    default: push_uniform(at, n, bins, edges);
  }
  return edges.size;
}

}  // namespace pruning_ext::mi
