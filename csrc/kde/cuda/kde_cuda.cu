// The choice of a method for each call, and of how many rows and points are done at a time.
#include "kde/cuda/kde_cuda.h"

#include "kde/kde_math.h"

namespace pruning_ext::kde {
namespace {

constexpr std::int64_t kMostRows = 0x7fffffff;             // blocks of a launch
constexpr std::int64_t kMostSums = std::int64_t{1} << 25;  // 256 MB of float64 between two kernels
constexpr std::int64_t kPointTile = 4096;                  // of what a block takes at a time, a multiple

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

// How a row's samples are cut, and how much is done at a time: whole rows, or points of one.
SumsJob job_for(const KdeParams& params, const CudaContext& context, Method method) {
  const std::int64_t n = params.samples.cols, k = params.points.cols;
  std::int64_t segments;
  if (method == Method::lattice) {
    segments = (n + lattice_segment(params) - 1) / lattice_segment(params);
  } else {
    // Enough blocks for the device, segments of 1024 samples at least; a tile is 256 points.
    const std::int64_t blocks = params.samples.rows * ((k + 255) / 256);
    const std::int64_t wanted = 8 * std::max(context.multiprocessors, 1);
    segments = std::clamp<std::int64_t>((wanted + blocks - 1) / blocks, 1, (n + 1023) / 1024);
  }
  SumsJob job{};
  job.params = params;
  job.segment_size = (n + segments - 1) / segments;
  job.segments = (n + job.segment_size - 1) / job.segment_size;
  const std::int64_t most = std::max<std::int64_t>(1, kMostSums / job.segments);  // of points, over all rows
  job.points = k <= most ? k : most >= kPointTile ? most / kPointTile * kPointTile : most;
  job.rows = std::min({params.samples.rows, std::max<std::int64_t>(1, most / job.points), kMostRows});
  return job;
}

struct Workspace {
  RowStatistics* statistics;
  std::byte* scratch;  // of the statistics
  double* sums;
  std::int64_t bytes;
  Workspace(const Matrix& samples, std::int64_t sums_wanted, std::byte* base) {
    BumpAllocator allocator(base);
    statistics = allocator.take<RowStatistics>(samples.rows);
    scratch = allocator.take<std::byte>(row_statistics_scratch(samples));
    sums = allocator.take<double>(sums_wanted);
    bytes = allocator.used();
  }
};

Method method_for(const KdeParams& params, Method wanted) {
  return wanted == Method::automatic ? chosen(params) : wanted;
}

// For densities of `params` by `method`, which is one by name.
Workspace workspace_for(const KdeParams& params, const CudaContext& context, Method method, std::byte* base) {
  if (params.samples.rows == 0 || params.points.cols == 0) return {params.samples, 0, base};
  const SumsJob job = job_for(params, context, method);
  return {params.samples, job.segments * job.rows * job.points, base};
}

cudaError_t densities(const KdeParams& params, const Workspace& workspace, const CudaContext& context, Method method) {
  const std::int64_t rows = params.samples.rows, k = params.points.cols;
  if (rows == 0 || k == 0) return cudaSuccess;
  SumsJob job = job_for(params, context, method);
  job.statistics = workspace.statistics;
  job.sums = workspace.sums;
  const std::int64_t rows_at_once = job.rows, points_at_once = job.points;
  const double floor = method == Method::direct ? kDirectFloor : kFastFloor;
  for (job.first_row = 0; job.first_row < rows; job.first_row += rows_at_once) {
    job.rows = std::min(rows_at_once, rows - job.first_row);
    for (job.first_point = 0; job.first_point < k; job.first_point += points_at_once) {
      job.points = std::min(points_at_once, k - job.first_point);
      PRUNING_EXT_TRY_CUDA(method == Method::lattice ? launch_lattice(job, context)
                                                     : launch_direct(job, method == Method::direct_fast, context));
      PRUNING_EXT_TRY_CUDA(launch_finish(job, floor, context));
    }
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

std::int64_t gaussian_kde_cuda_workspace(const KdeParams& params, const CudaContext& context, Method method) {
  return workspace_for(params, context, method_for(params, method), nullptr).bytes;
}

cudaError_t gaussian_kde_cuda(const KdeParams& params, const CudaContext& context, Method method) {
  method = method_for(params, method);
  const Workspace workspace = workspace_for(params, context, method, context.workspace);
  PRUNING_EXT_TRY_CUDA(launch_row_statistics(params.samples, params.weights, params.bandwidth, workspace.statistics,
                                             workspace.scratch, context));
  return densities(params, workspace, context, method);
}

std::int64_t gaussian_kde_grid_cuda_workspace(const GridParams& params, const CudaContext& context, Method method) {
  return gaussian_kde_cuda_workspace(on_grid(params), context, method);
}

cudaError_t gaussian_kde_grid_cuda(const GridParams& params, const CudaContext& context, Method method) {
  const KdeParams density = on_grid(params);
  method = method_for(density, method);
  const Workspace workspace = workspace_for(density, context, method, context.workspace);
  PRUNING_EXT_TRY_CUDA(
      launch_row_statistics(params.samples, {}, params.bandwidth, workspace.statistics, workspace.scratch, context));
  PRUNING_EXT_TRY_CUDA(launch_grid(params, workspace.statistics, context));
  return densities(density, workspace, context, method);
}

std::int64_t bandwidth_cuda_workspace(const BandwidthParams& params) {
  return Workspace(params.samples, 0, nullptr).bytes;
}

cudaError_t bandwidth_cuda(const BandwidthParams& params, const CudaContext& context) {
  const Workspace workspace(params.samples, 0, context.workspace);
  PRUNING_EXT_TRY_CUDA(
      launch_row_statistics(params.samples, params.weights, nullptr, workspace.statistics, workspace.scratch, context));
  return launch_rule(params, workspace.statistics, context);
}

}  // namespace pruning_ext::kde
