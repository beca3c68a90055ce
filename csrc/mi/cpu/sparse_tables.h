// Contingency tables that have more cells than samples fill: counted where they are wanted.
#pragma once

#include "mi/mi.h"

namespace pruning_ext::mi {

// Whether that is cheaper than counting elsewhere and copying (pair_counter.h), which looks at every cell.
bool are_sparse(const Pairs& pairs);

Status count_sparse_tables(const ContingencyParams& params, const ParallelFor& parallel_for);

}  // namespace pruning_ext::mi
