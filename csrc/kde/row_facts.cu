// What the other kernels need to know of each row: range, moments, weights, faults. One block for each row; it reads
// the row twice, the second time for the variance about the mean, so that rows far from 0 lose nothing.
#include "common/block.cuh"
#include "common/element.h"
#include "kde/kde_cuda.h"
#include "kde/kde_math.h"

namespace pruning_ext::kde {
namespace {

constexpr int kThreads = 256;

// Mean and population variance of x 2^-exponent, `total` being the sum of the weights; for all threads of the block.
struct Moments {
  double mean, variance;
};

template <bool kScaled>
__device__ Moments moments_of(const Matrix& samples, const Matrix& weights, std::int64_t r, double total,
                              int exponent) {
  const auto sample = [&](std::int64_t i) {
    const double x = element<double>(samples, r, i);
    return kScaled ? ldexp(x, -exponent) : x;
  };
  const auto weight = [&](std::int64_t i) { return weights.data == nullptr ? 1.0 : element<double>(weights, r, i); };
  double sum = 0, spread = 0;
  for (std::int64_t i = threadIdx.x; i < samples.cols; i += blockDim.x) sum += weight(i) * sample(i);
  const double mean = block_reduce(sum, Add{}) / total;
  for (std::int64_t i = threadIdx.x; i < samples.cols; i += blockDim.x) {
    const double centred = sample(i) - mean;
    spread += weight(i) * centred * centred;
  }
  return {mean, block_reduce(spread, Add{}) / total};
}

__global__ void __launch_bounds__(kThreads, 2)
    row_facts_kernel(Matrix samples, Matrix weights, const double* bandwidth, RowFacts* facts, FaultWord* fault) {
  const std::int64_t n = samples.cols;
  const bool weighted = weights.data != nullptr;
  for (std::int64_t r = blockIdx.x; r < samples.rows; r += gridDim.x) {
    constexpr double kInf = __builtin_inf();
    double low = kInf, high = -kInf, heaviest = 0, total = 0, squares = 0;
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
    }
    bad_sample = block_reduce(bad_sample, Max{});
    bad_weight = block_reduce(bad_weight, Max{});
    low = block_reduce(low, Min{});
    high = block_reduce(high, Max{});
    heaviest = block_reduce(heaviest, Max{});
    total = block_reduce(total, Add{});
    squares = block_reduce(squares, Add{});
    int exponent = 0;
    Moments moments = moments_of<false>(samples, weights, r, total, 0);
    if (low < high && !holds_variance(moments.variance)) {
      exponent = ilogb(fmax(fabs(low), fabs(high)));
      moments = moments_of<true>(samples, weights, r, total, exponent);
    }
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
    facts[r] = {low, high, moments.variance, exponent, total, total * total / squares, found};
  }
}

__global__ void __launch_bounds__(kThreads, 2)
    rule_kernel(BandwidthParams params, const RowFacts* facts, FaultWord* fault) {
  for (std::int64_t r = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; r < params.samples.rows;
       r += std::int64_t{gridDim.x} * blockDim.x) {
    const RowFacts& row = facts[r];
    // 0 also where one sample has all the weight.
    double h = row.low < row.high ? ldexp(rule_bandwidth(params.rule, row.variance, row.n_eff), row.exponent) : 0;
    if (row.fault == Fault::none && !(h > 0)) report(fault, Fault::constant_row, r);
    if (row.fault != Fault::none || !(h > 0)) h = __builtin_nan("");
    params.bandwidth[r] = h;
  }
}

__global__ void __launch_bounds__(kThreads, 2) grid_kernel(GridParams params, const RowFacts* facts) {
  const std::int64_t k = params.num_points;
  for (std::int64_t r = blockIdx.x; r < params.samples.rows; r += gridDim.x) {
    const RowFacts& row = facts[r];
    // Where the range itself leaves float64, the grid is made in quarters.
    const double unit = isfinite(row.high - row.low) ? 1 : 4, low = row.low / unit, high = row.high / unit;
    const double step = k > 1 ? (high - low) / static_cast<double>(k - 1) : 0;
    for (std::int64_t j = threadIdx.x; j < k; j += blockDim.x) {
      const double point = row.fault == Fault::none ? grid_point(low, high, step, j, k) * unit : __builtin_nan("");
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
