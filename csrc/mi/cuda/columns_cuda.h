// Mutual information of columns on CUDA: the two sides are discretised one by one, so that a fault names its side, then
// scored.
#pragma once

#include "common/cuda.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

enum class Side : std::int8_t { x, y };

// `params` as on the CPU, with pointers to device memory. One workspace serves the calls for x, for y (unless the pairs
// are symmetric) and for the information, in this order and on one stream; a side without columns is not discretised.
std::int64_t columns_cuda_workspace(const ColumnsParams& params, const CudaContext& context);
// A fault counts the columns of this side alone.
cudaError_t discretize_side_cuda(const ColumnsParams& params, Side side, const CudaContext& context);
// Both sides have columns.
cudaError_t mutual_information_of_columns_cuda(const ColumnsParams& params, const CudaContext& context);

}  // namespace pruning_ext::mi
