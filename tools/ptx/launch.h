// A launch: every block of the grid, one after the other.
#pragma once

#include "machine.h"

namespace ptx {

struct Extent {
  u32 x = 1, y = 1, z = 1;
};
enum class Launched : u8 { done, bad_configuration, bad_shared_memory };

// `arguments` points to one value per parameter; `shared` is the dynamic shared memory, in bytes. A launch is refused
// as a GPU would refuse it, with the reason on stderr.
Launched launch(Kernel& kernel, Extent grid, Extent block, void** arguments, std::size_t shared);

}  // namespace ptx
