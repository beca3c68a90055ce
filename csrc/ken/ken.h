// KEN's row selection (Mastromattei and Zanzotto, "Less is KEN", 2024): the k entries of a row that lie nearest to k
// equal steps from its minimum to its maximum, each step served in the order of the rounded density there.
#pragma once

#include "common/matrix.h"
#include "common/parallel.h"
#include "common/status.h"

namespace pruning_ext::ken {

struct KenParams {
  Matrix weight;           // [R, N]
  std::int64_t k = 0;      // entries kept in a row; N or more keeps all, below 0 is a Status
  bool keep_ties = false;  // also keep entries equal to a kept one, as the published code does
  bool* mask = nullptr;    // [R, N], contiguous
};

Status ken_mask_cpu(const KenParams& params, const ParallelFor& parallel_for);

}  // namespace pruning_ext::ken
