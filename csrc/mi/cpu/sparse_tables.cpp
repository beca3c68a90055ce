// Each sample adds one to its cell: code by code of the row, so that what is cleared and added to stays in the
// first-level cache, and in the tables of a few partners at once, so that equal codes do not wait for each other's
// store. Mirrored pairs are counted like all others: a transposed copy would touch a line of memory for each cell.
#include "mi/cpu/sparse_tables.h"

#include <algorithm>

#include "mi/cpu/margins.h"
#include "mi/cpu/planes.h"

namespace pruning_ext::mi {
namespace {

constexpr std::int64_t kTogether = 4;  // more tables of 2^k cells would lie in too few sets of the cache
constexpr std::int64_t kPartners = 16;

// `tables` [together, bins, bins]; partners [first, first + together).
void count(const SampleLists& list, const std::int32_t* sizes, const Codes& y, std::int64_t first,
           std::int64_t together, std::int64_t bins, std::int32_t* tables) {
  const std::int64_t cells = bins * bins;
  for (std::int64_t bin = 0; bin < bins; ++bin) {
    const std::int32_t* samples = list.samples(bin);
    std::int32_t* row = tables + bin * bins;
    for (std::int64_t p = 0; p < together; ++p) std::fill_n(row + p * cells, bins, 0);
    for (std::int64_t i = 0; i < sizes[bin]; ++i) {
      const std::int64_t t = samples[i];
      if (together == kTogether) {
        for (std::int64_t p = 0; p < kTogether; ++p) ++row[p * cells + y.at(first + p, t)];
      } else {
        for (std::int64_t p = 0; p < together; ++p) ++row[p * cells + y.at(first + p, t)];
      }
    }
  }
}

}  // namespace

bool are_sparse(const Pairs& pairs) { return pairs.bins > 16 && pairs.x.samples < 8 * pairs.bins * pairs.bins; }

Status count_sparse_tables(const ContingencyParams& params, const ParallelFor& parallel_for) {
  const Pairs& pairs = params.pairs;
  const Codes& y = pairs.partners();
  const std::int64_t bins = pairs.bins, pieces = (y.rows + kPartners - 1) / kPartners;
  Margins margins;
  FirstFault faults;
  margins.assign(pairs.x, bins, faults, 0, parallel_for);
  if (!pairs.symmetric) Margins().assign(y, bins, faults, pairs.x.rows, parallel_for);
  if (!faults.status()) return faults.status();
  parallel_for(0, pairs.x.rows * pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    SampleLists list;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / pieces, first = i % pieces * kPartners, last = std::min(first + kPartners, y.rows);
      if (list.row() != row) list.assign(pairs.x, row, margins.counts(row), bins, 1);
      for (std::int64_t partner = first; partner < last; partner += kTogether) {
        count(list, margins.counts(row), y, partner, std::min(kTogether, last - partner), bins,
              params.counts + (row * y.rows + partner) * bins * bins);
      }
    }
  });
  return {};
}

}  // namespace pruning_ext::mi
