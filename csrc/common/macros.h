// Qualifiers for the formulas that the CPU and the CUDA kernels share.
#pragma once

#if defined(__CUDACC__)
#define PRUNING_EXT_HOST_DEVICE __host__ __device__
#else
#define PRUNING_EXT_HOST_DEVICE
#endif
