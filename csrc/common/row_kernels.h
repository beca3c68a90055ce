// Rows of a borrowed matrix as float64, compiled for each instruction set.
#pragma once

#include <cstdint>

#include "common/cpu_isa.h"
#include "common/matrix.h"

namespace pruning_ext {

struct RowRange {
  double low, high;
  bool finite;  // no NaN, no infinity
};

namespace rows {

struct Kernels {
  RowRange (*load)(const void* source, DType dtype, std::int64_t stride, std::int64_t n, double* out);
};

PRUNING_EXT_DECLARE_KERNELS(Kernels)

}  // namespace rows

// Converts row r to `out` [cols] and says where its values lie; -0.0 becomes +0.0, so that equal values have equal
// bits.
inline RowRange load_row(const Matrix& m, std::int64_t r, double* out) {
  return rows::active_kernels().load(m.row(r), m.dtype, m.col_stride, m.cols, out);
}

}  // namespace pruning_ext
