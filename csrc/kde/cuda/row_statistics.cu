// Statistics of each row for the other kernels: range, weights, faults, and for a rule's bandwidth the variance, in a
// second pass about the mean, so that rows far from 0 lose nothing.
//
// A row of up to 16,384 samples is one block's. A longer one is cut into pieces of that length, a block for each, and
// their partial results are combined in order: the pieces depend on the row alone, so that every run and every device
// gives the same. Loops over plain rows know the dtype and hold four loads in flight; a single row of 2^20
// samples occupies 64 multiprocessors.
#include "common/block.cuh"
#include "common/element.h"
#include "kde/cuda/kde_cuda.h"
#include "kde/kde_math.h"

namespace pruning_ext::kde {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kPiece = 16384;
constexpr double kInf = __builtin_inf();

struct Tally {  // of a piece of a row
  double low = kInf, high = -kInf;
  double heaviest = 0, total = 0, squares = 0;  // of its weights
  double sum = 0;                               // of its samples times their weights
  int faults = 0;                               // 1: a sample that is no number, 2: a weight
};

// The same in all threads of the block, in a fixed order.
template <bool kWeighted>
__device__ Tally block_tally(const Tally& mine) {
  Tally all;
  all.low = block_reduce(mine.low, Min{});
  all.high = block_reduce(mine.high, Max{});
  all.sum = block_reduce(mine.sum, Add{});
  all.faults = block_reduce(mine.faults, Or{});
  if constexpr (kWeighted) {
    all.heaviest = block_reduce(mine.heaviest, Max{});
    all.total = block_reduce(mine.total, Add{});
    all.squares = block_reduce(mine.squares, Add{});
  }
  return all;
}

// Compile-time knowledge of a pass: the dtype of samples without weights. Rows with weights are rare and have one plain
// loop for all dtypes.
template <DType kType>
struct Plain {
  static constexpr bool kWeighted = false;
  static constexpr int kUnrolled = 4;
  static __device__ double sample(const Matrix& m, std::int64_t r, std::int64_t i) {
    return element<double>(Matrix{m.data, kType, m.rows, m.cols, m.row_stride, m.col_stride}, r, i);
  }
};
struct Weighted {
  static constexpr bool kWeighted = true;
  static constexpr int kUnrolled = 1;
  static __device__ double sample(const Matrix& m, std::int64_t r, std::int64_t i) { return element<double>(m, r, i); }
};

struct StatisticsJob {
  Matrix samples, weights;  // weights.data == nullptr: all equal
  const double* bandwidth;  // or null, and the variance is wanted
  std::int64_t pieces;
  Tally* tallies;             // [rows, pieces], where there is more than one piece
  double* spreads;            // the same
  RowStatistics* statistics;  // [rows]
  FaultWord* fault;
};

template <typename Walk>
__device__ Tally tally_of(const StatisticsJob& job, std::int64_t r, std::int64_t begin, std::int64_t end) {
  Tally mine;
#pragma unroll(Walk::kUnrolled)
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const double x = Walk::sample(job.samples, r, i);
    mine.low = x < mine.low ? x : mine.low;
    mine.high = x > mine.high ? x : mine.high;
    mine.faults |= !isfinite(x);
    if constexpr (Walk::kWeighted) {
      const double w = element<double>(job.weights, r, i);
      mine.faults |= !isfinite(w) || w < 0 ? 2 : 0;
      mine.heaviest = w > mine.heaviest ? w : mine.heaviest;
      mine.total += w;
      mine.squares += w * w;
      mine.sum += w * x;
    } else {
      mine.sum += x;
    }
  }
  Tally all = block_tally<Walk::kWeighted>(mine);
  if constexpr (!Walk::kWeighted) {
    all.heaviest = 1;
    all.total = all.squares = static_cast<double>(end - begin);
  }
  return all;
}

// The same once more over a whole row whose weights want a factor; for rows that are seldom met.
__device__ Tally with_factor(const StatisticsJob& job, std::int64_t r, Tally tally) {
  const double factor = weight_factor(tally.heaviest);
  if (factor == 1) return tally;
  double total = 0, squares = 0, sum = 0;
  for (std::int64_t i = threadIdx.x; i < job.samples.cols; i += kThreads) {
    const double w = factor * element<double>(job.weights, r, i);
    total += w;
    squares += w * w;
    sum += w * element<double>(job.samples, r, i);
  }
  tally.total = block_reduce(total, Add{});
  tally.squares = block_reduce(squares, Add{});
  tally.sum = block_reduce(sum, Add{});
  return tally;
}

// The sum of squared distances to the mean, for all threads of the block.
template <typename Walk>
__device__ double spread_of(const StatisticsJob& job, std::int64_t r, std::int64_t begin, std::int64_t end, double mean,
                            double factor) {
  double spread = 0;
#pragma unroll(Walk::kUnrolled)
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const double centred = Walk::sample(job.samples, r, i) - mean;
    spread += (Walk::kWeighted ? factor * element<double>(job.weights, r, i) : 1.0) * centred * centred;
  }
  return block_reduce(spread, Add{});
}

// The variance of x 2^-exponent by one walk after the other over the whole row; for rows that are seldom met.
__device__ double scaled_variance(const StatisticsJob& job, std::int64_t r, double total, int exponent) {
  const auto sample = [&](std::int64_t i) { return ldexp(element<double>(job.samples, r, i), -exponent); };
  const auto weight = [&](std::int64_t i) {
    return job.weights.data == nullptr ? 1.0 : job.statistics[r].weight_factor * element<double>(job.weights, r, i);
  };
  double sum = 0, spread = 0;
  for (std::int64_t i = threadIdx.x; i < job.samples.cols; i += kThreads) sum += weight(i) * sample(i);
  const double mean = block_reduce(sum, Add{}) / total;
  for (std::int64_t i = threadIdx.x; i < job.samples.cols; i += kThreads) {
    const double centred = sample(i) - mean;
    spread += weight(i) * centred * centred;
  }
  return block_reduce(spread, Add{}) / total;
}

// All but the variance; by one thread.
__device__ void write_statistics(const StatisticsJob& job, std::int64_t r, const Tally& tally) {
  Fault found = Fault::none;
  if (tally.faults & 1) {
    found = Fault::not_finite;
  } else if (tally.faults != 0 || !(tally.heaviest > 0)) {
    found = Fault::bad_weights;
  } else if (job.bandwidth != nullptr && (!(job.bandwidth[r] > 0) || isinf(job.bandwidth[r]))) {
    found = Fault::bad_bandwidth;
  }
  if (found != Fault::none) report(job.fault, found, r);
  job.statistics[r] = {.low = tally.low,
                       .high = tally.high,
                       .mean = tally.sum / tally.total,
                       .variance = 0,
                       .weight_sum = tally.total,
                       .n_eff = tally.total * tally.total / tally.squares,
                       .weight_factor = weight_factor(tally.heaviest),
                       .exponent = 0,
                       .fault = found};
}

// The variance from the sum of squared distances; by all threads of the block.
__device__ void write_variance(const StatisticsJob& job, std::int64_t r, double low, double high, double total,
                               double spread) {
  double variance = spread / total;
  int exponent = 0;
  if (low < high && !holds_variance(variance)) {
    exponent = ilogb(fmax(fabs(low), fabs(high)));
    variance = scaled_variance(job, r, total, exponent);
  }
  if (threadIdx.x == 0) job.statistics[r].variance = variance, job.statistics[r].exponent = exponent;
}

// Blocks: rows x pieces. The first walk, and where a row is one piece the second, too.
template <typename Walk>
__global__ void __launch_bounds__(kThreads, 2) tally_kernel(const __grid_constant__ StatisticsJob job) {
  const std::int64_t n = job.samples.cols;
  for (std::int64_t r = blockIdx.x; r < job.samples.rows; r += gridDim.x) {
    for (std::int64_t piece = blockIdx.y; piece < job.pieces; piece += gridDim.y) {
      const std::int64_t begin = piece * kPiece, end = min(begin + kPiece, n);
      Tally tally = tally_of<Walk>(job, r, begin, end);
      if (job.pieces > 1) {
        if (threadIdx.x == 0) job.tallies[r * job.pieces + piece] = tally;
        continue;
      }
      if constexpr (Walk::kWeighted) tally = with_factor(job, r, tally);
      if (threadIdx.x == 0) write_statistics(job, r, tally);
      if (job.bandwidth != nullptr) continue;
      const double factor = weight_factor(tally.heaviest);
      const double spread = spread_of<Walk>(job, r, begin, end, tally.sum / tally.total, factor);
      if (threadIdx.x == 0) job.statistics[r].variance = spread;  // fold_spreads_kernel divides
    }
  }
}

// Of rows in pieces: a block for each row puts the tallies together.
__global__ void __launch_bounds__(kThreads, 2) fold_tallies_kernel(const __grid_constant__ StatisticsJob job) {
  for (std::int64_t r = blockIdx.x; r < job.samples.rows; r += gridDim.x) {
    Tally mine;
    for (std::int64_t piece = threadIdx.x; piece < job.pieces; piece += kThreads) {
      const Tally& other = job.tallies[r * job.pieces + piece];
      mine.low = fmin(mine.low, other.low);
      mine.high = fmax(mine.high, other.high);
      mine.heaviest = fmax(mine.heaviest, other.heaviest);
      mine.total += other.total;
      mine.squares += other.squares;
      mine.sum += other.sum;
      mine.faults |= other.faults;
    }
    Tally tally = block_tally<true>(mine);
    if (job.weights.data != nullptr) tally = with_factor(job, r, tally);
    if (threadIdx.x == 0) write_statistics(job, r, tally);
  }
}

// Blocks: rows x pieces. The second walk.
template <typename Walk>
__global__ void __launch_bounds__(kThreads, 2) spread_kernel(const __grid_constant__ StatisticsJob job) {
  for (std::int64_t r = blockIdx.x; r < job.samples.rows; r += gridDim.x) {
    for (std::int64_t piece = blockIdx.y; piece < job.pieces; piece += gridDim.y) {
      const std::int64_t begin = piece * kPiece, end = min(begin + kPiece, job.samples.cols);
      const double spread =
          spread_of<Walk>(job, r, begin, end, job.statistics[r].mean, job.statistics[r].weight_factor);
      if (threadIdx.x == 0) job.spreads[r * job.pieces + piece] = spread;
    }
  }
}

__global__ void __launch_bounds__(kThreads, 2) fold_spreads_kernel(const __grid_constant__ StatisticsJob job) {
  for (std::int64_t r = blockIdx.x; r < job.samples.rows; r += gridDim.x) {
    double spread = 0;
    for (std::int64_t piece = threadIdx.x; piece < job.pieces; piece += kThreads)
      spread += job.pieces > 1 ? job.spreads[r * job.pieces + piece] : job.statistics[r].variance;
    spread = block_reduce(spread, Add{});
    const RowStatistics& row = job.statistics[r];
    write_variance(job, r, row.low, row.high, row.weight_sum, spread);
  }
}

std::int64_t allocate(const Matrix& samples, std::byte* scratch, StatisticsJob* job) {
  job->pieces = std::max<std::int64_t>(1, (samples.cols + kPiece - 1) / kPiece);
  BumpAllocator allocator(scratch);
  if (job->pieces > 1) {
    job->tallies = allocator.take<Tally>(samples.rows * job->pieces);
    job->spreads = allocator.take<double>(samples.rows * job->pieces);
  }
  return allocator.used();
}

template <typename Walk>
cudaError_t launch_walks(const StatisticsJob& job, const CudaContext& context) {
  const dim3 walks = blocks_for(job.samples.rows, job.pieces), folds = blocks_for(job.samples.rows);
  PRUNING_EXT_TRY_CUDA(launch(tally_kernel<Walk>, walks, kThreads, 0, context.stream, job));
  if (job.pieces > 1) PRUNING_EXT_TRY_CUDA(launch(fold_tallies_kernel, folds, kThreads, 0, context.stream, job));
  if (job.bandwidth != nullptr) return cudaSuccess;
  if (job.pieces > 1) PRUNING_EXT_TRY_CUDA(launch(spread_kernel<Walk>, walks, kThreads, 0, context.stream, job));
  return launch(fold_spreads_kernel, folds, kThreads, 0, context.stream, job);
}

__global__ void __launch_bounds__(kThreads, 2)
    rule_kernel(BandwidthParams params, const RowStatistics* statistics, FaultWord* fault) {
  for (std::int64_t r = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; r < params.samples.rows;
       r += std::int64_t{gridDim.x} * blockDim.x) {
    const RowStatistics& row = statistics[r];
    const bool constant = !(row.low < row.high);
    double h = constant ? 0 : ldexp(rule_bandwidth(params.rule, row.variance, row.n_eff), row.exponent);
    if (row.fault == Fault::none && !(h > 0)) report(fault, constant ? Fault::constant_row : Fault::one_value, r);
    if (row.fault != Fault::none || !(h > 0)) h = __builtin_nan("");
    params.bandwidth[r] = h;
  }
}

__global__ void __launch_bounds__(kThreads, 2) grid_kernel(GridParams params, const RowStatistics* statistics) {
  const std::int64_t k = params.num_points;
  for (std::int64_t r = blockIdx.x; r < params.samples.rows; r += gridDim.x) {
    const RowStatistics& row = statistics[r];
    const RowGrid grid(row.low, row.high, k);
    for (std::int64_t j = threadIdx.x; j < k; j += blockDim.x) {
      const double point = row.fault == Fault::none ? grid.point(j) : __builtin_nan("");
      store_element(params.grid, params.dtype, r * k + j, point);
    }
  }
}

}  // namespace

std::int64_t row_statistics_scratch(const Matrix& samples) {
  StatisticsJob job{};
  return allocate(samples, nullptr, &job);
}

cudaError_t launch_row_statistics(const Matrix& samples, const Matrix& weights, const double* bandwidth,
                                  RowStatistics* statistics, std::byte* scratch, const CudaContext& context) {
  StatisticsJob job{samples, weights, bandwidth, 1, nullptr, nullptr, statistics, context.fault};
  allocate(samples, scratch, &job);
  if (weights.data != nullptr) return launch_walks<Weighted>(job, context);
  switch (samples.dtype) {
    case DType::float64: return launch_walks<Plain<DType::float64>>(job, context);
    case DType::float32: return launch_walks<Plain<DType::float32>>(job, context);
    case DType::float16: return launch_walks<Plain<DType::float16>>(job, context);
    default: return launch_walks<Plain<DType::bfloat16>>(job, context);
  }
}

cudaError_t launch_rule(const BandwidthParams& params, const RowStatistics* statistics, const CudaContext& context) {
  return launch(rule_kernel, blocks_for((params.samples.rows + kThreads - 1) / kThreads), kThreads, 0, context.stream,
                params, statistics, context.fault);
}

cudaError_t launch_grid(const GridParams& params, const RowStatistics* statistics, const CudaContext& context) {
  return launch(grid_kernel, blocks_for(params.samples.rows), kThreads, 0, context.stream, params, statistics);
}

}  // namespace pruning_ext::kde
