// Data races: two accesses to a byte, one of them a write, with nothing between that orders them. What orders are the
// barriers of block and warp, and mbarriers; a thread knows of another what it did before they last met (vector
// clocks).
#pragma once

#include "memory.h"

namespace ptx {

// For an access to one byte.
void check_race(Machine& m, const Inst& i, int lane, u64 at, Access access, SharedByte& state);

// The lanes of a mask have met at a barrier of their warp.
void join_clocks(Machine& m, u32 mask);

// They have taken part in a vote, match or exchange, which orders no memory. But what a lane read before it and gave to
// it cannot come from what others write after it, so that it is no race to write there.
void join_reads(Machine& m, u32 mask);

}  // namespace ptx
