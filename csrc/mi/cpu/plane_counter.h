// One row of codes against one block of columns by bit planes: their joint counts, bin by bin of the row, and their
// scores.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "common/aligned_buffer.h"
#include "mi/cpu/pair_counter.h"

namespace pruning_ext::mi {

// The largest T whose counts fit 16 bits.
constexpr std::int64_t kMaxShortCount = 65535;

// A thread's own. Count is std::uint16_t where that holds T, else std::uint32_t.
template <typename Count>
class PlaneCounter {
 public:
  explicit PlaneCounter(const Prepared& prepared)
      : prepared_(prepared), bins_(prepared.pairs.bins), columns_(prepared.planes.columns()) {
    workspace_.reserve(workspace_bytes(columns_, bins_));
    counts_.reserve(bins_ * columns_);
    total_.reserve(bins_ * columns_);
    rest_.reserve(bins_ * columns_);
    margins_.reserve(bins_ * columns_);
  }

  // Calls visit(bin of the row, counts) for each bin of the row that is not empty, with the counts of columns
  // [first, last) of the block, if not more.
  template <typename Visit>
  void for_each_bin(const SampleLists& row, std::int64_t block, std::int64_t /*first*/, std::int64_t /*last*/,
                    Visit visit) {
    load_margins(block);
    Count* rest = rest_.data();
    std::copy(margins_.data(), margins_.data() + bins_ * columns_, rest);
    const std::int32_t* sizes = prepared_.x_margins.counts(row.row());
    for (std::int64_t bin = 0; bin < bins_; ++bin) {
      if (sizes[bin] == 0 || bin == row.mode()) continue;
      const Count* counts = count_bin(row.samples(bin), sizes[bin], block);
      visit(bin, Cells<Count>{counts, columns_, 1});
      kernels().subtract(counts, bins_ * columns_, rest);
    }
    visit(row.mode(), Cells<Count>{rest, columns_, 1});
  }

  // Adds to sums [columns] the terms of the pairs' cells, and to occupied [columns], if not nullptr, those not empty;
  // for columns [first, last) of the block.
  void score(const SampleLists& row, std::int64_t block, std::int64_t first, std::int64_t last, const TermTable& table,
             std::int64_t* sums, std::int32_t* occupied) {
    for_each_bin(row, block, first, last, [&](std::int64_t, const Cells<Count>& cells) {
      kernels().score({cells.data, bins_, columns_, first, last, table.data(), sums, occupied});
    });
  }

 private:
  static const CountKernels<Count>& kernels() {
    if constexpr (std::is_same_v<Count, std::uint16_t>) {
      return active_kernels().short_counts;
    } else {
      return active_kernels().long_counts;
    }
  }

  const Count* count_bin(const std::int32_t* samples, std::int64_t size, std::int64_t block) {
    const Planes& planes = prepared_.planes;
    SampleGroups groups{planes.block(block), planes.bits(), bins_, samples, size, workspace_.data(), counts_.data()};
    if constexpr (std::is_same_v<Count, std::uint16_t>) {
      planes.counter().count(groups);
      return counts_.data();
    } else {
      std::fill(total_.data(), total_.data() + bins_ * columns_, 0u);
      for (std::int64_t first = 0; first < size; first += kMaxSamples) {
        groups.samples = samples + first;
        groups.size = std::min(kMaxSamples, size - first);
        planes.counter().count(groups);
        active_kernels().add(counts_.data(), bins_ * columns_, total_.data());
      }
      return total_.data();
    }
  }

  void load_margins(std::int64_t block) {
    if (block == block_) return;
    block_ = block;
    const std::int64_t rows = prepared_.pairs.partners().rows;
    for (std::int64_t c = 0; c < columns_; ++c) {
      const std::int64_t partner = block * columns_ + c;
      for (std::int64_t bin = 0; bin < bins_; ++bin) {
        // A column beyond the last has code 0 throughout, as its planes say.
        const std::int64_t none = bin == 0 ? prepared_.pairs.x.samples : 0;
        const std::int64_t count = partner < rows ? prepared_.y_margins().counts(partner)[bin] : none;
        margins_.data()[bin * columns_ + c] = static_cast<Count>(count);
      }
    }
  }

  const Prepared& prepared_;
  std::int64_t bins_, columns_, block_ = -1;
  AlignedBuffer<std::uint8_t> workspace_;
  AlignedBuffer<std::uint16_t> counts_;
  AlignedBuffer<Count> total_, rest_, margins_;
};

}  // namespace pruning_ext::mi
