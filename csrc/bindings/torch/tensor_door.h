// The torch front door, on the stable ABI: views of tensors, results from torch's allocator, torch's threads.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include "bindings/arguments.h"
#include "common/parallel.h"

namespace pruning_ext {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using MaybeTensor = std::optional<Tensor>;

struct TensorDoor {
  using Array = Tensor;

  static View view(const Tensor& tensor) {
    View view{tensor.const_data_ptr(), element_of(tensor.scalar_type()), tensor.is_contiguous(), tensor.dim(), {}, {}};
    const std::int64_t size = element_size(view.element);
    for (std::int64_t i = 0; i < view.dimensions && i < 2; ++i) {
      view.sizes[i] = tensor.size(i);
      view.strides[i] = tensor.stride(i) * size;
    }
    return view;
  }

  // On the device of `like`.
  template <typename... Sizes>
  static Tensor empty(const Tensor& like, Element element, Sizes... sizes) {
    return torch::stable::new_empty(like, {sizes...}, scalar_type(element));
  }

  static void* data(Tensor& tensor) { return tensor.mutable_data_ptr(); }

  template <typename Params>
  Status run(Status (*kernel)(const Params&, const ParallelFor&), const Params& params) const {
    return kernel(params, [](std::int64_t begin, std::int64_t end, std::int64_t grain, const ParallelFor::Body& body) {
      torch::stable::parallel_for(begin, end, grain, body);
    });
  }

 private:
  static Element element_of(ScalarType type) {
    switch (type) {
      case ScalarType::Double: return Element::float64;
      case ScalarType::Float: return Element::float32;
      case ScalarType::Half: return Element::float16;
      case ScalarType::BFloat16: return Element::bfloat16;
      case ScalarType::Byte: return Element::uint8;
      default: return Element::other;
    }
  }

  static ScalarType scalar_type(Element element) {
    switch (element) {
      case Element::float64: return ScalarType::Double;
      case Element::uint8: return ScalarType::Byte;
      case Element::int32: return ScalarType::Int;
      case Element::int64: return ScalarType::Long;
      case Element::boolean: return ScalarType::Bool;
      default: return ScalarType::Float;
    }
  }
};

}  // namespace pruning_ext
