// Doubles in the compiler's own vector type, as wide as the instruction set's registers: one source serves SSE2, AVX2,
// AVX-512 and NEON. Only for *_kernels.cpp: everything has internal linkage, so that no copy compiled for one
// instruction set can be linked into code for another.
#pragma once

#include <cstdint>

#include "common/vectors.h"

namespace pruning_ext {
namespace {

constexpr int kLanes = kVectorBytes / 8;

typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef double UnalignedDoubles __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
typedef std::uint64_t Words __attribute__((vector_size(kVectorBytes)));

inline Doubles load(const double* from) { return *reinterpret_cast<const UnalignedDoubles*>(from); }
inline void store(double* to, Doubles v) { *reinterpret_cast<UnalignedDoubles*>(to) = v; }

// exp(v) for v <= 0; below -708 (under the smallest normal number) it is 0. Error under 2 ulp: v = n ln 2 + r with
// |r| <= ln 2 / 2, Taylor's polynomial of degree 13 in r, then n added to the exponent.
inline Doubles exp_nonpositive(Doubles v) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it leaves n in the low bits
  const Doubles x = v < -708.0 ? Doubles{} - 708.0 : v;
  const Doubles shifted = x * 1.4426950408889634 + kRound;
  const Doubles n = shifted - kRound;
  const Doubles r = (x - n * 0x1.62e42fefa0000p-1) - n * 0x1.cf79abc9e3b39p-40;  // ln 2 in two parts
  Doubles p = r * (1.0 / 6227020800) + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const Doubles result = (Doubles)(((Words)shifted << 52) + (Words)p);  // casts of vectors keep the bits
  return v < -708.0 ? Doubles{} : result;
}

inline double sum_lanes(Doubles v) {
  double sum = 0;
  for (int l = 0; l < kLanes; ++l) sum += v[l];
  return sum;
}

}  // namespace
}  // namespace pruning_ext
