// Greedy matching on a line, for one row and one block: each point in turn takes the nearest entry not yet taken.
//
// match_warp() serves 32 points at a time, in the order of their ranks, one lane each:
//
//   1. Each waiting lane looks for the nearest free entry on either side and wants the nearer.
//   2. If g lanes before it want the same entry from the same side, it looks at the g-th free entry from there: where
//      points crowd (the tails of a row, 30 % of a normal one) what is nearest to one is nearest to all, and each in
//      turn takes the next. That is right if those before took just the g entries in between.
//   3. A lane is in doubt if it is not (a rival turned to the other side, another lane got the same entry), or if an
//      entry of another value may be equally near.
//   4. All lanes before the first in doubt take their entries; the others look again.
//   5. If the first waiting lane is itself in doubt, it alone settles its tie by a walk (walk_ties): at equal distance
//      the entry earliest in the row is taken.
//
//   while any lane waits:
//     wanted = nearest free entry;  g = lanes before with the same wish
//     got    = g-th free entry from there
//     doubt  = tie(wanted) or tie(got) or a rival turned or got by a lane before
//     lanes before the first doubt: remove got, stop waiting
//     if there is none: the first lane removes walk_ties()
//
// Every row takes k / 32 rounds at least, and by a model of normal rows not twice as many. Among equal values it does
// not matter which are free, only how many: those that come first in the row are the ones kept (is_taken).
//
// Ties are mostly of two entries. Beside an outlier 1e16 times the others' spread, distances of a whole row round to
// one number. Once the walks of a row have cost as much as the alternative would, the row starts again by
// match_in_turn(): one point after the other; the warp finds both ends of the tie by binary search, since a distance,
// rounded or not, does not shrink from one entry to the next further out, and the earliest entry between them by a
// range-minimum tree (earliest.cuh). A point then costs some 350 instructions, whatever the row is like.
#pragma once

#include "common/block.cuh"
#include "common/element.h"
#include "kde/kde_math.h"
#include "ken/cuda/earliest.cuh"
#include "ken/cuda/free_entries.cuh"

namespace pruning_ext::ken {

struct GridPoints {
  double low, high, step;
  unsigned count;
  __device__ double value(unsigned j) const { return kde::grid_point(low, high, step, j, count); }
};

template <typename Key, typename Index>
struct MatchingState {
  const Key* keys;     // [n], ascending
  const Index* index;  // [n], where each stood in the row; ascending among equal keys
  int n;
  const GridPoints& points;  // fewer than n
  const Index* order;        // [points.count], by rank
  Index* place;              // [points.count], by rank: the first entry not below the point
  FreeEntries free;
  EarliestFree<Index> earliest;  // of those, while the points are served in turn

  __device__ double value(int i) const { return ordered_value(keys[i]); }
  __device__ double distance(int i, double point) const { return fabs(value(i) - point); }
  __device__ int first_equal(int i) const {
    const Key key = keys[i];
    if (i == 0 || keys[i - 1] != key) return i;
    return partition_point(0, i, [&](int e) { return keys[e] < key; });
  }
  __device__ int past_equal(int i) const {
    const Key key = keys[i];
    if (i + 1 == n || keys[i + 1] != key) return i + 1;
    return partition_point(i, n, [&](int e) { return keys[e] <= key; });
  }
  // Whether no other value above or below entry i is as near as that is.
  __device__ bool is_alone(int i, double point, bool up, double nearest) const {
    // Mostly the next representable value is further away. Beside a 0, say, it need not be.
    const double beyond = ordered_value(static_cast<Key>(up ? keys[i] + 1 : keys[i] - 1));
    if (fabs(beyond - point) != nearest) return true;
    const int next = up ? past_equal(i) : first_equal(i) - 1;
    return next < 0 || next == n || distance(next, point) != nearest;
  }
  // Whether entry i is kept: those taken among equal values are the first of them.
  __device__ bool is_taken(int i, const Index* free_before, bool keep_ties) const {
    const int first = first_equal(i), past = past_equal(i);
    if (past - first == 1) return !free.contains(i);
    const int taken = past - first - (free.before(past, free_before) - free.before(first, free_before));
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
__device__ Choice nearer(const MatchingState<Key, Index>& state, double point, int lower, int upper) {
  constexpr double kInf = __builtin_inf();
  const double down = lower >= 0 ? state.distance(lower, point) : kInf;
  const double up = upper < state.n ? state.distance(upper, point) : kInf;
  const bool is_up = up < down;
  const int entry = is_up ? upper : lower;
  return {entry, is_up, up != down && state.is_alone(entry, point, is_up, fmin(up, down))};
}

// Of all free entries nearest to a point the one earliest in the row, as any free entry of its value; by one thread. -1
// if that would cost all `patience` that is left, in steps of about what a point costs match_in_turn().
template <typename Key, typename Index>
__device__ int walk_ties(const MatchingState<Key, Index>& state, double point, int place, unsigned& patience) {
  constexpr double kInf = __builtin_inf();
  const FreeEntries& free = state.free;
  int lower = free.below(place - 1), upper = free.above(place);
  const double nearest =
      fmin(lower >= 0 ? state.distance(lower, point) : kInf, upper < state.n ? state.distance(upper, point) : kInf);
  int chosen = -1;
  Index earliest = 0;
  unsigned left = patience;
  // Of the values' run [first, past) the next to be taken is the one behind those that are.
  const auto consider = [&](int i, int first, int past) {
    const unsigned steps = 1 + static_cast<unsigned>(past - first) / 1024;
    left = left > steps ? left - steps : 0;
    const Index next = state.index[past - free.count(first, past)];
    if (chosen < 0 || next < earliest) chosen = i, earliest = next;
  };
  while (lower >= 0 && left > 0 && state.distance(lower, point) == nearest) {
    const int first = state.first_equal(lower);
    consider(lower, first, state.past_equal(lower));
    lower = free.below(first - 1);
  }
  while (upper < state.n && left > 0 && state.distance(upper, point) == nearest) {
    const int past = state.past_equal(upper);
    consider(upper, state.first_equal(upper), past);
    upper = free.above(past);
  }
  patience = left;
  return left > 0 ? chosen : -1;
}

// Serves ranks [first, first + 32); by all lanes of a warp. False, and the rest not served, once no patience is left.
template <typename Key, typename Index>
__device__ bool match_warp(const MatchingState<Key, Index>& state, unsigned first, unsigned& patience) {
  const FreeEntries& free = state.free;
  const unsigned rank = first + lane_index(), before = (1u << lane_index()) - 1;
  const unsigned nothing = ~lane_index();  // what only this lane wants
  bool waits = rank < state.points.count;
  const double point = waits ? state.points.value(state.order[rank]) : 0;
  const int place = waits ? static_cast<int>(state.place[rank]) : 0;
  int lower = place - 1, upper = place;  // nothing is free between the two
  for (unsigned waiting = __ballot_sync(kAllLanes, waits); waiting != 0; waiting = __ballot_sync(kAllLanes, waits)) {
    Choice wanted{}, got{};
    if (waits) {
      lower = free.below(lower), upper = free.above(upper);
      got = wanted = nearer(state, point, lower, upper);
    }
    const unsigned want = waits ? 2 * static_cast<unsigned>(wanted.entry) + wanted.up : nothing;
    const unsigned rivals = __match_any_sync(kAllLanes, want) & before;
    if (waits && rivals != 0) {
      const int next_lower = wanted.up ? lower : free.below(lower, __popc(rivals));
      const int next_upper = wanted.up ? free.above(upper, __popc(rivals)) : upper;
      const bool any = next_lower >= 0 || next_upper < state.n;
      got = any ? nearer(state, point, next_lower, next_upper) : Choice{wanted.entry, wanted.up, false};
    }
    const unsigned turned = __ballot_sync(kAllLanes, got.up != wanted.up);
    const unsigned same = __match_any_sync(kAllLanes, waits ? static_cast<unsigned>(got.entry) : nothing) & before;
    const bool doubtful = waits && (!wanted.alone || !got.alone || (rivals & turned) != 0 || same != 0);
    const unsigned doubts = __ballot_sync(kAllLanes, doubtful);
    const unsigned settled = waiting & ((doubts & (0u - doubts)) - 1);
    // Nothing but the data keeps a removal behind the looks of other lanes, and it is enough: what each of them read of
    // the free entries went into the votes above, and these into `settled`.
    if (settled == 0) {
      if ((waiting & before) == 0 && waits) {
        const int entry = walk_ties(state, point, place, patience);
        if (entry >= 0) free.remove(entry);
        waits = false;
      }
      __syncwarp();
      if (patience == 0) return false;
    } else if (settled >> lane_index() & 1) {
      free.remove(got.entry);
      waits = false;
    }
    __syncwarp();
  }
  return true;
}

// Serves all points, one after the other; by all lanes of a warp. state.free is full, and state.earliest filled.
template <typename Key, typename Index>
__device__ void match_in_turn(const MatchingState<Key, Index>& state) {
  constexpr double kInf = __builtin_inf();
  for (unsigned rank = 0; rank < state.points.count; ++rank) {
    const double point = state.points.value(state.order[rank]);
    const int place = static_cast<int>(state.place[rank]);
    const int lower = state.free.below(place - 1), upper = state.free.above(place);
    const double down = lower >= 0 ? state.distance(lower, point) : kInf;
    const double up = upper < state.n ? state.distance(upper, point) : kInf;
    // The ends of what is as near as the nearest; between the two sides nothing is free.
    int first = lower + 1, past = upper;
    if (down <= up) first = warp_partition_point(0, lower + 1, [&](int i) { return state.distance(i, point) > down; });
    if (up <= down) past = warp_partition_point(upper, state.n, [&](int i) { return state.distance(i, point) <= up; });
    state.earliest.remove(state.earliest.in(first, past));
  }
}

// Takes as many entries from state.free, which is full, as there are points.
template <typename Key, typename Index>
__device__ void match_by_warp(const MatchingState<Key, Index>& state, bool in_turn) {
  __shared__ unsigned patience;
  if (threadIdx.x == 0) patience = in_turn ? 0 : kWarp + state.points.count / 2;
  for (unsigned rank = threadIdx.x; rank < state.points.count; rank += blockDim.x) {
    const double point = state.points.value(state.order[rank]);
    state.place[rank] = static_cast<Index>(partition_point(0, state.n, [&](int i) { return state.value(i) < point; }));
  }
  __syncthreads();
  if (warp_index() == 0 && !in_turn) {
    for (unsigned first = 0; first < state.points.count; first += kWarp) {
      if (!match_warp(state, first, patience)) break;
    }
  }
  __syncthreads();
  if (patience > 0) return;
  state.free.fill();
  __syncthreads();
  state.earliest.fill();
  if (warp_index() == 0) match_in_turn(state);
  __syncthreads();
}

// The same, said plainly: in the order of ranks, the block finds the nearest free entry, the earliest of equals.
template <typename Key, typename Index>
__device__ void match_one_by_one(const MatchingState<Key, Index>& state) {
  constexpr unsigned kNone = ~0u;
  for (unsigned rank = 0; rank < state.points.count; ++rank) {
    __syncthreads();
    const double point = state.points.value(state.order[rank]);
    double nearest = __builtin_inf();
    for (int i = threadIdx.x; i < state.n; i += blockDim.x) {
      if (state.free.contains(i)) nearest = fmin(nearest, state.distance(i, point));
    }
    nearest = block_reduce(nearest, Min{});
    unsigned earliest = kNone;
    int mine = 0;
    for (int i = threadIdx.x; i < state.n; i += blockDim.x) {
      if (state.free.contains(i) && state.distance(i, point) == nearest && state.index[i] < earliest) {
        earliest = state.index[i];
        mine = i;
      }
    }
    if (block_reduce(earliest, Min{}) == earliest && earliest != kNone) state.free.remove(mine);
  }
  __syncthreads();
}

}  // namespace pruning_ext::ken
