// A borrowed matrix of any supported dtype and any strides: all that a kernel knows of a tensor.
#pragma once

#include <cstdint>

namespace pruning_ext {

enum class DType : std::int8_t { float64, float32, float16, bfloat16 };

constexpr std::int64_t dtype_size(DType dtype) { return dtype == DType::float64 ? 8 : dtype == DType::float32 ? 4 : 2; }

// Of the results of such elements: float64 in gives float64 out, everything else float32.
constexpr DType result_dtype(DType dtype) { return dtype == DType::float64 ? DType::float64 : DType::float32; }

struct Matrix {  // [rows, cols]; strides count elements and may be 0 (a row shared by all) or negative
  const void* data = nullptr;
  DType dtype = DType::float32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t row_stride = 0;
  std::int64_t col_stride = 1;

  const void* row(std::int64_t r) const { return static_cast<const char*>(data) + r * row_stride * dtype_size(dtype); }
};

}  // namespace pruning_ext
