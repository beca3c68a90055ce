// Gaussian sums and moments of one row, compiled for each instruction set. Rows are float64 and contiguous here.
#pragma once

#include <cstdint>

#include "common/cpu_isa.h"
#include "kde/lattice.h"

namespace pruning_ext::kde {

struct RowMoments {
  double mean, variance;  // population variance
  double n_eff;           // (sum w)^2 / sum w^2: N for equal weights
  double weight_sum;
};

struct Extent {  // the boxes that a row's samples and points occupy, counted from the lowest sample's
  std::int64_t sample_boxes;
  std::int64_t first_point_box, point_boxes;  // those within reach of a sample; point_boxes may be 0

  template <typename Shape>
  std::int64_t nodes() const {  // of the convolution's input; its output has point_boxes + 2 W
    return sample_boxes + point_boxes + 4 * Shape::kReach;
  }
  template <typename Shape>
  std::int64_t workspace() const {  // doubles
    return (sample_boxes + point_boxes) * Shape::kTerms + 2 * nodes<Shape>() + 64;
  }
};

struct RowSums {          // sums[j] = sum_i w_i exp(-(p_j - x_i)^2 / 2 h^2)
  const double* samples;  // [n]
  const double* weights;  // [n], or nullptr for ones
  std::int64_t n;
  const double* points;  // [k]
  std::int64_t k;
  double origin;  // the lowest sample
  double bandwidth;
  double* sums;  // [k]
};

struct Kernels {
  void (*moments)(const double* x, const double* w, std::int64_t n, RowMoments* out);
  void (*direct)(const RowSums& row);  // of a bandwidth that is a normal number
  void (*coarse_lattice)(const RowSums& row, const Extent& extent, const LatticeTables<CoarseLattice>& tables,
                         double* workspace);
  void (*fine_lattice)(const RowSums& row, const Extent& extent, const LatticeTables<FineLattice>& tables,
                       double* workspace);
};

PRUNING_EXT_DECLARE_KERNELS(Kernels)

}  // namespace pruning_ext::kde
