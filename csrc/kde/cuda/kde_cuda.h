// The KDE launchers for CUDA. Three steps, each a kernel: statistics of the rows (row_statistics.cu), sums of Gaussians
// by one of the methods (direct.cu, lattice.cu), densities from the sums (finish.cu). Only sums [segments, rows,
// points] in float64 go through global memory, for as many rows, or points of one row, at a time as fit into 256 MB.
#pragma once

#include "common/cuda.h"
#include "kde/kde.h"

namespace pruning_ext::kde {

// How the sums are made. `automatic` chooses among the others by size and accuracy; naming one is for tests and
// measurements.
enum class Method : std::int8_t {
  automatic,
  direct,       // 1. the definition in float64: the readable reference
  direct_fast,  // 2. the definition in compensated float32, near the limit of the exponential units; rtol >= 1e-5
  lattice,      // 3. linear time: sort, then the lattice of lattice.h
};

struct RowStatistics {
  double low, high, mean;
  double variance;           // population variance of the samples times 2^-exponent; 0 where a bandwidth is given
  double weight_sum, n_eff;  // as in kde_math.h
  double weight_factor;      // of all weights, here and in sums
  int exponent;              // 0 but where the variance itself leaves float64
  Fault fault;
};

// One launch of a method: rows [first_row, first_row + rows), points [first_point, first_point + points).
struct SumsJob {
  KdeParams params;
  const RowStatistics* statistics;  // [R]
  std::int64_t first_row, rows;
  std::int64_t first_point, points;
  std::int64_t segments;  // into which a row's samples are cut
  std::int64_t segment_size;
  double* sums;  // [segments, rows, points]
};

// `params` as on the CPU, with pointers to device memory; each call needs `*_workspace` bytes, for the same method and
// device. Launches are asynchronous; faults go to context.fault, and rows at fault get NaN.
std::int64_t gaussian_kde_cuda_workspace(const KdeParams& params, const CudaContext& context,
                                         Method method = Method::automatic);
cudaError_t gaussian_kde_cuda(const KdeParams& params, const CudaContext& context, Method method = Method::automatic);

std::int64_t gaussian_kde_grid_cuda_workspace(const GridParams& params, const CudaContext& context,
                                              Method method = Method::automatic);
cudaError_t gaussian_kde_grid_cuda(const GridParams& params, const CudaContext& context,
                                   Method method = Method::automatic);

std::int64_t bandwidth_cuda_workspace(const BandwidthParams& params);
cudaError_t bandwidth_cuda(const BandwidthParams& params, const CudaContext& context);

// The kernels' launchers. `bandwidth` is checked; where it is null the variance is found instead. `scratch` has
// row_statistics_scratch() bytes, aligned to 256.
std::int64_t row_statistics_scratch(const Matrix& samples);
cudaError_t launch_row_statistics(const Matrix& samples, const Matrix& weights, const double* bandwidth,
                                  RowStatistics* statistics, std::byte* scratch, const CudaContext& context);
cudaError_t launch_rule(const BandwidthParams& params, const RowStatistics* statistics, const CudaContext& context);
cudaError_t launch_grid(const GridParams& params, const RowStatistics* statistics, const CudaContext& context);
cudaError_t launch_direct(const SumsJob& job, bool fast, const CudaContext& context);
cudaError_t launch_lattice(const SumsJob& job, const CudaContext& context);
cudaError_t launch_finish(const SumsJob& job, double floor, const CudaContext& context);

// The samples that one block of the lattice method can hold.
std::int64_t lattice_segment(const KdeParams& params);

}  // namespace pruning_ext::kde
