// What the other kernels need to know of each row: range, moments, weights, faults. One block for each row; it reads
// the row twice, the second time for the variance about the mean, so that rows far from 0 lose nothing.
#include "common/block.cuh"
#include "common/element.h"
#include "kde/kde_cuda.h"
#include "kde/kde_math.h"

namespace pruning_ext::kde {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    row_facts_kernel(Matrix samples, Matrix weights, const double* bandwidth, RowFacts* facts, FaultWord* fault) {
  const std::int64_t n = samples.cols;
  const bool weighted = weights.data != nullptr;
  for (std::int64_t r = blockIdx.x; r < samples.rows; r += gridDim.x) {
    constexpr double kInf = __builtin_inf();
    double low = kInf, high = -kInf, heaviest = 0, total = 0, squares = 0, sum = 0;
    int bad_sample = 0, bad_weight = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const double x = element<double>(samples, r, i);
      const double w = weighted ? element<double>(weights, r, i) : 1.0;
      low = x < low ? x : low;
      high = x > high ? x : high;
      bad_sample |= !isfinite(x);
      bad_weight |= !isfinite(w) || w < 0;
      heaviest = w > heaviest ? w : heaviest;
      total += w;
      squares += w * w;
      sum += w * x;
    }
    bad_sample = block_reduce(bad_sample, Max{});
    bad_weight = block_reduce(bad_weight, Max{});
    low = block_reduce(low, Min{});
    high = block_reduce(high, Max{});
    heaviest = block_reduce(heaviest, Max{});
    total = block_reduce(total, Add{});
    squares = block_reduce(squares, Add{});
    const double mean = block_reduce(sum, Add{}) / total;

    double spread = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const double x = element<double>(samples, r, i) - mean;
      spread += (weighted ? element<double>(weights, r, i) : 1.0) * x * x;
    }
    spread = block_reduce(spread, Add{});
    if (threadIdx.x != 0) continue;
    Fault found = Fault::none;
    if (bad_sample) {
      found = Fault::not_finite;
    } else if (bad_weight || !(heaviest > 0)) {
      found = Fault::bad_weights;
    } else if (bandwidth != nullptr && (!(bandwidth[r] > 0) || isinf(bandwidth[r]))) {
      found = Fault::bad_bandwidth;
    }
    if (found != Fault::none) report(fault, found, r);
    facts[r] = {low, high, mean, spread / total, total, total * total / squares, found};
  }
}

__global__ void __launch_bounds__(kThreads)
    rule_kernel(BandwidthParams params, const RowFacts* facts, FaultWord* fault) {
  for (std::int64_t r = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; r < params.samples.rows;
       r += std::int64_t{gridDim.x} * blockDim.x) {
    const RowFacts& row = facts[r];
    double h = row.low < row.high ? rule_bandwidth(params.rule, row.variance, row.n_eff) : 0;
    // 0 also for a variance below the smallest float64, or one heavy sample.
    if (row.fault == Fault::none && !(h > 0)) report(fault, Fault::constant_row, r);
    if (row.fault != Fault::none || !(h > 0)) h = __builtin_nan("");
    params.bandwidth[r] = h;
  }
}

__global__ void __launch_bounds__(kThreads) grid_kernel(GridParams params, const RowFacts* facts) {
  const std::int64_t k = params.num_points;
  for (std::int64_t r = blockIdx.x; r < params.samples.rows; r += gridDim.x) {
    const RowFacts& row = facts[r];
    const double step = k > 1 ? (row.high - row.low) / static_cast<double>(k - 1) : 0;
    for (std::int64_t j = threadIdx.x; j < k; j += blockDim.x) {
      const double point = row.fault == Fault::none ? grid_point(row.low, row.high, step, j, k) : __builtin_nan("");
      if (params.dtype == DType::float64) {
        static_cast<double*>(params.grid)[r * k + j] = point;
      } else {
        static_cast<float*>(params.grid)[r * k + j] = static_cast<float>(point);
      }
    }
  }
}

}  // namespace

cudaError_t launch_row_facts(const Matrix& samples, const Matrix& weights, const double* bandwidth, RowFacts* facts,
                             const CudaContext& context) {
  return launch(row_facts_kernel, blocks_for(samples.rows), kThreads, 0, context.stream, samples, weights, bandwidth,
                facts, context.fault);
}

cudaError_t launch_rule(const BandwidthParams& params, const RowFacts* facts, const CudaContext& context) {
  return launch(rule_kernel, blocks_for((params.samples.rows + kThreads - 1) / kThreads), kThreads, 0, context.stream,
                params, facts, context.fault);
}

cudaError_t launch_grid(const GridParams& params, const RowFacts* facts, const CudaContext& context) {
  return launch(grid_kernel, blocks_for(params.samples.rows), kThreads, 0, context.stream, params, facts);
}

}  // namespace pruning_ext::kde
