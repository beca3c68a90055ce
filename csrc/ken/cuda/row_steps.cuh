// One row's steps before and after its matching, by a block (ken_cuda.cu): load, sort, order the points, write the
// mask.
#pragma once

#include "common/block_sort.cuh"
#include "kde/cuda/lattice.cuh"
#include "ken/cuda/ken_layout.cuh"
#include "ken/cuda/matching.cuh"
#include "ken/ken_math.h"

namespace pruning_ext::ken {

template <typename Key>
struct SortedRow {  // as gaussian_sums() wants it
  const Key* keys;
  unsigned count;
  __device__ double value(unsigned i) const { return ordered_value(keys[i]); }
  __device__ double weight(unsigned) const { return 1; }
};

// A bucket as a key: ascending keys are descending buckets. 0 is kept for the undecided.
__device__ inline void set_key(std::uint16_t& key, double bucket) {
  key = static_cast<std::uint16_t>(0xffff - static_cast<int>(bucket));
}
__device__ inline void set_key(std::uint64_t& key, double bucket) { key = ~__builtin_bit_cast(std::uint64_t, bucket); }

struct RowScale {
  double bandwidth;
  double density;  // of a sum of 1
  double highest;  // no density exceeds it
};

// order [k]: the points by rounded density, highest first, equal ones ascending.
template <typename P>
__device__ void order_points(const SortedRow<typename P::Key>& row, const GridPoints& points, const RowScale& scale,
                             const kde::LatticeConstants<typename P::Shape>& constants, const Layout<P>& layout,
                             unsigned char* memory, kde::LatticeTile<typename P::Shape>& tile) {
  using Index = typename P::Index;
  using Bucket = typename P::Bucket;
  const double error = P::kCoarse ? kCoarseError : kFineError;
  Bucket* const buckets = reinterpret_cast<Bucket*>(memory + layout.buckets);
  const bool approximate = P::kCoarse || fine_serves(scale.highest);
  for (unsigned j = threadIdx.x; j < points.count; j += blockDim.x) buckets[j] = 0;
  __syncthreads();
  if (approximate) {
    gaussian_sums<typename P::Shape>(constants, row, points, scale.bandwidth, tile, [&](unsigned j, double sum) {
      const double density = sum > 0 ? sum * scale.density : 0;  // not 0 times infinity
      if (!is_undecided(density, error, scale.highest)) set_key(buckets[j], rint(density));
    });
  }
  for (unsigned first = warp_index() * kWarp; first < points.count; first += warp_count() * kWarp) {
    const unsigned mine = first + lane_index();
    for (unsigned rest = __ballot_sync(kAllLanes, mine < points.count && buckets[mine] == 0); rest != 0;
         rest &= rest - 1) {
      const unsigned j = first + __ffs(rest) - 1;
      const double sum = kde::direct_sum(row, 0, row.count, points.value(j), scale.bandwidth);
      if (lane_index() == 0) set_key(buckets[j], sum > 0 ? rint(sum * scale.density) : 0);
    }
  }
  Index* const order = reinterpret_cast<Index*>(memory + layout.order);
  Index* const other = reinterpret_cast<Index*>(memory + layout.other_order);
  for (unsigned j = threadIdx.x; j < points.count; j += blockDim.x) order[j] = static_cast<Index>(j);
  __syncthreads();
  Index* const counters = reinterpret_cast<Index*>(memory + layout.order_counters);
  const Index* const sorted = block_argsort<8 * sizeof(Bucket)>([buckets](unsigned j) { return buckets[j]; },
                                                                points.count, order, other, counters);
  if (sorted == order) return;
  for (unsigned j = threadIdx.x; j < points.count; j += blockDim.x) order[j] = sorted[j];
  __syncthreads();
}

// Sorts raw [n] into keys and index.
template <typename P>
__device__ void sort_row(unsigned n, const Layout<P>& layout, unsigned char* memory) {
  using Key = typename P::Key;
  using Index = typename P::Index;
  const Key* const raw = reinterpret_cast<const Key*>(memory + layout.raw);
  Key* const keys = reinterpret_cast<Key*>(memory + layout.keys);
  Index* const index = reinterpret_cast<Index*>(memory + layout.index);
  const Index* const sorted = block_argsort<8 * sizeof(Key)>([raw](unsigned i) { return raw[i]; }, n, index,
                                                             reinterpret_cast<Index*>(memory + layout.other_index),
                                                             reinterpret_cast<Index*>(memory + layout.counters));
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
    const Index from = sorted[i];
    keys[i] = raw[from];
    index[i] = from;
  }
  __syncthreads();
}

struct RowShape {
  double low, high, bandwidth;
  bool finite;
};

// Population variance of x[i] 2^-exponent; for all threads of the block.
template <bool kScaled, typename Value>
__device__ double variance_of(unsigned n, const Value& value, int exponent) {
  double sum = 0, spread = 0;
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) sum += kScaled ? ldexp(value(i), -exponent) : value(i);
  const double mean = block_reduce(sum, Add{}) / n;
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
    const double centred = (kScaled ? ldexp(value(i), -exponent) : value(i)) - mean;
    spread += centred * centred;
  }
  return block_reduce(spread, Add{}) / n;
}

template <typename P>
__device__ RowShape load_row(const KenJob<P>& job, std::int64_t r, unsigned char* memory) {
  using Key = typename P::Key;
  Key* const raw = reinterpret_cast<Key*>(memory + job.layout.raw);
  typename P::Index* const index = reinterpret_cast<typename P::Index*>(memory + job.layout.index);
  const unsigned n = static_cast<unsigned>(job.params.weight.cols);
  double low = __builtin_inf(), high = -low;
  int finite = 1;
  for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
    const auto x = element<decltype(ordered_value(Key{}))>(job.params.weight, r, i);
    raw[i] = ordered_bits(x);
    index[i] = static_cast<typename P::Index>(i);
    low = x < low ? x : low;
    high = x > high ? x : high;
    finite &= isfinite(x);
  }
  finite = block_reduce(finite, Min{});
  low = block_reduce(low, Min{});
  high = block_reduce(high, Max{});
  const auto value = [raw](unsigned i) { return static_cast<double>(ordered_value(raw[i])); };
  if constexpr (sizeof(Key) == sizeof(double)) {
    if (const double factor = row_factor(high - low); factor != 1 && low < high) {
      for (unsigned i = threadIdx.x; i < n; i += blockDim.x) raw[i] = ordered_bits(value(i) * factor);
      low *= factor;
      high *= factor;
    }
    const double variance = variance_of<false>(n, value, 0);
    if (!kde::holds_variance(variance)) {
      const int exponent = ilogb(fmax(fabs(low), fabs(high)));
      const double scaled = variance_of<true>(n, value, exponent);
      return {low, high, ldexp(bandwidth_of(scaled, job.shrink), exponent), finite != 0};
    }
    return {low, high, bandwidth_of(variance, job.shrink), finite != 0};
  } else {
    return {low, high, bandwidth_of(variance_of<false>(n, value, 0), job.shrink), finite != 0};
  }
}

// mask [n] in the order of the row; `free_before` [words_of(n) + 1] is scratch.
template <typename Key, typename Index>
__device__ void mark(const MatchingState<Key, Index>& state, Index* free_before, bool keep_ties, unsigned char* mask) {
  state.free.count_words(free_before);
  for (int i = threadIdx.x; i < state.n; i += blockDim.x)
    mask[state.index[i]] = state.is_taken(i, free_before, keep_ties);
  __syncthreads();
}

}  // namespace pruning_ext::ken
