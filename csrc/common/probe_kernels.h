// Probes of the machine's peak rate at the elementary steps of counting, for benchmarks: a kernel reaches a share of
// these. All run from registers and the first-level cache, on one thread.
#pragma once

#include <cstdint>

#include "common/cpu_isa.h"

namespace pruning_ext::probe {

struct Kernels {
  // Bits of a and b, both [words], multiplied and counted `repeats` times: the step of bit planes against bit planes.
  // Returns the count.
  std::uint64_t (*and_popcount)(const std::uint64_t* a, const std::uint64_t* b, std::int64_t words,
                                std::int64_t repeats);
  // `repeats` times `additions_per_repeat` bits through full adders that keep sum and carry: the step of counting by
  // carry-save adders (mi/cpu/plane_kernels.h). Returns something that depends on all of them.
  std::uint64_t (*carry_save)(std::uint64_t seed, std::int64_t repeats);
  std::int64_t additions_per_repeat;
};

PRUNING_EXT_DECLARE_KERNELS(Kernels)

}  // namespace pruning_ext::probe
