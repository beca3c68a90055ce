// The bandwidth that a rule gives one row.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "common/row_kernels.h"
#include "kde/cpu/kde_kernels.h"
#include "kde/kde.h"

namespace pruning_ext::kde {

// `x` [n] lies in `range` and is not constant; `w` [n] or nullptr for ones. 0 if all weight is at one value.
double row_bandwidth(BandwidthRule rule, const double* x, const double* w, std::int64_t n, const RowRange& range,
                     AlignedBuffer<double>& scratch);

}  // namespace pruning_ext::kde
