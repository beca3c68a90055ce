// KEN's row selection on CUDA: one launch, a block for each row, everything in shared memory where a row fits.
#pragma once

#include "common/cuda.h"
#include "ken/ken.h"

namespace pruning_ext::ken {

enum class Matching : std::int8_t {
  one_by_one,  // 1. each point in turn, the block looking for its nearest entry: the readable reference, O(k n)
  by_warp,     // 2. 32 points at a time, by a warp; rows of many ties in turn (matching.cuh)
  in_turn,     // 3. each point in turn, by a warp, O(log n)
};

// `params` as on the CPU, with pointers to device memory. Launches are asynchronous; faults go to context.fault, and
// rows at fault keep nothing. The workspace depends on what the context says of the device.
std::int64_t ken_mask_cuda_workspace(const KenParams& params, const CudaContext& context);
cudaError_t ken_mask_cuda(const KenParams& params, const CudaContext& context, Matching matching = Matching::by_warp);

}  // namespace pruning_ext::ken
