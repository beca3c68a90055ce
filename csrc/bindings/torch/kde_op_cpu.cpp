#include "bindings/torch/kde_op.h"

namespace pruning_ext::kde {
namespace {

Tensor gaussian_kde(const Tensor& samples, const Tensor& points, const Tensor& bandwidth,
                    const std::optional<Tensor>& weights, bool log, bool leave_one_out, std::optional<double> rtol) {
  KdeParams params = density_params(samples, points, bandwidth, weights, log, leave_one_out, rtol);
  Tensor density = allocate(samples, params.samples.rows, params.points.cols);
  params.density = density.mutable_data_ptr();
  raise_fault(gaussian_kde_cpu(params, torch_parallel_for), "samples");
  return density;
}

std::tuple<Tensor, Tensor> gaussian_kde_grid(const Tensor& samples, std::int64_t num_points, const Tensor& bandwidth,
                                             std::optional<double> rtol) {
  GridParams params = grid_params(samples, num_points, bandwidth, rtol);
  Tensor grid = allocate(samples, params.samples.rows, num_points);
  Tensor density = allocate(samples, params.samples.rows, num_points);
  params.grid = grid.mutable_data_ptr();
  params.density = density.mutable_data_ptr();
  raise_fault(gaussian_kde_grid_cpu(params, torch_parallel_for), "samples");
  return {grid, density};
}

Tensor kde_bandwidth(const Tensor& samples, const std::optional<Tensor>& weights, const std::string& rule) {
  BandwidthParams params = bandwidth_params(samples, weights, rule);
  Tensor bandwidth = torch::stable::new_empty(samples, {params.samples.rows}, ScalarType::Double);
  params.bandwidth = static_cast<double*>(bandwidth.mutable_data_ptr());
  raise_fault(bandwidth_cpu(params, torch_parallel_for), "samples");
  return bandwidth;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CPU, library) {
  library.impl("gaussian_kde", TORCH_BOX(&gaussian_kde));
  library.impl("gaussian_kde_grid", TORCH_BOX(&gaussian_kde_grid));
  library.impl("kde_bandwidth", TORCH_BOX(&kde_bandwidth));
}

}  // namespace pruning_ext::kde
