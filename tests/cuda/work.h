// Work done by kernels so far, in steps that can be compared with each other and with the size of the input. The
// emulation counts calls of bit counts and exchanges, the interpreter of PTX instructions of warps.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace ptx {
std::uint64_t instructions_executed();
}

namespace pruning_ext {

inline std::uint64_t work_done() {
#if defined(PRUNING_EXT_EMULATED)
  return emulation::steps;
#else
  return ptx::instructions_executed();
#endif
}

}  // namespace pruning_ext
