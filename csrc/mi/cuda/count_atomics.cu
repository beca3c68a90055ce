// 1. A block for each pair of rows: a table [bins, bins] in shared memory, one atomic addition for each sample. Where
// the table is too large, the samples are read again for each stretch of its rows. Slow where most samples fall into
// one cell, as ReLU's zeros do; kept as the reference, for contingency tables, and for more than 32 bins.
#include "common/block.cuh"
#include "mi/cuda/pair_epilogue.cuh"

namespace pruning_ext::mi {
namespace {

constexpr int kThreads = 256;
constexpr int kCells = 11 * 1024;  // of int32: 44 KB, so that no launch needs more than the default

__device__ void count_pair(const PairJob& job, std::int64_t i, std::int64_t j, int* table) {
  const Codes& x = job.pairs.x;
  const Codes& y = job.pairs.symmetric ? job.pairs.x : job.pairs.y;
  const int bins = static_cast<int>(job.pairs.bins), rows_at_once = kCells / bins;
  Margin joint{0, 0};
  for (int first = 0; first < bins; first += rows_at_once) {
    const int rows = min(rows_at_once, bins - first);
    for (int cell = threadIdx.x; cell < rows * bins; cell += kThreads) table[cell] = 0;
    __syncthreads();
    for (std::int64_t t = threadIdx.x; t < x.samples; t += kThreads) {
      const int a = x.data[(job.first_row + i) * x.row_stride + t * x.sample_stride] - first;
      const int b = y.data[j * y.row_stride + t * y.sample_stride];
      if (a >= 0 && a < rows && b < bins) atomicAdd(table + a * bins + b, 1);
    }
    __syncthreads();
    for (int cell = threadIdx.x; cell < rows * bins; cell += kThreads) {
      const int count = table[cell];
      if (job.counts != nullptr) {
        job.counts[((job.first_row + i) * y.rows + j) * bins * bins + first * bins + cell] = count;
      } else {
        joint.sum += term_of(job, count);
        joint.occupied += count != 0;
      }
    }
    __syncthreads();
  }
  if (job.counts != nullptr) return;
  joint = {block_reduce(static_cast<long long>(joint.sum), Add{}), block_reduce(joint.occupied, Add{})};
  if (threadIdx.x == 0) store_information(job, i, j, joint);
}

// Blocks: partners x rows.
__global__ void __launch_bounds__(kThreads, 2) atomics_kernel(const __grid_constant__ PairJob job) {
  __shared__ int table[kCells];
  const std::int64_t partners = job.pairs.symmetric ? job.pairs.x.rows : job.pairs.y.rows;
  for (std::int64_t j = blockIdx.x; j < partners; j += gridDim.x) {
    for (std::int64_t i = blockIdx.y; i < job.rows; i += gridDim.y) {
      if (!job.mirror || j >= i) count_pair(job, i, j, table);
    }
  }
}

}  // namespace

cudaError_t launch_atomics(const PairJob& job, const CudaContext& context) {
  return launch(atomics_kernel, blocks_for(job.pairs.partners().rows, job.rows), kThreads, 0, context.stream, job);
}

}  // namespace pruning_ext::mi
