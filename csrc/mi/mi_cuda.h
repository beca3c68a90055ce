// Mutual information on CUDA: counting kernels behind one interface, information in their epilogue.
#pragma once

#include "common/cuda.h"
#include "mi/mi.h"
#include "mi/mi_math.h"

namespace pruning_ext::mi {

enum class Counting : std::int8_t {
  automatic,
  atomics,  // 1. a table in shared memory, one atomic addition for each sample of a pair: the readable reference
  planes,   // 2. a bit plane for each bin, AND + POPC on the binary tensor cores; at most 32 bins
};

struct PairJob {  // what the counting kernels share
  Pairs pairs;
  Scale scale;
  int shift;                  // of the terms
  const std::int64_t* terms;  // count -> its term, [T + 1]; nullptr: computed where needed
  const Margin* x_margins;    // [N]
  const Margin* y_margins;    // [M]
  std::int64_t first_row;     // rows [first_row, first_row + rows) of x
  std::int64_t rows;
  bool mirror;        // y is x and all rows are wanted: half the pairs, written twice
  void* information;  // [rows, M], row first_row first
  DType dtype;
  std::int32_t* counts;           // [N, M, bins, bins] instead of the information, or nullptr
  const std::uint32_t* x_planes;  // Counting::planes: fragments (count_planes.cu)
  const std::uint32_t* y_planes;
};

// `params` as on the CPU, with pointers to device memory. Launches are asynchronous; faults go to context.fault.
std::int64_t pairs_cuda_workspace(const Pairs& pairs);
cudaError_t contingency_cuda(const ContingencyParams& params, const CudaContext& context);
cudaError_t mutual_information_cuda(const InformationParams& params, const CudaContext& context,
                                    Counting counting = Counting::automatic);
cudaError_t top_k_cuda(const TopKParams& params, const CudaContext& context, Counting counting = Counting::automatic);
cudaError_t sum_cuda(const SumParams& params, const CudaContext& context, Counting counting = Counting::automatic);

// The kernels' launchers.
cudaError_t launch_atomics(const PairJob& job, const CudaContext& context);
cudaError_t launch_planes(const PairJob& job, const CudaContext& context);
cudaError_t launch_pack(const Codes& codes, std::int64_t bins, std::uint32_t* planes, const CudaContext& context);

// 32-bit words that the planes of so many rows take.
std::int64_t plane_words(const Codes& codes, std::int64_t bins);

}  // namespace pruning_ext::mi
