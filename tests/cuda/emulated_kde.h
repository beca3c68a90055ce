// Helpers of the emulated tests of KDE.
#pragma once

#include <vector>

#include "kde/cuda/kde_cuda.h"

namespace pruning_ext::kde {

// float64 or float32, [rows, cols].
template <typename Real>
Matrix view(const std::vector<Real>& data, std::int64_t rows, std::int64_t cols) {
  return {data.data(), sizeof(Real) == 8 ? DType::float64 : DType::float32, rows, cols, cols, 1};
}

// A small one, as it is before a call.
inline CudaContext device() {
  CudaContext context;
  context.multiprocessors = 2;
  context.shared_memory = 227 * 1024;
  return context;
}

// The same with what a call needs; the fault is set back.
inline CudaContext context_with(std::vector<std::byte>& workspace, FaultWord& fault) {
  fault = kNoFault;
  CudaContext context = device();
  context.fault = &fault;
  context.workspace = workspace.data();
  return context;
}

}  // namespace pruning_ext::kde
