// Discretisation on CUDA. `params` as on the CPU, with pointers to device memory; faults go to context.fault.
#pragma once

#include "common/cuda.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

std::int64_t discretize_cuda_workspace(const DiscretizeParams& params, const CudaContext& context);
// With `packed` the codes, of at most 16 bins, go there (packed_words(), mi_cuda.h) and not to params.codes.
cudaError_t discretize_cuda(const DiscretizeParams& params, const CudaContext& context,
                            std::uint32_t* packed = nullptr);
cudaError_t encode_cuda(const EncodeParams& params, const CudaContext& context);

}  // namespace pruning_ext::mi
