// The information of pairs, tile by tile.
#pragma once

#include <cstdint>
#include <functional>

#include "mi/cpu/pair_counter.h"
#include "mi/mi_math.h"

namespace pruning_ext::mi {

struct Tile {
  std::int64_t first_row, last_row;  // of x
  std::int64_t first, last;          // partners
  const double* values;              // [kTaskRows, columns of a block]
  std::int64_t stride;

  double at(std::int64_t row, std::int64_t partner) const {
    return values[(row - first_row) * stride + partner - first];
  }
};

class PairScores {
 public:
  // Completes the margins of `prepared`, which must outlive this.
  PairScores(Prepared& prepared, const Estimator& estimator, const ParallelFor& parallel_for);

  // Calls write(tile) on all threads until rows [begin, end) of x are covered with all partners; where y is x, with
  // those from the tile's first row on.
  void for_each_tile(std::int64_t begin, std::int64_t end, const ParallelFor& parallel_for,
                     const std::function<void(const Tile&)>& write) const;

 private:
  template <typename Counter>
  void run(std::int64_t begin, std::int64_t end, const ParallelFor& parallel_for,
           const std::function<void(const Tile&)>& write) const;

  const Prepared& prepared_;
  Scale scale_;
  TermTable table_;
};

}  // namespace pruning_ext::mi
