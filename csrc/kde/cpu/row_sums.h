// The Gaussian sums of one row, by whichever method is cheapest at the accuracy asked for.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "common/row_kernels.h"
#include "kde/cpu/kde_kernels.h"
#include "kde/kde.h"

namespace pruning_ext::kde {

// A row in ascending order of its samples.
struct SortedRow {
  const double* samples;      // [n]
  const double* weights;      // [n], or nullptr for ones
  const std::int64_t* order;  // [n]: where each stood in the row
  std::int64_t n;
  double heaviest;  // the largest weight
};

// One per thread; keeps its scratch memory from row to row.
class RowSolver {
 public:
  // Fills row.sums. `samples` and `points` are the ranges of row.samples and row.points.
  void solve(const RowSums& row, const RowRange& samples, const RowRange& points, Accuracy accuracy);

  // Valid until the next call.
  SortedRow sort(const RowSums& row);

 private:
  void solve_by_lattice(const RowSums& row, const RowRange& samples, const RowRange& points, Accuracy accuracy);
  void solve_by_islands(const RowSums& row, Accuracy accuracy);

  AlignedBuffer<double> workspace_, sorted_samples_, sorted_weights_, sorted_points_, sorted_sums_;
  AlignedBuffer<std::int64_t> order_, point_order_;
};

}  // namespace pruning_ext::kde
