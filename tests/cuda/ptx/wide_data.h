// Matrices of every dtype, at any step, for the wide tests.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "common/cuda.h"
#include "common/element.h"

namespace pruning_ext {

constexpr DType kTypes[] = {DType::float64, DType::float32, DType::float16, DType::bfloat16};

// Towards zero.
inline std::uint16_t to_half(float v) {
  if (std::isnan(v)) return 0x7e00;
  const std::uint16_t sign = std::signbit(v) ? 0x8000 : 0;
  const float size = std::fabs(v);
  if (size >= 65520.0f) return sign | 0x7c00;
  int low = 0, high = 0x7bff;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (half_bits_to_float(static_cast<std::uint16_t>(middle)) <= size) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return static_cast<std::uint16_t>(sign | low);
}

template <typename T>
void put(unsigned char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

inline void put_as(DType dtype, double v, unsigned char* at) {
  const float f = static_cast<float>(v);
  switch (dtype) {
    case DType::float64: return put(at, v);
    case DType::float32: return put(at, f);
    case DType::float16: return put(at, to_half(f));
    default: return put(at, static_cast<std::uint16_t>(__builtin_bit_cast(std::uint32_t, f) >> 16));
  }
}

// Entries `step` apart, with another behind each row; `shared_row`: all rows are one.
struct Data {
  std::vector<unsigned char> bytes;
  Matrix m;

  Data() = default;
  template <typename F>  // value(row, column)
  Data(DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t step, bool shared_row, F&& value) {
    const std::int64_t size = dtype_size(dtype), pitch = cols * step + 1, kept = shared_row ? 1 : rows;
    bytes.assign(static_cast<std::size_t>(size * kept * pitch), 0xa5);
    for (std::int64_t r = 0; r < kept; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) put_as(dtype, value(r, c), bytes.data() + size * (r * pitch + c * step));
    }
    m = {bytes.data(), dtype, rows, cols, shared_row ? 0 : pitch, step};
  }
};

}  // namespace pruning_ext
