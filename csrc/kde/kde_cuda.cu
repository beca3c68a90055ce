// Which method for which call, and how many rows at a time.
#include "kde/kde_cuda.h"

namespace pruning_ext::kde {
namespace {

// Below this share of the largest possible sum a method's relative error is no longer bounded (kde.h).
constexpr double kFastFloor = 1e-12, kDirectFloor = 1e-290;
constexpr std::int64_t kMostRows = 0x7fffffff;             // blocks of a launch
constexpr std::int64_t kMostSums = std::int64_t{1} << 25;  // 256 MB of float64 between two kernels

bool any_double(const KdeParams& p) {
  return p.samples.dtype == DType::float64 || p.points.dtype == DType::float64 || p.weights.dtype == DType::float64;
}

// Estimates from instruction counts (a sort and a tile against exponentials at their limit), not yet measurements.
Method chosen(const KdeParams& params) {
  const std::int64_t n = params.samples.cols, k = params.points.cols;
  if (params.accuracy == Accuracy::exact) return Method::direct;
  const bool fast = params.accuracy == Accuracy::relative_1e5 && !any_double(params) && !params.leave_one_out;
  const std::int64_t worth_sorting = fast ? 1 << 16 : 1 << 13;
  if (std::min(n, k) <= 32 || n * k <= worth_sorting) return fast ? Method::direct_fast : Method::direct;
  return Method::lattice;
}

std::int64_t most_segments(const KdeParams& params) {
  return std::max<std::int64_t>(1, (params.samples.cols + 1023) / 1024);
}

void cut_samples(SumsJob& job, Method method, const CudaContext& context) {
  const std::int64_t n = job.params.samples.cols;
  if (method == Method::lattice) {
    job.segments = (n + lattice_segment(job.params) - 1) / lattice_segment(job.params);
  } else {
    // Enough blocks for the device, segments of 1024 samples at least; a tile is 256 points.
    const std::int64_t blocks = job.params.samples.rows * ((job.params.points.cols + 255) / 256);
    const std::int64_t wanted = 8 * std::max(context.multiprocessors, 1);
    job.segments = std::clamp<std::int64_t>((wanted + blocks - 1) / blocks, 1, most_segments(job.params));
  }
  job.segment_size = (n + job.segments - 1) / job.segments;
  job.segments = (n + job.segment_size - 1) / job.segment_size;
}

std::int64_t carve_facts(const Matrix& samples, Carver& carver, RowFacts** facts, std::byte** scratch) {
  *facts = carver.take<RowFacts>(samples.rows);
  *scratch = carver.take<std::byte>(row_facts_scratch(samples));
  return carver.used();
}

std::int64_t carve(const KdeParams& params, std::byte* workspace, RowFacts** facts, std::byte** scratch,
                   double** sums) {
  Carver carver(workspace);
  carve_facts(params.samples, carver, facts, scratch);
  const std::int64_t one_row = params.points.cols * most_segments(params);
  const std::int64_t most = params.samples.rows * one_row;
  *sums = carver.take<double>(std::min(most, std::max(one_row, kMostSums)));
  return carver.used();
}

cudaError_t densities(const KdeParams& params, RowFacts* facts, double* sums, bool ascending_points,
                      const CudaContext& context, Method method) {
  const std::int64_t rows = params.samples.rows, k = params.points.cols;
  if (rows == 0 || k == 0) return cudaSuccess;
  if (method == Method::automatic) method = chosen(params);
  SumsJob job{params, facts, 0, rows, 1, params.samples.cols, ascending_points, sums};
  cut_samples(job, method, context);
  const std::int64_t at_once = std::max<std::int64_t>(1, kMostSums / (k * job.segments));
  const double floor = method == Method::direct ? kDirectFloor : kFastFloor;
  for (job.first_row = 0; job.first_row < rows; job.first_row += job.rows) {
    job.rows = std::min({at_once, rows - job.first_row, kMostRows});
    PRUNING_EXT_TRY_CUDA(method == Method::lattice ? launch_lattice(job, context)
                                                   : launch_direct(job, method == Method::direct_fast, context));
    PRUNING_EXT_TRY_CUDA(launch_finish(job, floor, context));
  }
  return cudaSuccess;
}

KdeParams on_grid(const GridParams& grid) {
  KdeParams params;
  params.samples = grid.samples;
  // The density belongs to the point as it is returned, rounded to the output's dtype.
  params.points = {grid.grid, grid.dtype, grid.samples.rows, grid.num_points, grid.num_points, 1};
  params.bandwidth = grid.bandwidth;
  params.density = grid.density;
  params.density_dtype = grid.dtype;
  params.accuracy = grid.accuracy;
  return params;
}

}  // namespace

std::int64_t gaussian_kde_cuda_workspace(const KdeParams& params) {
  RowFacts* facts;
  std::byte* scratch;
  double* sums;
  return carve(params, nullptr, &facts, &scratch, &sums);
}

cudaError_t gaussian_kde_cuda(const KdeParams& params, const CudaContext& context, Method method) {
  RowFacts* facts;
  std::byte* scratch;
  double* sums;
  carve(params, context.workspace, &facts, &scratch, &sums);
  PRUNING_EXT_TRY_CUDA(launch_row_facts(params.samples, params.weights, params.bandwidth, facts, scratch, context));
  return densities(params, facts, sums, false, context, method);
}

std::int64_t gaussian_kde_grid_cuda_workspace(const GridParams& params) {
  return gaussian_kde_cuda_workspace(on_grid(params));
}

cudaError_t gaussian_kde_grid_cuda(const GridParams& params, const CudaContext& context, Method method) {
  const KdeParams density = on_grid(params);
  RowFacts* facts;
  std::byte* scratch;
  double* sums;
  carve(density, context.workspace, &facts, &scratch, &sums);
  PRUNING_EXT_TRY_CUDA(launch_row_facts(params.samples, {}, params.bandwidth, facts, scratch, context));
  PRUNING_EXT_TRY_CUDA(launch_grid(params, facts, context));
  return densities(density, facts, sums, true, context, method);
}

std::int64_t bandwidth_cuda_workspace(const BandwidthParams& params) {
  Carver carver(nullptr);
  RowFacts* facts;
  std::byte* scratch;
  return carve_facts(params.samples, carver, &facts, &scratch);
}

cudaError_t bandwidth_cuda(const BandwidthParams& params, const CudaContext& context) {
  Carver carver(context.workspace);
  RowFacts* facts;
  std::byte* scratch;
  carve_facts(params.samples, carver, &facts, &scratch);
  PRUNING_EXT_TRY_CUDA(launch_row_facts(params.samples, params.weights, nullptr, facts, scratch, context));
  return launch_rule(params, facts, context);
}

}  // namespace pruning_ext::kde
