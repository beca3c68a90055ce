// From counts to information, for the CPU and for CUDA.
//
// With s(c) = c ln c the entropy of counts that sum to T is (s(T) - sum s(c)) / T, so all that a pair costs are
// look-ups of s. They are whole numbers in units of 2^-shift: sums are exact and in any order the same, hence a
// constant column has information 0, a column with itself its entropy, and (x, y) what (y, x) has, all to the last bit.
// The rounding of s moves no information by more than 1e-12 nats.
#pragma once

#include <cmath>
#include <cstdint>

#include "common/macros.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

// The largest shift for which s(T) stays below 2^61; T >= 2.
PRUNING_EXT_HOST_DEVICE inline int term_shift(std::int64_t samples) {
  const double largest = static_cast<double>(samples) * std::log(static_cast<double>(samples));
  return 61 - static_cast<int>(std::ceil(std::log2(largest + 1)));
}

PRUNING_EXT_HOST_DEVICE inline std::int64_t count_term(std::int64_t count, int shift) {
  const double c = static_cast<double>(count);
  return count < 2 ? 0 : static_cast<std::int64_t>(std::llrint(std::ldexp(c * std::log(c), shift)));
}

struct Margin {           // of one row of codes
  std::int64_t sum;       // of the terms of its counts
  std::int32_t occupied;  // bins that are not empty
};

struct Scale {
  std::int64_t total;  // the term of T, by the logarithm that the other terms are by
  double nats;         // 1 / (T 2^shift)
  double correction;   // of an entropy, for each occupied cell but one
  Normalization normalization;
  double unit;  // of a result that is not normalised
};

PRUNING_EXT_HOST_DEVICE inline double cell_correction(Correction correction, double samples) {
  switch (correction) {
    case Correction::miller_madow: return 0.5 / samples;  // (occupied cells - 1) / 2T: Miller 1955
    default: return 0;
  }
}

PRUNING_EXT_HOST_DEVICE inline Scale scale_for(const Estimator& estimator, std::int64_t samples) {
  const int shift = term_shift(samples);
  const double t = static_cast<double>(samples);
  return {count_term(samples, shift), std::ldexp(1.0, -shift) / t, cell_correction(estimator.correction, t),
          estimator.normalization, estimator.bits ? 1.4426950408889634 : 1.0};
}

PRUNING_EXT_HOST_DEVICE inline double entropy(const Scale& scale, const Margin& margin) {
  return static_cast<double>(scale.total - margin.sum) * scale.nats + (margin.occupied - 1) * scale.correction;
}

PRUNING_EXT_HOST_DEVICE inline double norm_of(Normalization normalization, double a, double b) {
  switch (normalization) {
    case Normalization::min: return a < b ? a : b;
    case Normalization::max: return a < b ? b : a;
    case Normalization::sqrt: return std::sqrt(a * b);
    case Normalization::mean: return (a + b) / 2;
    default: return 1;
  }
}

// `joint`: of the cells of the pair's table.
PRUNING_EXT_HOST_DEVICE inline double information(const Scale& scale, const Margin& x, const Margin& y,
                                                  const Margin& joint) {
  const double value = static_cast<double>((scale.total - x.sum) - (y.sum - joint.sum)) * scale.nats +
                       (x.occupied + y.occupied - joint.occupied - 1) * scale.correction;
  if (!(value > 0)) return 0;
  if (scale.normalization == Normalization::none) return value * scale.unit;
  const double norm = norm_of(scale.normalization, entropy(scale, x), entropy(scale, y));
  return norm > 0 ? value / norm : 0;
}

}  // namespace pruning_ext::mi
