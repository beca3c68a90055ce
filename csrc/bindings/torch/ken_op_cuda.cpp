// KEN's row selection on CUDA, for torch.
#include "bindings/ken_ops.h"
#include "bindings/torch/cuda_op.h"
#include "ken/cuda/ken_cuda.h"

namespace pruning_ext::ken::on_cuda {
namespace {

Tensor mask_by(const Tensor& weight, std::int64_t k, bool keep_ties, Matching matching) {
  const auto [params, mask] = prepare_mask<TensorDoor>(weight, k, keep_ties);
  if (params.weight.rows == 0 || params.weight.cols == 0) return mask;
  CudaCall call(weight);
  const CudaContext& context = call.with_workspace(ken_mask_cuda_workspace(params, call.context()));
  call.finish(ken_mask_cuda(params, context, matching), "weight");
  return mask;
}

Tensor ken_mask(const Tensor& weight, std::int64_t k, bool keep_ties) {
  return mask_by(weight, k, keep_ties, Matching::by_warp);
}

Tensor ken_mask_by(const Tensor& weight, std::int64_t k, bool keep_ties, std::int64_t matching) {
  check(matching >= 0 && matching <= 2, "matching must be 0, 1 or 2");
  return mask_by(weight, k, keep_ties, static_cast<Matching>(matching));
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(pruning_ext, library) {
  // By one of the numbered ways of matching of ken_cuda.h, for tests and measurements.
  library.def("_ken_mask_by(Tensor weight, int k, bool keep_ties, int matching) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CUDA, library) {
  library.impl("ken_mask", TORCH_BOX(&ken_mask));
  library.impl("_ken_mask_by", TORCH_BOX(&ken_mask_by));
}

}  // namespace pruning_ext::ken::on_cuda
