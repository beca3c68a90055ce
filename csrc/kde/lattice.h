// The linear-time method: Gaussian sums through a lattice, with the same relative error in the tails as in the middle.
//
// With h = 1 and a^2 + b^2 + a^2 = 1, the trapezoidal rule on a lattice of spacing d writes the kernel as
//
//   exp(-(x - y)^2 / 2)  =  C  sum_k sum_l  g_a(x - k d)  g_b(k d - l d)  g_a(l d - y)  (1 + e),   g_s(u) = exp(-u^2 /
//   2 s^2).
//
// Each sum over the lattice is a sum of samples of a Gaussian (a product of Gaussians is one), so Poisson's formula
// bounds e by 2 exp(-2 pi^2 s^2 / d^2) with s the width of that product, *whatever the distance x - y*: all terms are
// positive, so nothing cancels and a density of 1e-12 of the peak is as accurate as the peak. Three steps follow:
//
//   spread    samples in box i (nearest node i d, offset t = 2 (x - i d) / d in [-1, 1]) enter through their moments
//             M_i[m] = sum w t^m, m < P, because g_a(x - k d) is a polynomial of degree P - 1 in t for each of the 2 W
//             + 1 near k;
//   convolve  with g_b over 2 M + 1 nodes; further away a kernel is below 1e-19 (1e-26) of its peak and taken as 0;
//   gather    the values at the 2 W + 1 nodes about box l become one polynomial of degree P - 1 in the point's own
//   offset.
//
// A sample costs P additions, a point P multiplications, a node (2 W + 1) 2 P + 2 M + 1 multiplications: linear in all
// three. The fast Gauss transform (Greengard and Strain, 1991) and fast Gaussian gridding (Greengard and Lee, 2004) are
// its kin.
#pragma once

#include <cstdint>

namespace pruning_ext::kde {

template <int kTerms_, int kWindow_, int kTaps_, int kSpacingInverse_, int kWidthPercent_>
struct LatticeShape {
  static constexpr int kTerms = kTerms_;                               // P
  static constexpr int kWindow = kWindow_;                             // W
  static constexpr int kColumns = 2 * kWindow_ + 1;                    // nodes that a box touches
  static constexpr int kPadded = (kColumns + 7) / 8 * 8;               // the same in whole vectors
  static constexpr int kTaps = kTaps_;                                 // M
  static constexpr double kSpacing = 1.0 / kSpacingInverse_;           // d, in bandwidths
  static constexpr double kWidth = kWidthPercent_ / 100.0 * kSpacing;  // a, in bandwidths
  static constexpr int kReach = kTaps_ + 2 * kWindow_;                 // in nodes: beyond it a density is 0
};

// Worst relative error over all offsets and all distances up to 7.4 bandwidths (density 1e-12 of the peak), as found by
// tests/cpp/lattice_test.cpp: 3e-7 and 4e-15. Beyond, the absolute error keeps that ratio to 1e-12 of the peak.
using CoarseLattice = LatticeShape<8, 7, 38, 4, 95>;
using FineLattice = LatticeShape<16, 12, 88, 8, 135>;

template <typename Shape>
struct LatticeTables {
  alignas(64) double spread[Shape::kTerms][Shape::kPadded];   // g_a at window column c as a polynomial in t
  alignas(64) double gather[Shape::kColumns][Shape::kTerms];  // the same, the other way round
  alignas(64) double taps[2 * Shape::kTaps + 1];              // C g_b
};

template <typename Shape>
const LatticeTables<Shape>& lattice_tables();  // made at first use

}  // namespace pruning_ext::kde
