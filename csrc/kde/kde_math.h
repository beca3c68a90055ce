// Formulas that the CPU and the CUDA kernels share.
#pragma once

#include <cmath>
#include <cstdint>

#include "common/macros.h"
#include "kde/kde.h"

namespace pruning_ext::kde {

constexpr double kInvSqrt2Pi = 0.39894228040143267794;
constexpr double kLogSqrt2Pi = 0.91893853320467274178;

// Below this share of the largest possible sum the relative error of a fast method is no longer bounded (kde.h); the
// direct sum holds until its terms leave the range of float64.
constexpr double kFastFloor = 1e-12, kDirectFloor = 1e-290;

// With less than this left of a sum once its own sample is taken away, cancellation would show.
constexpr double kLeastRemainder = 0.1;

// The factor on a row's weights by which their sums, squares and products are finite: only shares count. 1 except where
// the heaviest is far from 1, and a power of two, so that no share is rounded (one below 1e-300 may be).
PRUNING_EXT_HOST_DEVICE inline double weight_factor(double heaviest) {
  const bool ordinary = heaviest > 0x1p-40 && heaviest < 0x1p40;  // for sums in float32, too
  if (ordinary || !(heaviest > 0) || !(heaviest <= 0x1.fffffffffffffp1023)) return 1;
  const int exponent = ilogb(heaviest);
  return ldexp(1.0, exponent < -1023 ? 1023 : -exponent);
}

// The sum of weight(i), i < n, without weight(j), where the sum of them all is known.
PRUNING_EXT_ANY_CALLABLE
template <typename Weight>
PRUNING_EXT_HOST_DEVICE inline double weight_without(const Weight& weight, std::int64_t n, std::int64_t j, double all) {
  const double rest = all - weight(j);
  if (rest >= kLeastRemainder * all) return rest;
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += i == j ? 0.0 : weight(i);
  return sum;
}

// log sum_i exp(term_i), term by term; -inf adds nothing.
struct LogSum {
  double largest = -HUGE_VAL, sum = 0;  // of exp(term - largest)
  PRUNING_EXT_HOST_DEVICE void add(double term) {
    if (term > largest) {
      sum = sum * exp(largest - term) + 1;
      largest = term;
    } else if (term > -HUGE_VAL) {
      sum += exp(term - largest);
    }
  }
  PRUNING_EXT_HOST_DEVICE double value() const { return largest + log(sum); }  // -inf while there is nothing
};

// A density, share / (h sqrt(2 pi)), from the share of all weight that a sum of kernels is. In two steps where 1 / h
// leaves float64.
struct PerBandwidth {
  double scale, lift;
  PRUNING_EXT_HOST_DEVICE explicit PerBandwidth(double h)
      : scale(kInvSqrt2Pi / (h < 0x1p-1000 ? h * 0x1p100 : h)), lift(h < 0x1p-1000 ? 0x1p100 : 1) {}
  PRUNING_EXT_HOST_DEVICE double operator()(double share) const { return share * scale * lift; }
};

// (x - p) / h, also where x - p overflows: their signs differ then.
inline double distance_in_bandwidths(double x, double p, double h) {
  const double distance = x - p;
  return std::isinf(distance) ? x / h - p / h : distance / h;
}

// Whether a variance is far enough from the ends of float64 to be what the samples say; else they are to be scaled.
PRUNING_EXT_HOST_DEVICE inline bool holds_variance(double variance) { return variance > 1e-280 && variance < 1e280; }

// Bandwidth of a row whose weights sum to 1: `variance` is the weighted population variance, `n_eff` = 1 / sum w^2 (N
// for equal weights); 0 where all weight is at one value. Scott's and Silverman's rules are scipy.stats.gaussian_kde's
// in one dimension: a factor on the unbiased standard deviation. KEN's is Silverman's older rule on the population
// standard deviation.
PRUNING_EXT_HOST_DEVICE inline double rule_bandwidth(BandwidthRule rule, double variance, double n_eff) {
  if (rule == BandwidthRule::ken) return 1.06 * sqrt(variance) * pow(n_eff, -0.2);
  if (!(n_eff > 1)) return 0;
  const double factor = pow(rule == BandwidthRule::scott ? n_eff : n_eff * 0.75, -0.2);
  return factor * sqrt(variance / (1.0 - 1.0 / n_eff));
}

PRUNING_EXT_HOST_DEVICE inline double grid_step(double low, double high, std::int64_t num) {
  return num > 1 ? (high - low) / static_cast<double>(num - 1) : 0;
}

// Point j of num equal steps from low to high, both included, in the order of operations of numpy.linspace: the masks
// of KEN depend on its last bit, so `step` = (high - low) / (num - 1) must not be fused into the sum.
PRUNING_EXT_HOST_DEVICE inline double grid_point(double low, double high, double step, std::int64_t j,
                                                 std::int64_t num) {
#if defined(__CUDA_ARCH__)
  return num > 1 && j == num - 1 ? high : __dadd_rn(__dmul_rn(static_cast<double>(j), step), low);
#else
  return num > 1 && j == num - 1 ? high : static_cast<double>(j) * step + low;
#endif
}

// The same over any finite range: one that itself leaves float64 is walked in quarters.
struct RowGrid {
  double unit, low, high, step;
  std::int64_t num;
  PRUNING_EXT_HOST_DEVICE RowGrid(double row_low, double row_high, std::int64_t points)
      : unit(row_high - row_low <= 0x1.fffffffffffffp1023 ? 1 : 4),
        low(row_low / unit),
        high(row_high / unit),
        step(grid_step(low, high, points)),
        num(points) {}
  PRUNING_EXT_HOST_DEVICE double point(std::int64_t j) const { return grid_point(low, high, step, j, num) * unit; }
};

}  // namespace pruning_ext::kde
