// The part of the CUDA runtime that the project's host code calls, for one device that is the interpreter, and the
// registration that nvcc puts into objects. It stands in for the toolkit's library, which is not linked.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>

#include "allocations.h"
#include "kernels.h"
#include "launch.h"

using namespace ptx;

namespace {

constexpr int kMostShared = 227 * 1024;  // bytes for a block of sm_90

struct FatWrapper {  // what nvcc gives to __cudaRegisterFatBinary
  int magic, version;
  const void* data;
  void* more;
};

template <typename T>
T value_at(const u8* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Every entry has a kind (1 is PTX), the length of its header and of its data.
void register_entries(const u8* p) {
  if (value_at<u32>(p) != 0xba55ed50) die("a fat binary of another kind");
  const u8* const first = p + value_at<u16>(p + 6);
  const u8* const end = first + value_at<u64>(p + 8);
  for (const u8* e = first; e < end;) {
    const u32 header = value_at<u32>(e + 4);
    const u64 size = value_at<u64>(e + 8);
    const char* const text = reinterpret_cast<const char*>(e + header);
    if (value_at<u16>(e) == 1) register_module(std::string(text, strnlen(text, size)));
    e += header + size;
  }
}

Extent extent_of(const dim3& d) { return {d.x, d.y, d.z}; }

[[noreturn]] void not_used() { die("<<<>>> is not used"); }

}  // namespace

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
  const Untracked own;
  register_entries(static_cast<const u8*>(static_cast<const FatWrapper*>(wrapper)->data));
  return static_cast<void**>(wrapper);
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, void*, void*, void*, void*, int*) {
  register_function(host, name);
}
unsigned __cudaPushCallConfiguration(dim3, dim3, std::size_t, void*) { not_used(); }
cudaError_t __cudaPopCallConfiguration(dim3*, dim3*, std::size_t*, void*) { not_used(); }
cudaError_t __cudaGetKernel(cudaKernel_t*, const void*) { not_used(); }
cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3, dim3, void**, std::size_t, cudaStream_t) { not_used(); }

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* c, const void* function, void** arguments) {
  const Untracked own;
  if (c->numAttrs != 0) die("launch attributes");
  switch (launch(kernel_of(function), extent_of(c->gridDim), extent_of(c->blockDim), arguments, c->dynamicSmemBytes)) {
    case Launched::bad_configuration: return cudaErrorInvalidConfiguration;
    case Launched::bad_shared_memory: return cudaErrorInvalidValue;
    case Launched::done: break;
  }
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = kMostShared; break;
    case cudaDevAttrMultiProcessorCount: *value = 132; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
    default: die("device attribute " + std::to_string(attribute));
  }
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  const Untracked own;
  const Kernel& k = kernel_of(function);
  *attributes = {};
  attributes->sharedSizeBytes = static_cast<std::size_t>(k.static_shared);
  attributes->maxDynamicSharedSizeBytes = k.dynamic_shared;
  attributes->maxThreadsPerBlock = k.max_threads;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  const Untracked own;
  Kernel& k = kernel_of(function);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) die("a function attribute");
  if (value < 0 || value + k.static_shared > kMostShared) {
    std::fprintf(stderr, "%d bytes of shared memory for %s refused\n", value, k.name.c_str());
    return cudaErrorInvalidValue;
  }
  k.dynamic_shared = value;
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* at, int value, std::size_t bytes, cudaStream_t) {
  Range r;
  const u64 first = reinterpret_cast<u64>(at);
  if (bytes > 0 && (!find_range(first, r) || first + bytes > r.high))
    die("cudaMemsetAsync outside of every allocation");
  std::memset(at, value, bytes);
  return cudaSuccess;
}

const char* cudaGetErrorString(cudaError_t) { return "error"; }
}
