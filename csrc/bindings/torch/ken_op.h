// Arguments of ken_mask, checked once for every device.
#pragma once

#include "bindings/torch/torch_op.h"
#include "ken/ken.h"

namespace pruning_ext::ken {

inline KenParams mask_params(const Tensor& weight, std::int64_t k, bool keep_ties) {
  check(k >= 0, "k must not be negative, is " + std::to_string(k));
  KenParams params;
  params.weight = matrix_of(weight, "weight");
  check(params.weight.cols <= INT32_MAX,
        "weight must have less than 2^31 entries in a row, has " + std::to_string(params.weight.cols));
  params.k = k;
  params.keep_ties = keep_ties;
  return params;
}

}  // namespace pruning_ext::ken
