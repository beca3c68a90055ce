// A launch: every block of the grid, one after the other.
#pragma once

#include <cuda_runtime_api.h>

#include "machine.h"

namespace ptx {

// `shared` is the dynamic shared memory, in bytes. Errors as the runtime has them, with their reason on stderr.
cudaError_t launch(Kernel& kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared);

}  // namespace ptx
