// Memory layout of a row's arrays while its mask is found (ken_cuda.cu): pieces of one stretch of shared or global
// memory, which the steps use in turn.
#pragma once

#include <cstdint>
#include <type_traits>

#include "common/block_sort.cuh"
#include "kde/cuda/lattice.cuh"
#include "ken/cuda/ken_cuda.h"
#include "ken/cuda/matching.cuh"

namespace pruning_ext::ken {

using kde::CoarseLattice;
using kde::FineLattice;

// How a row is held. Buckets under the coarse lattice are below kMostError / kCoarseError = 25,000.
template <typename Shape_, typename Key_, bool kShared_>
struct Plan {
  using Shape = Shape_;
  using Key = Key_;
  static constexpr bool kShared = kShared_;
  static constexpr bool kCoarse = Shape::kTerms == CoarseLattice::kTerms;
  using Index = std::conditional_t<kShared, std::uint16_t, unsigned>;
  using Bucket = std::conditional_t<kCoarse, std::uint16_t, std::uint64_t>;
};

template <typename Offset>
struct Pieces {  // offsets in bytes, 16-byte aligned
  std::int64_t end = 0;
  template <typename T>
  Offset take(std::int64_t count) {
    const std::int64_t begin = end;
    end += (count * static_cast<std::int64_t>(sizeof(T)) + 15) / 16 * 16;
    return static_cast<Offset>(begin);
  }
};

template <typename P>
struct Layout {
  using Index = typename P::Index;
  using Offset = std::conditional_t<P::kShared, unsigned, std::int64_t>;
  Offset keys, index, order;                          // held throughout
  Offset raw, other_index, counters;                  // while the row is sorted; the counters in place of `order`
  Offset other_order, buckets, tile, order_counters;  // while the points are
  Offset place, free, summary, minima;                // while they are matched
  Offset free_before, mask;                           // while the mask is made
  std::int64_t end;
  Layout(std::int64_t n, std::int64_t k, std::int64_t warps) {
    Pieces<Offset> all;
    keys = all.template take<typename P::Key>(n), index = all.template take<Index>(n),
    order = counters = all.template take<Index>(max(k, kDigits * warps));
    Pieces<Offset> sort = all, points = all, match = all;
    raw = sort.template take<typename P::Key>(n), other_index = sort.template take<Index>(n);
    other_order = points.template take<Index>(k), buckets = points.template take<typename P::Bucket>(k);
    Pieces<Offset> lattice = points;
    tile = lattice.template take<kde::LatticeTile<typename P::Shape>>(P::kShared ? 1 : 0);
    order_counters = points.template take<Index>(kDigits * warps);
    place = match.template take<Index>(k), free = match.template take<std::uint32_t>(words_of(n)),
    summary = match.template take<std::uint32_t>(words_of(words_of(n)));
    minima = match.template take<typename EarliestFree<Index>::Node>(minima_of(n));
    free_before = match.template take<Index>(words_of(n) + 1);
    mask = match.template take<unsigned char>(P::kShared ? n : 0);
    end = max(max(sort.end, lattice.end), max(points.end, match.end));
  }
  static std::int64_t max(std::int64_t a, std::int64_t b) { return a < b ? b : a; }
};

template <typename P>
struct KenJob {
  KenParams params;
  Matching matching;
  double shrink;                 // n^-0.2
  Layout<P> layout;              // read from the constant bank where it is needed, not held in registers
  std::int64_t first_row = 0;    // of the coarse launch, which has a block for each row
  bool from_list = false;        // whether this launch takes its rows from the list
  std::int64_t* list = nullptr;  // rows for the fine lattice
  unsigned long long* list_count = nullptr;
  unsigned char* slabs = nullptr;  // for each block, where rows do not fit into shared memory
  std::int64_t slab_bytes = 0;
};

}  // namespace pruning_ext::ken
