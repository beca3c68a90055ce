// Sums that the fast methods cannot give: the logarithm far from every sample, and what is left at a sample without
// itself.
#pragma once

#include <cstdint>

#include "kde/row_sums.h"

namespace pruning_ext::kde {

// log sum_{i != skip} w_i exp(-(point - x_i)^2 / 2 h^2) by streaming log-sum-exp over the samples that matter (all
// others together change it by less than 1e-13): -inf only if nothing is left, or if it lies below the range of
// float64. `skip` counts in the row's own order; -1 skips none.
double log_sum(const SortedRow& row, double point, double bandwidth, std::int64_t skip);

}  // namespace pruning_ext::kde
