// Translation of statements into instructions. Calls are expanded where they stand (there is no recursion), so that a
// thread's state is a program counter and registers.
#pragma once

#include "machine.h"

namespace ptx {

// Of an entry of the module. Ends the program at what is not modelled.
void compile(const Module& module, const Function& entry, Kernel& kernel);

// As ptxas may: a product without .rn becomes a fused step in every sum of the same stretch.
void contract(Kernel& kernel);

}  // namespace ptx
