// The sums by their definition, sums[j] = sum_i w_i exp(-(p_j - x_i)^2 / 2 h^2): K N exponentials for a row.
//
// A block takes 256 points of a row, two for each thread, and walks over one segment of its samples [N], staged in
// shared memory in the form the arithmetic takes. Two kinds of arithmetic:
//
//   1. float64: exp() of the CUDA library, some 30 operations on the float64 pipes. The reference, and the answer to
//      rtol below what others reach.
//   2. float32: the special-function units give 16 exp2 a clock and multiprocessor, and the schedulers issue eight
//      instructions in the time of one of these. A term takes three additions, a product, the exponential and its
//      addition to the sum (term.cuh), so that the special-function units should be the limit; the
//      version before carried the roundings of a scaled difference along in 12. Its difference and its square are
//      rounded once each: at 7.4 bandwidths (density 1e-12 of a peak) that is 27.6 * 3 * 2^-24 = 4.9e-6; partial sums
//      are moved to float64 every 64 samples, which is 1.9e-6 at most.
//      Machine code for sm_90: 16 terms are 64 FADD, 16 FMUL, 16 MUFU.EX2 and 4 LDS.128, with the loop 104
//      instructions, 6.5 a term; 62 registers (eight blocks of 128 threads to a multiprocessor).
#include <type_traits>

#include "common/block.cuh"
#include "common/element.h"
#include "kde/cuda/kde_cuda.h"
#include "kde/cuda/term.cuh"

namespace pruning_ext::kde {
namespace {

constexpr int kThreads = 128;
constexpr int kPoints = 2;  // for each thread
constexpr std::int64_t kTile = kThreads * kPoints;
constexpr int kStaged = 512;  // samples in shared memory at a time
constexpr int kPartial = 64;  // samples summed before float64 takes over

// Adds to sums what samples [begin, end) of row r give the points `p`.
template <typename Term, bool kWeighted>
__device__ void sum_segment(const SumsJob& job, std::int64_t r, const Term& term,
                            const typename Term::Position (&p)[kPoints], std::int64_t begin, std::int64_t end,
                            double (&sums)[kPoints]) {
  using Position = typename Term::Position;
  using Sum = typename Term::Sum;
  alignas(16) __shared__ Position x[kStaged];
  alignas(16) __shared__ Sum w[kWeighted ? kStaged : 1];
  for (std::int64_t stage = begin; stage < end; stage += kStaged) {
    const int staged = static_cast<int>(end - stage < kStaged ? end - stage : kStaged);
    __syncthreads();
    for (int i = threadIdx.x; i < kStaged; i += kThreads) {
      // Padding of the last stage lies infinitely far away.
      x[i] = i < staged ? term.position(element<double>(job.params.samples, r, stage + i)) : Term::far_away();
      if constexpr (kWeighted) {
        const double weight = i < staged ? element<double>(job.params.weights, r, stage + i) : 0;
        w[i] = static_cast<Sum>(job.statistics[r].weight_factor * weight);
      }
    }
    __syncthreads();
    for (int first = 0; first < staged; first += kPartial) {
      Sum partial[kPoints] = {};
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

// False, and nothing done, where the arithmetic does not reach one of the block's points.
template <typename Term, bool kWeighted>
__device__ bool sum_points(const SumsJob& job, std::int64_t r, std::int64_t first_point, std::int64_t begin,
                           std::int64_t end, double (&sums)[kPoints]) {
  const Matrix& points = job.params.points;
  const Term term(job.params.bandwidth[r]);
  typename Term::Position p[kPoints];
  int holds = 1;
#pragma unroll
  for (int v = 0; v < kPoints; ++v) {
    const std::int64_t j = first_point + v * kThreads + threadIdx.x;
    p[v] = term.position(j < job.points ? element<double>(points, r, job.first_point + j) : 0);
    holds &= Term::holds(p[v]);
    sums[v] = 0;
  }
  if (block_reduce(holds, Min{}) == 0) return false;
  sum_segment<Term, kWeighted>(job, r, term, p, begin, end, sums);
  return true;
}

// Blocks: rows x tiles of points x segments of samples.
template <typename Term, bool kWeighted>
__global__ void __launch_bounds__(kThreads, sizeof(typename Term::Sum) == 4 ? 8 : 4)
    direct_kernel(const __grid_constant__ SumsJob job) {
  const std::int64_t k = job.points, n = job.params.samples.cols;
  const std::int64_t segment = blockIdx.z;  // job_for() makes no more than a launch has blocks in z
  const std::int64_t begin = segment * job.segment_size;
  const std::int64_t end = begin + job.segment_size < n ? begin + job.segment_size : n;
  for (std::int64_t row = blockIdx.x; row < job.rows; row += gridDim.x) {
    const std::int64_t r = job.first_row + row;
    if (job.statistics[r].fault != Fault::none) continue;
    for (std::int64_t first_point = blockIdx.y * kTile; first_point < k; first_point += gridDim.y * kTile) {
      double sums[kPoints];
      if (!sum_points<Term, kWeighted>(job, r, first_point, begin, end, sums)) {
        if constexpr (!std::is_same_v<Term, ExactTerm>)  // which reaches every point
          sum_points<ExactTerm, kWeighted>(job, r, first_point, begin, end, sums);
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
  const dim3 blocks = blocks_for(job.rows, (job.points + kTile - 1) / kTile, job.segments);
  const bool weighted = job.params.weights.data != nullptr;
  const auto kernel = fast ? (weighted ? direct_kernel<FastTerm, true> : direct_kernel<FastTerm, false>)
                           : (weighted ? direct_kernel<ExactTerm, true> : direct_kernel<ExactTerm, false>);
  return launch(kernel, blocks, kThreads, 0, context.stream, job);
}

}  // namespace pruning_ext::kde
