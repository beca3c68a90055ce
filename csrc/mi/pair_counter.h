// One row of codes against one block of columns: their joint counts, bin by bin of the row, and their scores.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "common/aligned_buffer.h"
#include "mi/margins.h"
#include "mi/planes.h"

namespace pruning_ext::mi {

// What all pairs of a call share.
struct Prepared {
  Pairs pairs;
  Margins x_margins, other_margins;
  Planes planes;  // of the partners

  Status assign(const Pairs& all, const ParallelFor& parallel_for);
  const Margins& y_margins() const { return pairs.symmetric ? x_margins : other_margins; }
};

// A thread's own. Count is std::uint16_t where that holds T, else std::uint32_t.
template <typename Count>
class PairCounter {
 public:
  explicit PairCounter(const Prepared& prepared)
      : prepared_(prepared), bins_(prepared.pairs.bins), columns_(prepared.planes.columns()) {
    workspace_.reserve(workspace_bytes(columns_, bins_));
    counts_.reserve(bins_ * columns_);
    total_.reserve(bins_ * columns_);
    rest_.reserve(bins_ * columns_);
    margins_.reserve(bins_ * columns_);
  }

  // Calls visit(bin of the row, counts [bins, columns]) for each bin of the row that is not empty.
  template <typename Visit>
  void for_each_bin(const SampleLists& row, std::int64_t block, Visit visit) {
    load_margins(block);
    Count* rest = rest_.data();
    std::copy(margins_.data(), margins_.data() + bins_ * columns_, rest);
    const std::int32_t* sizes = prepared_.x_margins.counts(row.row());
    for (std::int64_t bin = 0; bin < bins_; ++bin) {
      if (sizes[bin] == 0 || bin == row.fullest()) continue;
      const Count* counts = count_bin(row.samples(bin), sizes[bin], block);
      visit(bin, counts);
      kernels().subtract(counts, bins_ * columns_, rest);
    }
    visit(row.fullest(), rest);
  }

  // Adds to sums [columns] the terms of the pairs' cells, and to occupied [columns], if not nullptr, those not empty;
  // for columns [first, last) of the block.
  void score(const SampleLists& row, std::int64_t block, std::int64_t first, std::int64_t last, const TermTable& table,
             std::int64_t* sums, std::int32_t* occupied) {
    for_each_bin(row, block, [&](std::int64_t, const Count* counts) {
      kernels().score({counts, bins_, columns_, first, last, table.data(), sums, occupied});
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

// Rows that take a block together: it stays in cache meanwhile, and so many results are mirrored as one line.
constexpr std::int64_t kTaskRows = 16;

struct Task {
  std::int64_t first, last, block;  // rows of x, block of partners
};

// Calls body(counter, task, lists [kTaskRows] of the task's rows) for all of rows [begin, end) of x, on all threads.
// Where y is x, blocks that lie left of the diagonal are left out.
template <typename Count, typename Body>
void for_each_task(const Prepared& prepared, std::int64_t begin, std::int64_t end, const ParallelFor& parallel_for,
                   Body body) {
  std::vector<Task> tasks;
  for (std::int64_t first = begin; first < end; first += kTaskRows) {
    const std::int64_t diagonal = prepared.pairs.symmetric ? first / prepared.planes.columns() : 0;
    for (std::int64_t block = diagonal; block < prepared.planes.blocks(); ++block) {
      tasks.push_back({first, std::min(first + kTaskRows, end), block});
    }
  }
  parallel_for(0, static_cast<std::int64_t>(tasks.size()), 1, [&](std::int64_t from, std::int64_t to) {
    PairCounter<Count> counter(prepared);
    std::vector<SampleLists> lists(kTaskRows);
    for (std::int64_t i = from; i < to; ++i) {
      const Task& task = tasks[static_cast<std::size_t>(i)];
      for (std::int64_t row = task.first; row < task.last; ++row) {
        SampleLists& list = lists[static_cast<std::size_t>(row - task.first)];
        if (list.row() == row) continue;  // from the task before
        list.assign(prepared.pairs.x, row, prepared.x_margins.counts(row), prepared.pairs.bins);
      }
      body(counter, task, lists.data());
    }
  });
}

}  // namespace pruning_ext::mi
