// float16 and bfloat16 as float32. For CPU and CUDA, and for the kernels of each instruction set: internal linkage, as
// in simd.h.
#pragma once

#include <cstdint>

#include "common/macros.h"

namespace pruning_ext {

PRUNING_EXT_HOST_DEVICE static inline float half_bits_to_float(std::uint16_t bits) {
  // The fields shifted into float32's places and rescaled: exact for subnormals too. Infinity and NaN keep an exponent
  // of ones.
  const std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7fff) << 13;
  const bool special = (bits & 0x7c00) == 0x7c00;
  const float scaled =
      __builtin_bit_cast(float, magnitude | (special ? 0x7f800000u : 0u)) * (special ? 1.0f : 0x1p112f);
  return bits & 0x8000 ? -scaled : scaled;
}

PRUNING_EXT_HOST_DEVICE static inline float bfloat_bits_to_float(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace pruning_ext
