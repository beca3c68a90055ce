// All rows of codes against all blocks of columns: what the counters share (plane_counter.h, byte_counter.h), and how
// the work is cut into tasks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "mi/cpu/byte_blocks.h"
#include "mi/cpu/margins.h"
#include "mi/cpu/pair_costs.h"
#include "mi/cpu/planes.h"

namespace pruning_ext::mi {

// State that all pairs of a call share.
struct Prepared {
  Pairs pairs;
  Margins x_margins, other_margins;
  bool by_bytes = false;
  Planes planes;                    // of the partners,
  ByteBlocks bytes;                 // or these
  std::int64_t longest_ranked = 0;  // samples of a run, by bytes

  Status assign(const Pairs& all, Want want, const ParallelFor& parallel_for);
  const Margins& y_margins() const { return pairs.symmetric ? x_margins : other_margins; }
  std::int64_t columns() const { return by_bytes ? ByteBlocks::kColumns : planes.columns(); }
  std::int64_t blocks() const { return by_bytes ? bytes.blocks() : planes.blocks(); }
  std::int64_t list_group() const { return by_bytes ? 1 : kGroup; }
};

// The counts of one bin of a row: of code b in column c at data[b * bin_stride + c * column_stride].
template <typename Count>
struct Cells {
  const Count* data;
  std::int64_t bin_stride, column_stride;
};

// Rows that take a block together: it stays in cache meanwhile, and so many results are mirrored as one line.
constexpr std::int64_t kTaskRows = 16;

struct Task {
  std::int64_t first, last, block;  // rows of x, block of partners
};

// Calls body(counter, task, lists [kTaskRows] of the task's rows) for all of rows [begin, end) of x, on all threads.
// Where y is x, blocks that lie left of the diagonal are left out.
template <typename Counter, typename Body>
void for_each_task(const Prepared& prepared, std::int64_t begin, std::int64_t end, const ParallelFor& parallel_for,
                   Body body) {
  std::vector<Task> tasks;
  for (std::int64_t first = begin; first < end; first += kTaskRows) {
    const std::int64_t diagonal = prepared.pairs.symmetric ? first / prepared.columns() : 0;
    for (std::int64_t block = diagonal; block < prepared.blocks(); ++block) {
      tasks.push_back({first, std::min(first + kTaskRows, end), block});
    }
  }
  parallel_for(0, static_cast<std::int64_t>(tasks.size()), 1, [&](std::int64_t from, std::int64_t to) {
    Counter counter(prepared);
    std::vector<SampleLists> lists(kTaskRows);
    for (std::int64_t i = from; i < to; ++i) {
      const Task& task = tasks[static_cast<std::size_t>(i)];
      for (std::int64_t row = task.first; row < task.last; ++row) {
        SampleLists& list = lists[static_cast<std::size_t>(row - task.first)];
        if (list.row() == row) continue;  // from the task before
        list.assign(prepared.pairs.x, row, prepared.x_margins.counts(row), prepared.pairs.bins, prepared.list_group());
      }
      body(counter, task, lists.data());
    }
  });
}

}  // namespace pruning_ext::mi
