// One row of codes against one block of columns by bytes: their joint counts, bin by bin of the row, and their scores.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "mi/cpu/pair_counter.h"

namespace pruning_ext::mi {

// A thread's own.
class ByteCounter {
 public:
  explicit ByteCounter(const Prepared& prepared);

  // Calls visit(bin of the row, counts) for each bin of the row that is not empty, with the counts of columns
  // [first, last) of the block.
  template <typename Visit>
  void for_each_bin(const SampleLists& row, std::int64_t block, std::int64_t first, std::int64_t last, Visit visit) {
    for (std::int64_t bin = 0; bin < bins_; ++bin) {
      if (sizes(row)[bin] != 0)
        with_counts(row, bin, block, first, last, [&](const auto& cells) { visit(bin, cells); });
    }
  }

  // Adds to sums [columns] the terms of the pairs' cells, and to occupied [columns], if not nullptr, those not empty;
  // for columns [first, last) of the block.
  void score(const SampleLists& row, std::int64_t block, std::int64_t first, std::int64_t last, const TermTable& table,
             std::int64_t* sums, std::int32_t* occupied);

 private:
  const std::int32_t* sizes(const SampleLists& row) const { return prepared_.x_margins.counts(row.row()); }
  bool is_rest(const SampleLists& row, std::int64_t bin) const;
  // Calls use(counts) with those of one bin.
  template <typename Use>
  void with_counts(const SampleLists& row, std::int64_t bin, std::int64_t block, std::int64_t first, std::int64_t last,
                   Use use) {
    if (!is_rest(row, bin) && sizes(row)[bin] <= bytes::kMaxCounted) {
      bytes::active_kernels().count({prepared_.bytes.block(block), row.samples(bin), sizes(row)[bin]}, bins_, first,
                                    last, tables_.data());
      use(Cells<std::uint16_t>{tables_.data(), 1, bytes::kStride});
      clear_tables(first, last);
    } else {
      count_wide(row, bin, block, first, last);
      use(Cells<std::uint32_t>{totals_.data(), 1, bytes::kStride});
    }
  }
  void count_wide(const SampleLists& row, std::int64_t bin, std::int64_t block, std::int64_t first, std::int64_t last);
  void clear_tables(std::int64_t first, std::int64_t last);
  void rank_bin(const std::int32_t* samples, std::int64_t size, std::int64_t block);
  void flush_ranks();
  void score_ranks(std::int64_t first, std::int64_t last, const TermTable& table, std::int64_t* sums,
                   std::int32_t* occupied);

  const Prepared& prepared_;
  std::int64_t bins_;
  std::int64_t ranked_ = 0, pending_ = 0, pending_levels_ = 1, levels_ = 1;
  AlignedBuffer<std::uint16_t> tables_;       // [kColumns, kStride]: all zero between runs
  AlignedBuffer<std::uint32_t> totals_;       // [kColumns, kStride]
  AlignedBuffer<std::uint8_t> lines_;         // scratch of the ranks
  AlignedBuffer<std::uint8_t> higher_;        // [kRankRows, kColumns]: of `pending_` samples, zero beyond its levels
  AlignedBuffer<std::uint32_t> rank_totals_;  // [kRankRows, kColumns]: of `ranked_` samples
};

}  // namespace pruning_ext::mi
