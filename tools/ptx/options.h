// Options of a run, from environment variables (README.md).
#pragma once

#include <cstdint>
#include <string>

namespace ptx {

struct Options {
  bool hostile = false;            // PTX_HOSTILE
  bool races = false;              // PTX_RACES: in shared memory
  bool global_races = false;       // PTX_RACES=2: in global memory, too
  bool contract = false;           // PTX_CONTRACT
  std::uint64_t seed = 1;          // PTX_SEED
  int shift = 0;                   // PTX_SHIFT, in bytes
  std::string clamp;               // PTX_CLAMP
  const char* coverage = nullptr;  // PTX_COVERAGE, a file
};

const Options& options();

}  // namespace ptx
