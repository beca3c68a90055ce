// Qualifiers for the formulas that the CPU and the CUDA kernels share.
#pragma once

#if defined(__CUDACC__)
#define PRUNING_EXT_HOST_DEVICE __host__ __device__
// Before a template that calls what it is handed: nvcc does not ask then whether both sides could call that.
#define PRUNING_EXT_ANY_CALLABLE _Pragma("nv_exec_check_disable")
#else
#define PRUNING_EXT_HOST_DEVICE
#define PRUNING_EXT_ANY_CALLABLE
#endif
