// Between torch's stable ABI and the kernels: views of tensors, errors as sentences, torch's threads. For *_op*.cpp
// only.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <stdexcept>
#include <string>

#include "common/matrix.h"
#include "common/parallel.h"
#include "common/status.h"

namespace pruning_ext {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// Python turns an error with this mark into a ValueError without it (pruning_ext/ops/_native.py).
[[noreturn]] inline void fail(const std::string& sentence) { throw std::runtime_error("pruning_ext: " + sentence); }

inline void check(bool condition, const std::string& sentence) {
  if (!condition) fail(sentence);
}

inline DType dtype_of(const Tensor& tensor, const char* name) {
  switch (tensor.scalar_type()) {
    case ScalarType::Double: return DType::float64;
    case ScalarType::Float: return DType::float32;
    case ScalarType::Half: return DType::float16;
    case ScalarType::BFloat16: return DType::bfloat16;
    default: fail(std::string(name) + " must be float64, float32, float16 or bfloat16");
  }
}

// A floating-point tensor [R, N] as it lies in memory.
inline Matrix matrix_of(const Tensor& tensor, const char* name) {
  check(tensor.dim() == 2, std::string(name) + " must have 2 dimensions, has " + std::to_string(tensor.dim()));
  return {tensor.const_data_ptr(), dtype_of(tensor, name), tensor.size(0),
          tensor.size(1),          tensor.stride(0),       tensor.stride(1)};
}

// float64 in gives float64 out, everything else float32.
inline ScalarType result_type(const Tensor& tensor) {
  return tensor.scalar_type() == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
}

inline DType result_dtype(const Tensor& tensor) {
  return tensor.scalar_type() == ScalarType::Double ? DType::float64 : DType::float32;
}

inline void torch_parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                               const std::function<void(std::int64_t, std::int64_t)>& body) {
  torch::stable::parallel_for(begin, end, grain, body);
}

inline void raise_fault(const Status& status, const std::string& subject, const std::string& unit = "row") {
  if (!status) fail(fault_sentence(status, subject, unit));
}

}  // namespace pruning_ext
