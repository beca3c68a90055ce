// Margins of the contingency tables: each row's own counts, and the sum that gives its entropy.
#pragma once

#include <cstdint>
#include <vector>

#include "common/aligned_buffer.h"
#include "mi/mi.h"
#include "mi/mi_math.h"

namespace pruning_ext::mi {

// count -> its term, for every count up to T.
class TermTable {
 public:
  explicit TermTable(std::int64_t samples);
  const std::int64_t* data() const { return terms_.data(); }

 private:
  std::vector<std::int64_t> terms_;
};

class Margins {
 public:
  // False if a code is not below `bins`: `faults` has the row, counted from `first_row`.
  bool assign(const Codes& codes, std::int64_t bins, FirstFault& faults, std::int64_t first_row,
              const ParallelFor& parallel_for);
  void score(const TermTable& table, const ParallelFor& parallel_for);

  const std::int32_t* counts(std::int64_t row) const { return counts_.data() + row * bins_; }  // [bins]
  const Margin& operator[](std::int64_t row) const { return margins_[static_cast<std::size_t>(row)]; }

 private:
  std::int64_t bins_ = 0;
  std::vector<std::int32_t> counts_;  // [rows, bins]
  std::vector<Margin> margins_;       // [rows]
};

}  // namespace pruning_ext::mi
