#include "mi/cpu/pair_scores.h"

#include <algorithm>
#include <vector>

#include "mi/cpu/byte_counter.h"
#include "mi/cpu/plane_counter.h"

namespace pruning_ext::mi {

PairScores::PairScores(Prepared& prepared, const Estimator& estimator, const ParallelFor& parallel_for)
    : prepared_(prepared), scale_(scale_for(estimator, prepared.pairs.x.samples)), table_(prepared.pairs.x.samples) {
  prepared.x_margins.score(table_, parallel_for);
  if (!prepared.pairs.symmetric) prepared.other_margins.score(table_, parallel_for);
}

template <typename Counter>
void PairScores::run(std::int64_t begin, std::int64_t end, const ParallelFor& parallel_for,
                     const std::function<void(const Tile&)>& write) const {
  const std::int64_t columns = prepared_.columns(), partners = prepared_.pairs.partners().rows;
  const auto score_task = [&](Counter& counter, const Task& task, const SampleLists* lists) {
    const std::int64_t block_first = task.block * columns, last = std::min(block_first + columns, partners);
    const std::int64_t first = prepared_.pairs.symmetric ? std::max(block_first, task.first) : block_first;
    std::vector<double> values(static_cast<std::size_t>((task.last - task.first) * columns));
    std::vector<std::int64_t> sums(static_cast<std::size_t>(columns));
    std::vector<std::int32_t> occupied(static_cast<std::size_t>(columns));
    for (std::int64_t row = task.first; row < task.last; ++row) {
      std::fill(sums.begin(), sums.end(), 0);
      std::fill(occupied.begin(), occupied.end(), 0);
      counter.score(lists[row - task.first], task.block, first - block_first, last - block_first, table_, sums.data(),
                    scale_.correction != 0 ? occupied.data() : nullptr);
      double* out = values.data() + (row - task.first) * columns;
      for (std::int64_t partner = first; partner < last; ++partner) {
        const auto c = static_cast<std::size_t>(partner - block_first);
        const Margin joint{sums[c], occupied[c]};
        out[partner - first] = information(scale_, prepared_.x_margins[row], prepared_.y_margins()[partner], joint);
      }
    }
    write({task.first, task.last, first, last, values.data(), columns});
  };
  for_each_task<Counter>(prepared_, begin, end, parallel_for, score_task);
}

void PairScores::for_each_tile(std::int64_t begin, std::int64_t end, const ParallelFor& parallel_for,
                               const std::function<void(const Tile&)>& write) const {
  if (prepared_.by_bytes) {
    run<ByteCounter>(begin, end, parallel_for, write);
  } else if (prepared_.pairs.x.samples <= kMaxShortCount) {
    run<PlaneCounter<std::uint16_t>>(begin, end, parallel_for, write);
  } else {
    run<PlaneCounter<std::uint32_t>>(begin, end, parallel_for, write);
  }
}

}  // namespace pruning_ext::mi
