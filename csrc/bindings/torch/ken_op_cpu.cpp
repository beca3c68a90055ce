#include "bindings/torch/ken_op.h"

namespace pruning_ext::ken {
namespace {

Tensor ken_mask(const Tensor& weight, std::int64_t k, bool keep_ties) {
  KenParams params = mask_params(weight, k, keep_ties);
  Tensor mask = torch::stable::new_empty(weight, {params.weight.rows, params.weight.cols}, ScalarType::Bool);
  params.mask = static_cast<bool*>(mask.mutable_data_ptr());
  raise_fault(ken_mask_cpu(params, torch_parallel_for), "weight");
  return mask;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CPU, library) { library.impl("ken_mask", TORCH_BOX(&ken_mask)); }

}  // namespace pruning_ext::ken
