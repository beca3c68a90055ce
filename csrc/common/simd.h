// Doubles in the compiler's own vector type, as wide as the instruction set's registers: one source serves SSE2, AVX2,
// AVX-512 and NEON. Only for *_kernels.cpp: everything has internal linkage, so that no copy compiled for one
// instruction set can be linked into code for another.
#pragma once

#include <cstdint>

#include "common/matrix.h"

namespace pruning_ext {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
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

inline double half_to_double(std::uint16_t bits) {
  // Shifts the fields into float32's places and rescales: exact for subnormals too. Inf and NaN keep their exponent of
  // ones.
  const std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7fff) << 13;
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const bool special = (bits & 0x7c00) == 0x7c00;
  const std::uint32_t as_float = magnitude | (special ? 0x7f800000u : 0u);
  const double scaled = __builtin_bit_cast(float, as_float) * (special ? 1.0 : 0x1p112);
  return sign ? -scaled : scaled;
}

inline double bfloat_to_double(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

struct Range {
  double low, high;
  bool finite;
};

template <typename Element, typename Convert>
inline Range load_as_double(const Element* source, std::int64_t stride, std::int64_t n, double* out, Convert convert) {
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = convert(source[i * stride]) + 0.0;  // -0.0 becomes +0.0: equal values, equal bits
  constexpr double kInf = __builtin_inf();
  double low[8], high[8], not_finite[8] = {};
  for (int l = 0; l < 8; ++l) low[l] = kInf, high[l] = -kInf;
  const std::int64_t whole = n / 8 * 8;
  for (std::int64_t i = 0; i < whole; i += 8) {
    for (int l = 0; l < 8; ++l) {
      const double x = out[i + l];
      low[l] = x < low[l] ? x : low[l];
      high[l] = x > high[l] ? x : high[l];
      not_finite[l] += x - x;  // 0, or NaN for good
    }
  }
  for (std::int64_t i = whole; i < n; ++i) {
    const double x = out[i];
    low[0] = x < low[0] ? x : low[0];
    high[0] = x > high[0] ? x : high[0];
    not_finite[0] += x - x;
  }
  Range range{kInf, -kInf, true};
  for (int l = 0; l < 8; ++l) {
    range.low = low[l] < range.low ? low[l] : range.low;
    range.high = high[l] > range.high ? high[l] : range.high;
    range.finite = range.finite && not_finite[l] == 0.0;
  }
  return range;
}

// Converts one row to float64 in `out` [n] and says where it lies.
inline Range load_row(const void* source, DType dtype, std::int64_t stride, std::int64_t n, double* out) {
  const auto identity = [](auto x) { return static_cast<double>(x); };
  const auto with_stride = [&](auto* typed, auto convert) {
    // A literal stride lets the common case vectorise.
    return stride == 1 ? load_as_double(typed, 1, n, out, convert) : load_as_double(typed, stride, n, out, convert);
  };
  switch (dtype) {
    case DType::float64: return with_stride(static_cast<const double*>(source), identity);
    case DType::float32: return with_stride(static_cast<const float*>(source), identity);
    case DType::float16: return with_stride(static_cast<const std::uint16_t*>(source), half_to_double);
    default: return with_stride(static_cast<const std::uint16_t*>(source), bfloat_to_double);
  }
}

}  // namespace
}  // namespace pruning_ext
