// A call of a CUDA kernel from torch: device, current stream, memory from torch's allocator, faults as sentences. For
// *_op_cuda.cpp only.
#pragma once

#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include "bindings/torch/tensor_door.h"
#include "common/cuda.h"

namespace pruning_ext {

// One call of an op: makes the tensor's device current while it lives and launches on its current stream, so that it
// can be captured in a CUDA graph.
class CudaCall {
 public:
  explicit CudaCall(const Tensor& like)
      : like_(like), device_(like.get_device_index()), guard_(device_), fault_(allocate(sizeof(FaultWord))) {
    // This library has a CUDA runtime of its own, which is to agree with torch's.
    try_cuda(cudaSetDevice(device_));
    void* stream = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device_, &stream));
    context_.stream = static_cast<cudaStream_t>(stream);
    int shared_memory = 0, major = 0, minor = 0;
    try_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device_));
    try_cuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device_));
    context_.architecture = 10 * major + minor;
    try_cuda(cudaDeviceGetAttribute(&context_.multiprocessors, cudaDevAttrMultiProcessorCount, device_));
    try_cuda(cudaDeviceGetAttribute(&shared_memory, cudaDevAttrMaxSharedMemoryPerBlockOptin, device_));
    context_.shared_memory = shared_memory;
    context_.fault = static_cast<FaultWord*>(fault_.mutable_data_ptr());
    try_cuda(cudaMemsetAsync(context_.fault, 0xff, sizeof(FaultWord), context_.stream));
  }

  const CudaContext& context() const { return context_; }

  // The same, with so much workspace; one at a time.
  const CudaContext& with_workspace(std::int64_t bytes) {
    workspace_ = allocate(bytes);
    context_.workspace = static_cast<std::byte*>(workspace_.mutable_data_ptr());
    return context_;
  }

  // Waits for the kernels; returns what they found wrong with the data. Not while a graph is captured: nothing may
  // wait then, and the rows at fault hold what the launchers promise for them (NaN, or an empty mask).
  Status wait(cudaError_t launched) {
    try_cuda(launched);
    cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
    try_cuda(cudaStreamIsCapturing(context_.stream, &capturing));
    if (capturing != cudaStreamCaptureStatusNone) return {};
    FaultWord word = kNoFault;
    try_cuda(cudaMemcpyAsync(&word, context_.fault, sizeof word, cudaMemcpyDeviceToHost, context_.stream));
    try_cuda(cudaStreamSynchronize(context_.stream));
    return status_of(word);
  }

  void finish(cudaError_t launched, const char* subject, const char* unit = "row") {
    raise_fault(wait(launched), subject, unit);
  }

 private:
  // torch formats the error, with its hints.
  static void try_cuda(cudaError_t error) {
    if (error != cudaSuccess) cudaGetLastError();  // not to be found again by the next call
    STD_CUDA_CHECK(error);
  }

  Tensor allocate(std::int64_t bytes) const { return torch::stable::new_empty(like_, {bytes}, ScalarType::Byte); }

  Tensor like_;
  std::int32_t device_;
  torch::stable::accelerator::DeviceGuard guard_;
  Tensor fault_, workspace_;
  CudaContext context_;
};

}  // namespace pruning_ext
