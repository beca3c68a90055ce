// Gaussian kernel density on CUDA, for torch.
#include "bindings/kde_ops.h"
#include "bindings/torch/cuda_op.h"
#include "kde/cuda/kde_cuda.h"

namespace pruning_ext::kde::on_cuda {
namespace {

Tensor density_by(const Tensor& samples, const Tensor& points, const Tensor& bandwidth, const MaybeTensor& weights,
                  bool log, bool leave_one_out, std::optional<double> rtol, Method method) {
  const auto [params, density] =
      prepare_density<TensorDoor>(samples, points, bandwidth, weights, log, leave_one_out, rtol);
  if (params.samples.rows == 0) return density;
  CudaCall call(samples);
  const CudaContext& context = call.with_workspace(gaussian_kde_cuda_workspace(params, call.context(), method));
  call.finish(gaussian_kde_cuda(params, context, method), "samples");
  return density;
}

Tensor gaussian_kde(const Tensor& samples, const Tensor& points, const Tensor& bandwidth, const MaybeTensor& weights,
                    bool log, bool leave_one_out, std::optional<double> rtol) {
  return density_by(samples, points, bandwidth, weights, log, leave_one_out, rtol, Method::automatic);
}

Tensor gaussian_kde_by(const Tensor& samples, const Tensor& points, const Tensor& bandwidth, const MaybeTensor& weights,
                       bool log, bool leave_one_out, std::optional<double> rtol, std::int64_t method) {
  check(method >= 0 && method <= static_cast<std::int64_t>(Method::lattice), "method must be 0, 1, 2 or 3");
  return density_by(samples, points, bandwidth, weights, log, leave_one_out, rtol, static_cast<Method>(method));
}

std::tuple<Tensor, Tensor> gaussian_kde_grid(const Tensor& samples, std::int64_t num_points, const Tensor& bandwidth,
                                             std::optional<double> rtol) {
  const auto [params, grid, density] = prepare_grid<TensorDoor>(samples, num_points, bandwidth, rtol);
  if (params.samples.rows == 0) return {grid, density};
  CudaCall call(samples);
  const CudaContext& context = call.with_workspace(gaussian_kde_grid_cuda_workspace(params, call.context()));
  call.finish(gaussian_kde_grid_cuda(params, context), "samples");
  return {grid, density};
}

Tensor kde_bandwidth(const Tensor& samples, const MaybeTensor& weights, const std::string& rule) {
  const auto [params, bandwidth] = prepare_bandwidth<TensorDoor>(samples, weights, rule);
  if (params.samples.rows == 0) return bandwidth;
  CudaCall call(samples);
  const CudaContext& context = call.with_workspace(bandwidth_cuda_workspace(params));
  call.finish(bandwidth_cuda(params, context), "samples");
  return bandwidth;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(pruning_ext, library) {
  // By one of the numbered methods of kde_cuda.h, for tests and measurements.
  library.def(
      "_gaussian_kde_by(Tensor samples, Tensor points, Tensor bandwidth, Tensor? weights, bool log, "
      "bool leave_one_out, float? rtol, int method) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CUDA, library) {
  library.impl("gaussian_kde", TORCH_BOX(&gaussian_kde));
  library.impl("gaussian_kde_grid", TORCH_BOX(&gaussian_kde_grid));
  library.impl("kde_bandwidth", TORCH_BOX(&kde_bandwidth));
  library.impl("_gaussian_kde_by", TORCH_BOX(&gaussian_kde_by));
}

}  // namespace pruning_ext::kde::on_cuda
