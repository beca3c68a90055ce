// The choice between counting by bit planes and by bytes: estimated costs of both, from the rows' margins.
#pragma once

#include <cstdint>

#include "mi/cpu/margins.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

enum class Want : std::int8_t { scores, tables };  // of each pair: the sum over its table's cells, or the table

// Samples of a run that are still sorted rather than counted in tables.
std::int64_t longest_ranked(std::int64_t bins, Want want);

bool bytes_are_cheaper(const Pairs& pairs, const Margins& x_margins, Want want);

}  // namespace pruning_ext::mi
