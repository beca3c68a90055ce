// The sums by their definition, sums[j] = sum_i w_i exp(-(p_j - x_i)^2 / 2 h^2): K N exponentials for a row.
//
// A block takes 256 points of a row, two for each thread, and walks over one segment of its samples [N], staged in
// shared memory in the arithmetic's own type. Two kinds of arithmetic:
//
//   1. float64: exp() of the CUDA library, some 30 operations on the float64 pipes. The reference, and the answer to
//      rtol below what others reach.
//   2. compensated float32: the special-function units give 16 exp2 a clock and multiprocessor, and 128 FMA lanes stand
//      beside them, so eight FMA-pipe operations for each exponential are free. Ten are used (80 % of that limit): they
//      carry the rounding of the scale and of the square into a first-order correction; only the difference p - x is
//      rounded. At 7.4 bandwidths (density 1e-12 of a peak) that leaves 27 * 2^-23 = 3.3e-6. Partial sums are moved to
//      float64 every 64 samples.
//      Machine code for sm_90: for each term one MUFU.EX2, ten of FFMA, FMUL and FADD, one FMNMX; LDS.128 for four
//      samples.
#include "common/block.cuh"
#include "common/element.h"
#include "kde/kde_cuda.h"
#include "kde/term.cuh"

namespace pruning_ext::kde {
namespace {

constexpr int kThreads = 128;
constexpr int kPoints = 2;  // for each thread
constexpr std::int64_t kTile = kThreads * kPoints;
constexpr int kStaged = 512;  // samples in shared memory at a time
constexpr int kPartial = 64;  // samples summed in the arithmetic's own type

template <typename Real, bool kWeighted>
__device__ void sum_segment(const SumsJob& job, std::int64_t r, std::int64_t first_point, std::int64_t begin,
                            std::int64_t end, double (&sums)[kPoints]) {
  alignas(16) __shared__ Real x[kStaged];
  alignas(16) __shared__ Real w[kWeighted ? kStaged : 1];
  const Matrix& points = job.params.points;
  const Term<Real> term(job.params.bandwidth[r]);
  Real p[kPoints];
#pragma unroll
  for (int v = 0; v < kPoints; ++v) {
    const std::int64_t j = first_point + v * kThreads + threadIdx.x;
    p[v] = j < points.cols ? element<Real>(points, r, j) : Real(0);
    sums[v] = 0;
  }
  for (std::int64_t stage = begin; stage < end; stage += kStaged) {
    const int staged = static_cast<int>(end - stage < kStaged ? end - stage : kStaged);
    __syncthreads();
    for (int i = threadIdx.x; i < kStaged; i += kThreads) {
      // What pads the last stage lies infinitely far away.
      x[i] = i < staged ? element<Real>(job.params.samples, r, stage + i) : Term<Real>::far_away();
      if constexpr (kWeighted) w[i] = i < staged ? element<Real>(job.params.weights, r, stage + i) : Real(0);
    }
    __syncthreads();
    for (int first = 0; first < staged; first += kPartial) {
      Real partial[kPoints] = {};
#pragma unroll 8
      for (int i = first; i < first + kPartial; ++i) {
#pragma unroll
        for (int v = 0; v < kPoints; ++v) {
          if constexpr (kWeighted) {
            partial[v] += w[i] * term(p[v], x[i]);
          } else {
            partial[v] += term(p[v], x[i]);
          }
        }
      }
#pragma unroll
      for (int v = 0; v < kPoints; ++v) sums[v] += partial[v];
    }
  }
}

// Blocks: rows x tiles of points x segments of samples.
template <typename Real, bool kWeighted>
__global__ void __launch_bounds__(kThreads, sizeof(Real) == 4 ? 8 : 4)
    direct_kernel(const __grid_constant__ SumsJob job) {
  const std::int64_t k = job.params.points.cols, n = job.params.samples.cols;
  const std::int64_t segment = blockIdx.z;  // cut_samples() makes no more than a launch has blocks in z
  const std::int64_t begin = segment * job.segment_size;
  const std::int64_t end = begin + job.segment_size < n ? begin + job.segment_size : n;
  for (std::int64_t row = blockIdx.x; row < job.rows; row += gridDim.x) {
    const std::int64_t r = job.first_row + row;
    if (job.facts[r].fault != Fault::none) continue;
    for (std::int64_t first_point = blockIdx.y * kTile; first_point < k; first_point += gridDim.y * kTile) {
      double sums[kPoints];
      if (sizeof(Real) == sizeof(float) && !Term<float>::holds(job.params.bandwidth[r])) {
        sum_segment<double, kWeighted>(job, r, first_point, begin, end, sums);
      } else {
        sum_segment<Real, kWeighted>(job, r, first_point, begin, end, sums);
      }
#pragma unroll
      for (int v = 0; v < kPoints; ++v) {
        const std::int64_t j = first_point + v * kThreads + threadIdx.x;
        if (j < k) job.sums[(segment * job.rows + row) * k + j] = sums[v];
      }
    }
  }
}

}  // namespace

cudaError_t launch_direct(const SumsJob& job, bool fast, const CudaContext& context) {
  const dim3 blocks = blocks_for(job.rows, (job.params.points.cols + kTile - 1) / kTile, job.segments);
  const bool weighted = job.params.weights.data != nullptr;
  const auto kernel = fast ? (weighted ? direct_kernel<float, true> : direct_kernel<float, false>)
                           : (weighted ? direct_kernel<double, true> : direct_kernel<double, false>);
  return launch(kernel, blocks, kThreads, 0, context.stream, job);
}

}  // namespace pruning_ext::kde
