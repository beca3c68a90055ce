#include "mi/cpu/pair_counter.h"

namespace pruning_ext::mi {

Status Prepared::assign(const Pairs& all, Want want, const ParallelFor& parallel_for) {
  pairs = all;
  FirstFault faults;
  x_margins.assign(pairs.x, pairs.bins, faults, 0, parallel_for);
  if (!pairs.symmetric) other_margins.assign(pairs.y, pairs.bins, faults, pairs.x.rows, parallel_for);
  if (!faults.status()) return faults.status();
  by_bytes = bytes_are_cheaper(pairs, x_margins, want);
  if (by_bytes) {
    longest_ranked = mi::longest_ranked(pairs.bins, want);
    bytes.assign(pairs.partners(), y_margins(), pairs.bins, parallel_for);
    return {};
  }
  const Kernels& kernels = active_kernels();
  // What a narrow block saves on columns that are not there outweighs its narrower words.
  const bool narrow = pairs.partners().rows <= kernels.narrow.columns;
  planes.assign(pairs.partners(), pairs.bins, narrow ? kernels.narrow : kernels.wide, parallel_for);
  return {};
}

}  // namespace pruning_ext::mi
