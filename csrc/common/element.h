// Elements of a borrowed matrix as arithmetic sees them, and as integers in the order of the floats. For CPU and CUDA.
#pragma once

#include <cstdint>

#include "common/half.h"
#include "common/macros.h"
#include "common/matrix.h"

namespace pruning_ext {

// Element (r, c); -0.0 becomes +0.0, so that equal values have equal bits. `Real` must hold every value of the dtype.
template <typename Real>
PRUNING_EXT_HOST_DEVICE inline Real element(const Matrix& m, std::int64_t r, std::int64_t c) {
  const std::int64_t at = r * m.row_stride + c * m.col_stride;
  Real value;
  switch (m.dtype) {
    case DType::float64: value = static_cast<Real>(static_cast<const double*>(m.data)[at]); break;
    case DType::float32: value = static_cast<Real>(static_cast<const float*>(m.data)[at]); break;
    case DType::float16: value = half_bits_to_float(static_cast<const std::uint16_t*>(m.data)[at]); break;
    default: value = bfloat_bits_to_float(static_cast<const std::uint16_t*>(m.data)[at]);
  }
  return value + Real(0);
}

// Element `at` of a contiguous array of float32 or float64.
PRUNING_EXT_HOST_DEVICE inline void store_element(void* out, DType dtype, std::int64_t at, double value) {
  if (dtype == DType::float64) {
    static_cast<double*>(out)[at] = value;
  } else {
    static_cast<float*>(out)[at] = static_cast<float>(value);
  }
}

// Unsigned integers in the order of the floats: 0 is in the middle, negative ones lie below by their magnitude. What a
// 16-bit float leaves zero is zero in its key, so that sorts have less to look at. Without a branch: `sign` is all ones
// for a negative float, and -x is (x ^ ones) - ones.
PRUNING_EXT_HOST_DEVICE inline std::uint32_t ordered_bits(float value) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value), sign = 0u - (bits >> 31);
  return (bits ^ (sign | 0x80000000u)) - sign;
}

PRUNING_EXT_HOST_DEVICE inline std::uint64_t ordered_bits(double value) {
  const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, value), sign = 0u - (bits >> 63);
  return (bits ^ (sign | 0x8000000000000000u)) - sign;
}

PRUNING_EXT_HOST_DEVICE inline float ordered_value(std::uint32_t key) {
  const std::uint32_t sign = (key >> 31) - 1u;
  return __builtin_bit_cast(float, (key ^ (sign | 0x80000000u)) - sign);
}

PRUNING_EXT_HOST_DEVICE inline double ordered_value(std::uint64_t key) {
  const std::uint64_t sign = (key >> 63) - 1u;
  return __builtin_bit_cast(double, (key ^ (sign | 0x8000000000000000u)) - sign);
}

}  // namespace pruning_ext
