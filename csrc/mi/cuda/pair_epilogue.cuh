// Information from a pair's counts, stored in one place or, where the matrix is symmetric, in two.
#pragma once

#include "common/element.h"
#include "mi/cuda/mi_cuda.h"

namespace pruning_ext::mi {

__device__ inline std::int64_t term_of(const PairJob& job, std::int64_t count) {
  return job.terms == nullptr ? count_term(count, job.shift) : job.terms[count];
}

// Stores the information of row i (from first_row on) and partner j, in both places where the matrix is symmetric.
__device__ inline void store_information(const PairJob& job, std::int64_t i, std::int64_t j, const Margin& joint) {
  const std::int64_t partners = job.pairs.symmetric ? job.pairs.x.rows : job.pairs.y.rows;
  // The total by this device's logarithm, as all other terms: the host's may differ in the last place, and what is to
  // cancel would not.
  Scale scale = job.scale;
  scale.total = term_of(job, job.pairs.x.samples);
  const double value = information(scale, job.x_margins[job.first_row + i], job.y_margins[j], joint);
  store_element(job.information, job.dtype, i * partners + j, value);
  if (job.mirror) store_element(job.information, job.dtype, j * partners + i, value);
}

}  // namespace pruning_ext::mi
