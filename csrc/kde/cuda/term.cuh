// One Gaussian term, exp(-(p - x)^2 / 2 h^2), in float64 and in float32.
#pragma once

#include <cmath>

#include "common/macros.h"

namespace pruning_ext::kde {

PRUNING_EXT_HOST_DEVICE inline float fast_exp2(float x) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));  // MUFU.EX2, two ulp; 0 below 2^-126
  return result;
#else
  return x < -126.0f ? 0.0f : std::exp2(x);
#endif
}

// Rounded once, never contracted into what follows: equal factors give equal products wherever the compiler puts them.
PRUNING_EXT_HOST_DEVICE inline double product(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

// Finite for subnormal bandwidths too: 0 times infinity is no number.
PRUNING_EXT_HOST_DEVICE inline double inverse_of(double bandwidth) { return fmin(1 / bandwidth, 0x1p1023); }

// In float64: a position is the value itself.
struct ExactTerm {
  using Position = double;
  using Sum = double;
  double scale;
  PRUNING_EXT_HOST_DEVICE explicit ExactTerm(double bandwidth) : scale(inverse_of(bandwidth)) {}
  PRUNING_EXT_HOST_DEVICE Position position(double x) const { return x; }
  PRUNING_EXT_HOST_DEVICE static bool holds(Position) { return true; }
  PRUNING_EXT_HOST_DEVICE static Position far_away() { return HUGE_VAL; }
  PRUNING_EXT_HOST_DEVICE double operator()(Position p, Position x) const {
    const double z = (p - x) * scale;
    return exp(-0.5 * z * z);
  }
};

// In float32: with q = c x, c = sqrt(log2(e) / 2) / h, the term is 2^-(d d), d = q_p - q_x. Scaled once, in float64, a
// value is kept as two floats. The first is a multiple of 2^-18, so that the difference of two firsts is exact wherever
// the term is not 0 (up to 64); the seconds bring the rest. d is then rounded once and its square once, 3 * 2^-24 of
// the exponent in all.
struct FastTerm {
  struct alignas(8) Position {
    float high, low;
  };
  using Sum = float;
  double scale;
  PRUNING_EXT_HOST_DEVICE explicit FastTerm(double bandwidth)
      : scale(fmin(0.84932180028801904272 / bandwidth, 0x1p1000)) {}  // sqrt(log2(e) / 2)
  PRUNING_EXT_HOST_DEVICE Position position(double x) const {
    constexpr double kGrid = 0x1.8p34;  // float64 has steps of 2^-18 there
    const double q = product(x, scale);
    const float high = static_cast<float>((q + kGrid) - kGrid);
    return {high, fabsf(high) < HUGE_VALF ? static_cast<float>(q - static_cast<double>(high)) : 0.0f};
  }
  // Whether a point's distances to all samples are numbers. A sample further out is infinitely far from such a point.
  PRUNING_EXT_HOST_DEVICE static bool holds(Position p) { return fabsf(p.high) < 0x1p120f; }
  PRUNING_EXT_HOST_DEVICE static Position far_away() { return {HUGE_VALF, 0.0f}; }
  PRUNING_EXT_HOST_DEVICE float operator()(Position p, Position x) const {
    const float d = (p.high - x.high) + (p.low - x.low);
    return fast_exp2(-(d * d));
  }
};

}  // namespace pruning_ext::kde
