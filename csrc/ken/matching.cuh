// Greedy matching on a line, for one row and one block: each point in turn takes the nearest entry not yet taken.
//
// The points come by rank, a warp serves 32 of them at a time, and mostly they do not meet. Where they crowd (the tails
// of a row, 30 % of the points in a normal one) what is nearest to one is nearest to all: from what they take in turn
// the entries around them are gone, and each goes on to the next. So a lane that wants what g lanes before it want,
// too, and on the same side, looks at the g-th free entry from there at once. It is right if those before it took just
// the g entries in between; all lanes before the first that may be wrong are settled together, and the others look
// again. Every row takes k / 32 rounds at least, and by a model of normal rows not twice as many.
//
// Free entries are a bitmap, with a second that says which of its words are not empty, so that a walk over what is
// taken crosses 1024 entries a step. Among equal values it does not matter which are free, only how many: those that
// come first in the row are the ones kept (is_taken).
//
// At equal distance the entry earliest in the row is preferred. A point that may have two such entries on different
// values waits until it is the first, and then looks at all of them alone (earliest_nearest).
#pragma once

#include "common/block.cuh"
#include "common/element.h"
#include "kde/kde_math.h"

namespace pruning_ext::ken {

struct GridPoints {
  double low, high, step;
  unsigned count;
  __device__ double value(unsigned j) const { return kde::grid_point(low, high, step, j, count); }
};

PRUNING_EXT_HOST_DEVICE constexpr int words_of(std::int64_t bits) { return static_cast<int>((bits + 31) / 32); }

// A set of numbers below n.
struct FreeEntries {
  std::uint32_t* words;    // [words_of(n)]
  std::uint32_t* summary;  // [words_of(words_of(n))], which words are not 0
  int n;

  __device__ bool contains(int i) const { return words[i / 32] >> (i % 32) & 1; }

  // All of them; by all threads of the block, which is to wait before it looks.
  __device__ void fill() const {
    const auto first = [](int bits) { return bits >= 32 ? ~0u : (1u << bits) - 1; };
    const int count = words_of(n);
    for (int w = threadIdx.x; w < count; w += blockDim.x) words[w] = first(n - 32 * w);
    for (int s = threadIdx.x; s < words_of(count); s += blockDim.x) summary[s] = first(count - 32 * s);
  }

  // Removes one that is there; any lanes at once. Its bit is set, so that subtracting it clears it.
  __device__ void remove(int i) const {
    const std::uint32_t bit = 1u << (i % 32);
    if (atomicAdd(words + i / 32, 0u - bit) == bit) atomicAdd(summary + i / 1024, 0u - (1u << (i / 32 % 32)));
  }

  // How many lie in [begin, end).
  __device__ int count(int begin, int end) const {
    int total = 0;
    for (int w = begin / 32; 32 * w < end; ++w) {
      std::uint32_t bits = words[w];
      if (32 * w < begin) bits &= ~0u << (begin % 32);
      if (end - 32 * w < 32) bits &= (1u << (end - 32 * w)) - 1;
      total += __popc(bits);
    }
    return total;
  }

  // The first at or above `from`, `skip` others aside; n if there is none.
  __device__ int above(int from, int skip = 0) const {
    if (from >= n) return n;
    int w = from / 32;
    std::uint32_t bits = words[w] & ~0u << (from % 32);
    for (int here = __popc(bits); here <= skip; here = __popc(bits)) {
      skip -= here;
      w = next_word(w + 1);
      if (w == words_of(n)) return n;
      bits = words[w];
    }
    return 32 * w + (skip == 0 ? __ffs(bits) - 1 : nth_bit(bits, skip));
  }

  // The first at or below `from`, `skip` others aside; -1 if there is none.
  __device__ int below(int from, int skip = 0) const {
    if (from < 0) return -1;
    int w = from / 32;
    std::uint32_t bits = words[w] & ~0u >> (31 - from % 32);
    int here = __popc(bits);
    for (; here <= skip; here = __popc(bits)) {
      skip -= here;
      w = last_word(w - 1);
      if (w < 0) return -1;
      bits = words[w];
    }
    return 32 * w + (skip == 0 ? 31 - __clz(static_cast<int>(bits)) : nth_bit(bits, here - 1 - skip));
  }

 private:
  // The first word at or above w that is not empty; as many as there are if none.
  __device__ int next_word(int w) const {
    const int count = words_of(n);
    if (w >= count) return count;
    int s = w / 32;
    std::uint32_t filled = summary[s] & ~0u << (w % 32);
    while (filled == 0) {
      if (++s >= words_of(count)) return count;
      filled = summary[s];
    }
    return 32 * s + __ffs(filled) - 1;
  }

  // The last at or below w; -1 if none.
  __device__ int last_word(int w) const {
    if (w < 0) return -1;
    int s = w / 32;
    std::uint32_t filled = summary[s] & ~0u >> (31 - w % 32);
    while (filled == 0) {
      if (--s < 0) return -1;
      filled = summary[s];
    }
    return 32 * s + 31 - __clz(static_cast<int>(filled));
  }

  // Where the bit is that has `skip` others below.
  static __device__ int nth_bit(std::uint32_t bits, int skip) {
    int at = 0;
#pragma unroll
    for (int width = 16; width > 0; width /= 2) {
      const int lower = __popc(bits >> at & ((1u << width) - 1));
      if (skip >= lower) skip -= lower, at += width;
    }
    return at;
  }
};

template <typename Key, typename Index>
struct Market {
  const Key* keys;     // [n], ascending
  const Index* index;  // [n], where each stood in the row; ascending among equal keys
  int n;
  const GridPoints& points;  // fewer than n
  const Index* order;        // [points.count], by rank
  Index* place;              // [points.count], by rank: the first entry not below the point
  FreeEntries free;

  __device__ double value(int i) const { return ordered_value(keys[i]); }
  __device__ double distance(int i, double point) const { return fabs(value(i) - point); }
  // From the next representable value above or below entry i.
  __device__ double distance_beyond(int i, double point, bool up) const {
    return fabs(static_cast<double>(ordered_value(static_cast<Key>(up ? keys[i] + 1 : keys[i] - 1))) - point);
  }
  __device__ int first_equal(int i) const {
    const Key key = keys[i];
    return partition_point(0, i, [&](int e) { return keys[e] < key; });
  }
  __device__ int past_equal(int i) const {
    const Key key = keys[i];
    return partition_point(i, n, [&](int e) { return keys[e] <= key; });
  }
  // Whether entry i is kept: those taken among equal values are the first of them.
  __device__ bool is_taken(int i, bool keep_ties) const {
    const Key key = keys[i];
    if ((i == 0 || keys[i - 1] != key) && (i + 1 == n || keys[i + 1] != key)) return !free.contains(i);
    const int first = first_equal(i), past = past_equal(i), taken = past - first - free.count(first, past);
    return keep_ties ? taken > 0 : i - first < taken;
  }
};

struct Choice {
  int entry;
  bool up;
  bool alone;  // no entry of another value can be as near
};

// The nearer of two free entries on either side of a point; -1 and n are none.
template <typename Key, typename Index>
__device__ Choice nearer(const Market<Key, Index>& market, double point, int lower, int upper) {
  constexpr double kInf = __builtin_inf();
  const double down = lower >= 0 ? market.distance(lower, point) : kInf;
  const double up = upper < market.n ? market.distance(upper, point) : kInf;
  const bool is_up = up < down;
  const int entry = is_up ? upper : lower;
  return {entry, is_up, up != down && market.distance_beyond(entry, point, is_up) != fmin(up, down)};
}

// Of all free entries nearest to a point the one earliest in the row, as any free entry of its value; by one thread.
template <typename Key, typename Index>
__device__ int earliest_nearest(const Market<Key, Index>& market, double point, int place) {
  constexpr double kInf = __builtin_inf();
  const FreeEntries& free = market.free;
  int lower = free.below(place - 1), upper = free.above(place);
  const double nearest =
      fmin(lower >= 0 ? market.distance(lower, point) : kInf, upper < market.n ? market.distance(upper, point) : kInf);
  int chosen = -1;
  Index earliest = 0;
  // Of the values' run [first, past) the next to be taken is the one behind those that are.
  const auto consider = [&](int i, int first, int past) {
    const Index next = market.index[past - free.count(first, past)];
    if (chosen < 0 || next < earliest) chosen = i, earliest = next;
  };
  while (lower >= 0 && market.distance(lower, point) == nearest) {
    const int first = market.first_equal(lower);
    consider(lower, first, market.past_equal(lower));
    lower = free.below(first - 1);
  }
  while (upper < market.n && market.distance(upper, point) == nearest) {
    const int past = market.past_equal(upper);
    consider(upper, market.first_equal(upper), past);
    upper = free.above(past);
  }
  return chosen;
}

// Serves ranks [first, first + 32); by all lanes of a warp.
template <typename Key, typename Index>
__device__ void match_warp(const Market<Key, Index>& market, unsigned first) {
  const FreeEntries& free = market.free;
  const unsigned rank = first + lane_index(), before = (1u << lane_index()) - 1;
  const unsigned nothing = ~lane_index();  // what only this lane wants
  bool waits = rank < market.points.count;
  const double point = waits ? market.points.value(market.order[rank]) : 0;
  const int place = waits ? static_cast<int>(market.place[rank]) : 0;
  int lower = place - 1, upper = place;  // nothing is free between the two
  for (unsigned waiting = __ballot_sync(kAllLanes, waits); waiting != 0; waiting = __ballot_sync(kAllLanes, waits)) {
    Choice wanted{}, got{};
    if (waits) {
      lower = free.below(lower), upper = free.above(upper);
      got = wanted = nearer(market, point, lower, upper);
    }
    const unsigned want = waits ? 2 * static_cast<unsigned>(wanted.entry) + wanted.up : nothing;
    const unsigned rivals = __match_any_sync(kAllLanes, want) & before;
    if (waits && rivals != 0) {
      const int next_lower = wanted.up ? lower : free.below(lower, __popc(rivals));
      const int next_upper = wanted.up ? free.above(upper, __popc(rivals)) : upper;
      const bool any = next_lower >= 0 || next_upper < market.n;
      got = any ? nearer(market, point, next_lower, next_upper) : Choice{wanted.entry, wanted.up, false};
    }
    const unsigned turned = __ballot_sync(kAllLanes, got.up != wanted.up);
    const unsigned same = __match_any_sync(kAllLanes, waits ? static_cast<unsigned>(got.entry) : nothing) & before;
    const bool doubtful = waits && (!wanted.alone || !got.alone || (rivals & turned) != 0 || same != 0);
    const unsigned doubts = __ballot_sync(kAllLanes, doubtful);
    const unsigned settled = waiting & ((doubts & (0u - doubts)) - 1);
    // Nothing but the data keeps a removal behind the looks of other lanes, and it is enough: what each of them read of
    // the free entries went into the votes above, and these into `settled`.
    if (settled >> lane_index() & 1) {
      free.remove(got.entry);
      waits = false;
    } else if (settled == 0 && (waiting & before) == 0 && waits) {
      free.remove(earliest_nearest(market, point, place));
      waits = false;
    }
    __syncwarp();
  }
}

// Takes as many entries from market.free, which is full, as there are points.
template <typename Key, typename Index>
__device__ void match_by_warp(const Market<Key, Index>& market) {
  for (unsigned rank = threadIdx.x; rank < market.points.count; rank += blockDim.x) {
    const double point = market.points.value(market.order[rank]);
    market.place[rank] =
        static_cast<Index>(partition_point(0, market.n, [&](int i) { return market.value(i) < point; }));
  }
  __syncthreads();
  if (warp_index() == 0) {
    for (unsigned first = 0; first < market.points.count; first += kWarp) match_warp(market, first);
  }
  __syncthreads();
}

// The same, said plainly: in the order of ranks, the block finds the nearest free entry, the earliest of equals.
template <typename Key, typename Index>
__device__ void match_one_by_one(const Market<Key, Index>& market) {
  constexpr unsigned kNone = ~0u;
  for (unsigned rank = 0; rank < market.points.count; ++rank) {
    __syncthreads();
    const double point = market.points.value(market.order[rank]);
    double nearest = __builtin_inf();
    for (int i = threadIdx.x; i < market.n; i += blockDim.x) {
      if (market.free.contains(i)) nearest = fmin(nearest, market.distance(i, point));
    }
    nearest = block_reduce(nearest, Min{});
    unsigned earliest = kNone;
    int mine = 0;
    for (int i = threadIdx.x; i < market.n; i += blockDim.x) {
      if (market.free.contains(i) && market.distance(i, point) == nearest && market.index[i] < earliest) {
        earliest = market.index[i];
        mine = i;
      }
    }
    if (block_reduce(earliest, Min{}) == earliest && earliest != kNone) market.free.remove(mine);
  }
  __syncthreads();
}

}  // namespace pruning_ext::ken
