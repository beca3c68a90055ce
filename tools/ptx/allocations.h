// Device memory is the host's: what a kernel may touch is what operator new has given out, and the caller's stack.
#pragma once

#include "machine.h"

namespace ptx {

// Whether a byte lies in an allocation; `range` becomes the one that holds it, or the last before it.
bool find_range(u64 address, Range& range);

// Whether what find_range() said still holds.
bool is_present(const Range& range);

// While one lives, allocations are the interpreter's own, no device memory.
class Untracked {
 public:
  Untracked();
  ~Untracked();
  Untracked(const Untracked&) = delete;
  Untracked& operator=(const Untracked&) = delete;

 private:
  bool before_;
};

}  // namespace ptx
