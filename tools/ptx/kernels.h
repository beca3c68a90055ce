// The kernels of this program: what nvcc's registration said of them, compiled when they are first launched.
#pragma once

#include "machine.h"

namespace ptx {

void register_module(std::string text);
void register_function(const void* host, const char* name);

// By the address that the host's code launches.
Kernel& kernel_of(const void* host);

// By warps, of all kernels so far.
u64 instructions_executed();

}  // namespace ptx
