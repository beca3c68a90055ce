// Formulas that the CPU and the CUDA kernels share: the error at which an approximate density decides its bucket, and
// the scale and bandwidth of a row.
#pragma once

#include <cmath>

#include "common/macros.h"

namespace pruning_ext::ken {

// Several times the lattices' errors (kde/lattice.h), and what they may miss in the far tails, relative to the highest
// peak.
constexpr double kCoarseError = 2e-6, kFineError = 1e-13, kTailError = 1e-15;
// An error of the highest peak above this leaves too many buckets undecided to be worth the method.
constexpr double kMostError = 0.05;

// Whether the lattices serve a row in which no density exceeds `highest`.
PRUNING_EXT_HOST_DEVICE inline bool coarse_serves(double highest) { return highest * kCoarseError < kMostError; }
PRUNING_EXT_HOST_DEVICE inline bool fine_serves(double highest) {
  return highest * (kFineError + kTailError) < kMostError;
}

// Whether a density with this relative error may round to either of two integers. No density exceeds `highest`.
PRUNING_EXT_HOST_DEVICE inline bool is_undecided(double density, double error, double highest) {
  return fabs(density - floor(density) - 0.5) <= error * density + kTailError * highest;
}

// The factor on a row by which its grid, bandwidth and densities are finite numbers of full precision. 1 except at the
// ends of float64, where densities either all round to 0 or are so high that rounding is nothing to them, and a
// power of two takes nothing from their order (of subnormal entries beside so large a range, the last bits).
PRUNING_EXT_HOST_DEVICE inline double row_factor(double range) {
  if (!(range <= 0x1.fffffffffffffp1023)) return 0.25;
  return range < 0x1p-900 ? 0x1p120 : 1;  // entries that differ by so little are below 2^-847
}

// kde::rule_bandwidth() by KEN's rule, in its order of operations; `shrink` is n^-0.2, which a kernel is handed, so
// that all devices have the CPU's.
PRUNING_EXT_HOST_DEVICE inline double bandwidth_of(double variance, double shrink) {
  return 1.06 * sqrt(variance) * shrink;
}

}  // namespace pruning_ext::ken
