// mbarrier and cp.async. A copy happens some time between the instruction and the arrival that waits for it.
#pragma once

#include "lanes.h"

namespace ptx {

void initialise_barrier(Machine& m, const Inst& i, u32 mask);
void arrive(Machine& m, const Inst& i, u32 mask);
// True where the phase of this parity is complete; may be false for no reason.
void try_wait(Machine& m, const Inst& i, u32 mask);

void copy_async(Machine& m, const Inst& i, u32 mask);
void arrive_after_copies(Machine& m, const Inst& i, u32 mask);
void fence_proxy(Machine& m, const Inst& i, u32 mask);

// Lets one arrival with its copies happen; there is one.
void complete_one(Machine& m);

}  // namespace ptx
