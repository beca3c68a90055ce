// Greedy matching on a line, by all threads of a block at once.
//
// Each point in turn takes the nearest entry not yet taken: a serial dictatorship. Seen as a market in which every
// entry prefers the point that comes earlier in the order, its outcome is the only stable matching (all entries rank
// the points alike), so deferred acceptance (Gale and Shapley, 1962) finds it from proposals made in *any* order: a
// point proposes to the nearest entry that nobody better holds; an entry keeps the best proposal it ever got (one
// atomicMin on its holder's rank); a point that loses its entry goes on from there. So a thread for each point, no
// turns, no barrier, and yet the same mask in every run, equal to the serial one to the last bit.
//
// Proposals are few: a point whose entry nobody contests makes one. Where many points crowd (the tails of a row) they
// walk over what better points hold; `worst` remembers for each 32 entries the worst rank among their holders, once
// somebody has seen them all, so that later walks cross them in one step. Ranks of holders only improve, which makes
// stale reads harmless: what was out of reach stays so, and a proposal that comes too late is simply made again
// elsewhere.
//
// At equal distance the entry earliest in the row is preferred. Equal values stand next to each other in that order and
// are held from the first one on, best rank first, so that the first acceptable one is found by bisection.
#pragma once

#include "common/block.cuh"
#include "common/element.h"
#include "kde/kde_math.h"

namespace pruning_ext::ken {

constexpr unsigned kNobody = 0xffffffffu;
constexpr int kStretch = 32;  // entries with one `worst`

struct GridPoints {
  double low, high, step;
  unsigned count;
  __device__ double value(unsigned j) const { return kde::grid_point(low, high, step, j, count); }
};

template <typename Key, typename Index>
struct Market {
  const Key* keys;     // [n], ascending
  const Index* index;  // [n], where each stood in the row; ascending among equal keys
  int n;
  const GridPoints& points;  // fewer than n
  const Index* order;        // [points.count], by rank
  unsigned* holder;          // [n], the rank of the point that holds an entry
  unsigned* worst;           // [n / kStretch, rounded up], never below the worst rank of the stretch

  __device__ double value(int i) const { return ordered_value(keys[i]); }
  __device__ double distance(int i, double point) const { return fabs(value(i) - point); }
  __device__ unsigned held(int i) const { return *static_cast<const volatile unsigned*>(holder + i); }
  __device__ unsigned worst_of(int stretch) const { return *static_cast<const volatile unsigned*>(worst + stretch); }
};

// The first entry at or below i that nobody better than `rank` holds; -1 if none.
template <typename Key, typename Index>
__device__ int acceptable_left(const Market<Key, Index>& market, int i, unsigned rank) {
  while (i >= 0) {
    const bool whole = i % kStretch == kStretch - 1 || i == market.n - 1;
    const int first = i / kStretch * kStretch;
    if (whole && market.worst_of(i / kStretch) < rank) {
      i = first - 1;
      continue;
    }
    unsigned worst = 0;
    for (; i >= first; --i) {
      const unsigned held = market.held(i);
      if (held > rank) return i;
      worst = max(worst, held);
    }
    if (whole) atomicMin(market.worst + first / kStretch, worst);
  }
  return -1;
}

// The first entry at or above i that nobody better holds; n if none.
template <typename Key, typename Index>
__device__ int acceptable_right(const Market<Key, Index>& market, int i, unsigned rank) {
  while (i < market.n) {
    const bool whole = i % kStretch == 0;
    const int past = min(i / kStretch * kStretch + kStretch, market.n);
    if (whole && market.worst_of(i / kStretch) < rank) {
      i = past;
      continue;
    }
    unsigned worst = 0;
    for (; i < past; ++i) {
      const unsigned held = market.held(i);
      if (held > rank) return i;
      worst = max(worst, held);
    }
    if (whole) atomicMin(market.worst + (past - 1) / kStretch, worst);
  }
  return market.n;
}

// The acceptable entry that the point prefers. `left` and `right` are where it looks on either side; what lies between
// is held by better points, and they move outwards with that.
template <typename Key, typename Index>
__device__ int preferred(const Market<Key, Index>& market, unsigned rank, double point, int& left, int& right) {
  const int n = market.n;
  left = acceptable_left(market, left, rank);
  right = acceptable_right(market, right, rank);
  const double to_left = left >= 0 ? market.distance(left, point) : __builtin_inf();
  const double to_right = right < n ? market.distance(right, point) : __builtin_inf();
  const double nearest = fmin(to_left, to_right);
  int chosen = n;
  const auto consider = [&](int i) {
    if (chosen == n || market.index[i] < market.index[chosen]) chosen = i;
  };
  // Different values can lie at one distance: on either side of the point, or, beyond the next representable value,
  // where the distance rounds.
  for (int i = left; i >= 0 && market.distance(i, point) == nearest;) {
    int first = i;
    if (i > 0 && market.keys[i - 1] == market.keys[i]) {
      const Key key = market.keys[i];
      first = partition_point(0, i, [&](int e) { return market.keys[e] < key; });
      i = partition_point(first, i, [&](int e) { return market.held(e) < rank; });
    }
    consider(i);
    if (fabs(static_cast<double>(ordered_value(static_cast<Key>(market.keys[first] - 1))) - point) != nearest) break;
    i = acceptable_left(market, first - 1, rank);
  }
  for (int i = right; i < n && market.distance(i, point) == nearest;) {
    consider(i);
    const Key key = market.keys[i];
    if (fabs(static_cast<double>(ordered_value(static_cast<Key>(key + 1))) - point) != nearest) break;
    i = partition_point(i, n, [&](int e) { return market.keys[e] <= key; });
    i = acceptable_right(market, i, rank);
  }
  return chosen;
}

// Fills `holder`.
template <typename Key, typename Index>
__device__ void match_by_proposals(const Market<Key, Index>& market) {
  const int n = market.n;
  for (int i = threadIdx.x; i < n; i += blockDim.x) market.holder[i] = kNobody;
  for (int s = threadIdx.x; s < (n + kStretch - 1) / kStretch; s += blockDim.x) market.worst[s] = kNobody;
  __syncthreads();
  for (unsigned first = threadIdx.x; first < market.points.count; first += blockDim.x) {
    double reached = 0;  // everything nearer is known to be held by better points
    for (unsigned rank = first; rank != kNobody;) {
      const double point = market.points.value(market.order[rank]);
      int left =
          partition_point(0, n, [&](int i) { return market.value(i) < point && point - market.value(i) >= reached; });
      int right =
          partition_point(left, n, [&](int i) { return market.value(i) < point || market.value(i) - point < reached; });
      --left;
      unsigned displaced = 0;
      int chosen;
      do {
        chosen = preferred(market, rank, point, left, right);
        displaced = atomicMin(market.holder + chosen, rank);
      } while (displaced < rank);
      rank = displaced;  // its search goes on, by this thread
      if (rank != kNobody) reached = market.distance(chosen, market.points.value(market.order[rank]));
    }
  }
  __syncthreads();
}

// The same, said plainly: in the order of ranks, the block finds the nearest free entry, the earliest of equals.
template <typename Key, typename Index>
__device__ void match_one_by_one(const Market<Key, Index>& market) {
  for (int i = threadIdx.x; i < market.n; i += blockDim.x) market.holder[i] = kNobody;
  __syncthreads();
  for (unsigned rank = 0; rank < market.points.count; ++rank) {
    const double point = market.points.value(market.order[rank]);
    double nearest = __builtin_inf();
    for (int i = threadIdx.x; i < market.n; i += blockDim.x) {
      if (market.holder[i] == kNobody) nearest = fmin(nearest, market.distance(i, point));
    }
    nearest = block_reduce(nearest, Min{});
    unsigned earliest = kNobody;
    int mine = 0;
    for (int i = threadIdx.x; i < market.n; i += blockDim.x) {
      if (market.holder[i] == kNobody && market.distance(i, point) == nearest && market.index[i] < earliest) {
        earliest = market.index[i];
        mine = i;
      }
    }
    if (block_reduce(earliest, Min{}) == earliest && earliest != kNobody) market.holder[mine] = rank;
    __syncthreads();
  }
}

}  // namespace pruning_ext::ken
