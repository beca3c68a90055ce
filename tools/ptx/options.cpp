#include "options.h"

#include <cstdlib>

namespace ptx {

const Options& options() {
  static const Options all = [] {
    Options o;
    o.hostile = std::getenv("PTX_HOSTILE") != nullptr;
    if (const char* const races = std::getenv("PTX_RACES")) o.races = true, o.global_races = *races == '2';
    o.contract = std::getenv("PTX_CONTRACT") != nullptr;
    if (const char* const seed = std::getenv("PTX_SEED")) o.seed = std::strtoull(seed, nullptr, 0);
    if (const char* const shift = std::getenv("PTX_SHIFT")) o.shift = std::atoi(shift);
    if (const char* const clamp = std::getenv("PTX_CLAMP")) o.clamp = clamp;
    o.coverage = std::getenv("PTX_COVERAGE");
    return o;
  }();
  return all;
}

}  // namespace ptx
