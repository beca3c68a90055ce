// Codes of values by their column's edges, compiled for each instruction set.
#pragma once

#include <cstdint>

#include "common/cpu_isa.h"

namespace pruning_ext::mi::encoding {

// codes[i] = how many of the increasing edges [num_edges], at most 255, are at most values[i].
template <typename Value>
using Encode = void (*)(const Value* values, std::int64_t n, const Value* edges, std::int64_t num_edges,
                        std::uint8_t* codes);

struct Kernels {
  Encode<float> encode32;
  Encode<double> encode64;
};

PRUNING_EXT_DECLARE_KERNELS(Kernels)

}  // namespace pruning_ext::mi::encoding
