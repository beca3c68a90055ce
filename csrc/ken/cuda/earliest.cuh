// Range-minimum tree over a row's free entries: the one of a range that stands earliest in the row. Minima of 32
// entries, of 32 of those, and so on, so that a warp answers and removes in log32 n steps (csrc/ken/cpu/earliest.h is
// the CPU's).
//
// Only what the minima are made of is kept for each 32 entries: 4 bytes, 8 where indexes have 32 bits.
#pragma once

#include <type_traits>

#include "common/block.cuh"
#include "ken/cuda/free_entries.cuh"

namespace pruning_ext::ken {

// How many minima there are over n entries; the topmost level has kWarp at most.
PRUNING_EXT_HOST_DEVICE constexpr std::int64_t minima_of(std::int64_t n) {
  std::int64_t total = 0;
  while (n > kWarp) {
    n = words_of(n);
    total += n;
  }
  return total;
}

template <typename Index>
struct EarliestFree {
  // Where an entry stood in the row, above its number.
  using Node = std::conditional_t<sizeof(Index) == 2, std::uint32_t, unsigned long long>;

  const Index* index;  // [free.n], where each stood
  FreeEntries free;    // of equal values the last, as entries() has it
  Node* minima;        // [minima_of(free.n)], level by level

  // By all threads of the block, once `free` is as it is to be.
  __device__ void fill() const {
    const Node* below = nullptr;
    Node* level = minima;
    for (int count = free.n; count > kWarp;) {
      const int past = count;
      count = words_of(count);
      __syncthreads();
      for (int at = static_cast<int>(warp_index()); at < count; at += static_cast<int>(warp_count())) {
        const int i = kWarp * at + static_cast<int>(lane_index());
        const Node least = least_of(i >= past ? kNone : below == nullptr ? entry(i) : below[i]);
        if (lane_index() == 0) level[at] = least;
      }
      below = level;
      level += count;
    }
    __syncthreads();
  }

  // Of the free entries in [begin, end), of which there is one, the earliest in the row; by all lanes of a warp.
  __device__ int in(int begin, int end) const {
    const int lane = static_cast<int>(lane_index());
    Node mine = kNone;
    // Looks at the blocks of 32 that the range cuts, or at all of the topmost level; those within are left to the next.
    const auto look = [&](int count, const auto& node) {
      const int from = count > kWarp ? min((begin + kWarp - 1) / kWarp * kWarp, end) : end;
      const int to = max(end / kWarp * kWarp, from);
      if (begin + lane < from) mine = min(mine, node(begin + lane));
      if (to + lane < end) mine = min(mine, node(to + lane));
      begin = from / kWarp, end = to / kWarp;
    };
    look(free.n, [this](int i) { return entry(i); });
    const Node* level = minima;
    for (int count = words_of(free.n); begin < end; count = words_of(count)) {
      look(count, [level](int i) { return level[i]; });
      level += count;
    }
    return static_cast<int>(least_of(mine) & kEntries);
  }

  // Removes one that is there; by all lanes of a warp.
  __device__ void remove(int i) const {
    const int lane = static_cast<int>(lane_index());
    if (lane == 0) free.remove(i);
    __syncwarp();
    int at = i / kWarp, sibling = kWarp * at + lane;
    Node mine = sibling < free.n ? entry(sibling) : kNone;
    Node* level = minima;
    for (int count = free.n; count > kWarp;) {
      const Node least = least_of(mine);
      count = words_of(count);
      if (lane == 0) level[at] = least;
      sibling = at / kWarp * kWarp + lane;
      mine = sibling == at ? least : sibling < count ? level[sibling] : kNone;
      level += count;
      at /= kWarp;
    }
    __syncwarp();
  }

 private:
  static constexpr Node kNone = ~Node{0};
  static constexpr int kEntryBits = 4 * sizeof(Node);
  static constexpr Node kEntries = (Node{1} << kEntryBits) - 1;

  __device__ Node entry(int i) const {
    return free.contains(i) ? static_cast<Node>(index[i]) << kEntryBits | static_cast<Node>(i) : kNone;
  }
  static __device__ Node least_of(Node mine) {
    if constexpr (sizeof(Node) == 4) {
      return __reduce_min_sync(kAllLanes, mine);
    } else {
      return warp_reduce(mine, Min{});
    }
  }
};

}  // namespace pruning_ext::ken
