// The host's side of every CUDA kernel: what a launcher is handed beside its parameters, and how it launches. No torch.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "common/status.h"

namespace pruning_ext {

// The first fault that kernels found, in device memory: row * 16 + fault; all ones where there is none.
using FaultWord = unsigned long long;
constexpr FaultWord kNoFault = ~FaultWord{0};

inline Status status_of(FaultWord word) {
  if (word == kNoFault) return {};
  return {static_cast<Fault>(word % 16), static_cast<std::int64_t>(word / 16)};
}

struct CudaContext {
  cudaStream_t stream = nullptr;
  FaultWord* fault = nullptr;      // device memory, all ones
  std::byte* workspace = nullptr;  // device memory, aligned to 256 bytes, as large as the launcher asked for
  int multiprocessors = 0;
  int architecture = 90;           // 10 major + minor
  std::int64_t shared_memory = 0;  // the most bytes that a block may use
};

// Blocks [x, y, z], as many of each as a launch admits; kernels loop over what is left. 0 of any: nothing to do.
inline dim3 blocks_for(std::int64_t x, std::int64_t y = 1, std::int64_t z = 1) {
  const auto most = [](std::int64_t wanted, std::int64_t limit) {
    return static_cast<unsigned>(wanted < limit ? wanted : limit);
  };
  return dim3(most(x, 0x7fffffff), most(y, 0xffff), most(z, 0xffff));
}

// Takes aligned pieces off a stretch of memory; from a null pointer it only counts them.
class BumpAllocator {
 public:
  explicit BumpAllocator(std::byte* base) : base_(base) {}
  template <typename T>
  T* take(std::int64_t count) {
    const std::int64_t begin = used_;
    used_ += (count * static_cast<std::int64_t>(sizeof(T)) + 255) / 256 * 256;
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + begin);
  }
  std::int64_t used() const { return used_; }

 private:
  std::byte* base_;
  std::int64_t used_ = 0;
};

// Lets a kernel be launched with so much dynamic shared memory. Without asking, 48 KB are the most, what the kernel
// declares itself included. It is always asked for the same, all that the device has: a size of its own for each launch
// could be lowered by another thread before the launch.
template <typename... Params>
cudaError_t admit_shared(void (*kernel)(Params...), std::int64_t shared) {
  cudaFuncAttributes attributes{};
  const cudaError_t found = cudaFuncGetAttributes(&attributes, kernel);
  if (found != cudaSuccess || shared <= attributes.maxDynamicSharedSizeBytes) return found;
  int device = 0, most = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error != cudaSuccess) return error;
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              most - static_cast<int>(attributes.sharedSizeBytes));
}

// Launches on the context's stream, unless there are no blocks.
template <typename... Params, typename... Args>
cudaError_t launch(void (*kernel)(Params...), dim3 blocks, int threads, std::int64_t shared, cudaStream_t stream,
                   Args&&... args) {
  if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0) return cudaSuccess;
  if (shared > 0) {
    const cudaError_t admitted = admit_shared(kernel, shared);
    if (admitted != cudaSuccess) return admitted;
  }
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(shared);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<Params>(std::forward<Args>(args))...);
}

}  // namespace pruning_ext

// For functions that return cudaError_t: leaves at the first one that is none.
#define PRUNING_EXT_TRY_CUDA(expression)            \
  do {                                              \
    const cudaError_t try_error = (expression);     \
    if (try_error != cudaSuccess) return try_error; \
  } while (0)
