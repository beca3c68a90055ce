// One Gaussian term, exp(-(p - x)^2 / 2 h^2), in float64 and in compensated float32.
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

// Finite for subnormal bandwidths too: 0 times infinity is no number.
PRUNING_EXT_HOST_DEVICE inline double inverse_of(double bandwidth) { return fmin(1 / bandwidth, 0x1p1023); }

template <typename Real>
struct Term;

template <>
struct Term<double> {
  double scale;
  PRUNING_EXT_HOST_DEVICE explicit Term(double bandwidth) : scale(inverse_of(bandwidth)) {}
  PRUNING_EXT_HOST_DEVICE static double far_away() { return HUGE_VAL; }
  PRUNING_EXT_HOST_DEVICE double operator()(double p, double x) const {
    const double z = (p - x) * scale;
    return exp(-0.5 * z * z);
  }
};

// With c = sqrt(log2(e) / 2) / h the term is 2^-(q q), q = c (p - x). Products are split by FMA into what float32 holds
// and a rest; the rests enter as 2^-rest = 1 - rest ln 2.
template <>
struct Term<float> {
  float scale, scale_rest, furthest;
  PRUNING_EXT_HOST_DEVICE explicit Term(double bandwidth) {
    const double c = 0.84932180028801904272 / bandwidth;  // sqrt(log2(e) / 2)
    scale = static_cast<float>(c);
    scale_rest = static_cast<float>(c - static_cast<double>(scale));
    furthest = 16.0f / scale;  // 2^-256 and 0 are the same; beyond, products would overflow
  }
  // Whether the scales of this bandwidth are normal numbers of float32.
  PRUNING_EXT_HOST_DEVICE static bool holds(double bandwidth) { return bandwidth > 1e-30 && bandwidth < 1e30; }
  PRUNING_EXT_HOST_DEVICE static float far_away() { return HUGE_VALF; }
  PRUNING_EXT_HOST_DEVICE float operator()(float p, float x) const {
    const float d = fminf(fabsf(p - x), furthest);
    const float q = d * scale;
    const float q_rest = fmaf(d, scale_rest, fmaf(d, scale, -q));
    const float square = q * q;
    const float rest = fmaf(q + q, q_rest, fmaf(q, q, -square));
    return fast_exp2(-square) * fmaf(rest, -0.69314718056f, 1.0f);
  }
};

}  // namespace pruning_ext::kde
