// Products of groups of four warps: wgmma reads its matrices from shared memory by descriptors, some time between the
// instruction and the wait for it.
#pragma once

#include "lanes.h"

namespace ptx {

// m64n256k256, b1 by b1, and.popc, both matrices by descriptors. It happens at once or when it is waited for, by
// chance.
void issue_product(Machine& m, const Inst& i);
void wait_for_products(Machine& m, const Inst& i);

// setmaxnreg, and whether the block's registers did suffice, when it ends.
void set_registers(Machine& m, const Inst& i);
void check_registers(Machine& m, const Inst& i);

// Wraps what reads or writes accumulators: they are nobody's while a product is under way.
void guard_accumulators(Kernel& kernel);

}  // namespace ptx
