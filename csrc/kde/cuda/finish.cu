// Densities from sums: adds up the segments, takes away the sample that is left out, normalises, and sums again by
// streaming log-sum-exp over the whole row what a fast method cannot give: logarithms far from every sample, and what
// is left at a sample without itself. (kde_cpu.cpp and log_sum_tree.cpp, point by point.)
//
// A block takes 256 points of a row, one for each thread; the points that need repair are served one after the other by
// their warp, its lanes striding over the samples.
#include "common/block.cuh"
#include "common/element.h"
#include "kde/cuda/kde_cuda.h"
#include "kde/kde_math.h"

namespace pruning_ext::kde {
namespace {

constexpr int kThreads = 256;

__device__ double weight_of(const SumsJob& job, std::int64_t r, std::int64_t i) {
  const Matrix& weights = job.params.weights;
  return weights.data == nullptr ? 1.0 : job.statistics[r].weight_factor * element<double>(weights, r, i);
}

// log sum_{i != skip} w_i exp(-(point - x_i)^2 / 2 h^2); all lanes of a warp, the result in each.
__device__ double warp_log_sum(const SumsJob& job, std::int64_t r, double point, std::int64_t skip) {
  const KdeParams& params = job.params;
  const double h = params.bandwidth[r];
  LogSum mine;
  for (std::int64_t i = lane_index(); i < params.samples.cols; i += kWarp) {
    if (i == skip) continue;
    const double z = (element<double>(params.samples, r, i) - point) / h;
    mine.add(params.weights.data == nullptr ? -0.5 * z * z : -0.5 * z * z + log(weight_of(job, r, i)));
  }
  const double most = warp_reduce(mine.largest, Max{});
  const double sum = mine.largest > -__builtin_inf() ? mine.sum * exp(mine.largest - most) : 0.0;
  return most + log(warp_reduce(sum, Add{}));
}

struct Density {
  double value;
  bool trusted;  // else it is to be summed again, and `total` is the weight of what counts
  double total;
};

__device__ Density density_at(const SumsJob& job, std::int64_t row, std::int64_t j, double point, double floor) {
  const KdeParams& params = job.params;
  const std::int64_t r = job.first_row + row, at = j - job.first_point;
  const double h = params.bandwidth[r], all = job.statistics[r].weight_sum;
  double sum = 0;
  for (std::int64_t s = 0; s < job.segments; ++s) sum += job.sums[(s * job.rows + row) * job.points + at];
  const auto weight = [&](std::int64_t i) { return weight_of(job, r, i); };
  const double total = params.leave_one_out ? weight_without(weight, params.samples.cols, j, all) : all;
  // Sums of a subnormal bandwidth were made with the nearest inverse that is a number (term.cuh).
  bool trusted = h >= 0x1p-1022 && (!params.log || sum >= floor * all);
  if (params.leave_one_out) {
    const double z = (point - element<double>(params.samples, r, j)) / h;
    const double rest = sum - weight(j) * exp(-0.5 * z * z);
    trusted = trusted && rest >= kLeastRemainder * sum && rest >= (params.log ? floor * all : 0);
    sum = rest;
  }
  if (total <= 0) return {params.log ? -__builtin_inf() : 0.0, true, total};  // the only sample was left out
  if (params.log) return {log(sum / total) - log(h) - kLogSqrt2Pi, trusted, total};
  return {PerBandwidth(h)(sum / total), trusted, total};
}

__global__ void __launch_bounds__(kThreads, 2)
    finish_kernel(const __grid_constant__ SumsJob job, double floor, FaultWord* fault) {
  const KdeParams& params = job.params;
  const std::int64_t k = params.points.cols, row = blockIdx.x, r = job.first_row + row;
  const std::int64_t past = job.first_point + job.points;
  for (std::int64_t first = job.first_point + std::int64_t{blockIdx.y} * kThreads; first < past;
       first += std::int64_t{gridDim.y} * kThreads) {
    const std::int64_t j = first + threadIdx.x;
    const bool sound = job.statistics[r].fault == Fault::none;
    double point = j < past ? element<double>(params.points, r, j) : 0.0;
    if (!isfinite(point)) {
      if (sound) report(fault, Fault::bad_points, r);
      point = __builtin_nan("");
    }
    Density density{__builtin_nan(""), true, 0};
    if (j < past && sound && isfinite(point)) density = density_at(job, row, j, point, floor);
    for (unsigned rest = __ballot_sync(kAllLanes, !density.trusted); rest != 0; rest &= rest - 1) {
      const int lane = __ffs(rest) - 1;
      const double where = __shfl_sync(kAllLanes, point, lane);
      const std::int64_t which = j - static_cast<std::int64_t>(lane_index()) + lane;
      const double log_sum = warp_log_sum(job, r, where, params.leave_one_out ? which : -1);
      if (static_cast<int>(lane_index()) == lane) {
        const double log_density = log_sum - log(density.total) - log(params.bandwidth[r]) - kLogSqrt2Pi;
        density.value = params.log ? log_density : exp(log_density);
      }
    }
    if (j >= past) continue;
    store_element(params.density, params.density_dtype, r * k + j, density.value);
  }
}

}  // namespace

cudaError_t launch_finish(const SumsJob& job, double floor, const CudaContext& context) {
  return launch(finish_kernel, blocks_for(job.rows, (job.points + kThreads - 1) / kThreads), kThreads, 0,
                context.stream, job, floor, context.fault);
}

}  // namespace pruning_ext::kde
