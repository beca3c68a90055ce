// Operations of the lanes of a warp together: exchanges, votes, matches, barriers and matrix products.
#pragma once

#include "lanes.h"

namespace ptx {

// Lanes may come to it at several places, each with an instruction of its own.
struct Part {
  const Inst* inst;
  u32 mask;
};

// `all` are the lanes of all parts.
void execute_together(Machine& m, const std::vector<Part>& parts, u32 all);

}  // namespace ptx
