#include "mi/cpu/margins.h"

#include <algorithm>

namespace pruning_ext::mi {

TermTable::TermTable(std::int64_t samples) : terms_(static_cast<std::size_t>(samples + 1)) {
  const int shift = term_shift(samples);
  for (std::int64_t count = 0; count <= samples; ++count)
    terms_[static_cast<std::size_t>(count)] = count_term(count, shift);
}

bool Margins::assign(const Codes& codes, std::int64_t bins, FirstFault& faults, std::int64_t first_row,
                     const ParallelFor& parallel_for) {
  bins_ = bins;
  counts_.assign(static_cast<std::size_t>(codes.rows * bins), 0);
  margins_.assign(static_cast<std::size_t>(codes.rows), Margin{});
  parallel_for(0, codes.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      // Two tables, so that equal neighbours do not wait for each other's increment.
      std::int32_t tables[2][256] = {};
      std::int64_t t = 0;
      for (; t + 1 < codes.samples; t += 2) {
        ++tables[0][codes.at(row, t)];
        ++tables[1][codes.at(row, t + 1)];
      }
      if (t < codes.samples) ++tables[0][codes.at(row, t)];
      std::int64_t counted = 0;
      for (std::int64_t bin = 0; bin < bins; ++bin) {
        const std::int32_t count = tables[0][bin] + tables[1][bin];
        counts_[static_cast<std::size_t>(row * bins + bin)] = count;
        counted += count;
      }
      if (counted != codes.samples) faults.report(Fault::bad_code, first_row + row);
    }
  });
  return static_cast<bool>(faults.status());
}

void Margins::score(const TermTable& table, const ParallelFor& parallel_for) {
  parallel_for(0, static_cast<std::int64_t>(margins_.size()), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      Margin& margin = margins_[static_cast<std::size_t>(row)];
      for (std::int64_t bin = 0; bin < bins_; ++bin) {
        margin.sum += table.data()[counts(row)[bin]];
        margin.occupied += counts(row)[bin] != 0;
      }
    }
  });
}

}  // namespace pruning_ext::mi
