// Best partners and sums over partners. Strips of rows are scored one after the other; between two strips every
// variable takes up what the strip has for it. The order in which a variable sees its partners depends on nothing but
// the sizes, so neither do sums; the best partners are those of a total order.
#include <algorithm>
#include <vector>

#include "mi/cpu/pair_scores.h"
#include "mi/mi.h"

namespace pruning_ext::mi {
namespace {

constexpr std::int64_t kStripRows = 16 * kTaskRows;

// Calls take(variable, partner, information) for all pairs but those of a variable with itself; no two threads with the
// same variable.
template <typename Take>
void for_each_pair(const Prepared& prepared, const PairScores& scores, const ParallelFor& parallel_for, Take take) {
  const std::int64_t rows = prepared.pairs.x.rows, partners = prepared.pairs.partners().rows;
  const bool symmetric = prepared.pairs.symmetric;
  std::vector<double> strip(static_cast<std::size_t>(std::min(kStripRows, rows) * partners));
  for (std::int64_t first = 0; first < rows; first += kStripRows) {
    const std::int64_t last = std::min(first + kStripRows, rows);
    const auto of = [&](std::int64_t row) { return strip.data() + (row - first) * partners; };
    scores.for_each_tile(first, last, parallel_for, [&](const Tile& tile) {
      for (std::int64_t row = tile.first_row; row < tile.last_row; ++row) {
        for (std::int64_t partner = tile.first; partner < tile.last; ++partner)
          of(row)[partner] = tile.at(row, partner);
      }
    });
    parallel_for(first, symmetric ? partners : last, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t variable = begin; variable < end; ++variable) {
        if (symmetric) {
          for (std::int64_t row = first; row < std::min(last, variable); ++row) take(variable, row, of(row)[variable]);
        }
        if (variable >= last) continue;
        for (std::int64_t partner = symmetric ? variable + 1 : 0; partner < partners; ++partner) {
          take(variable, partner, of(variable)[partner]);
        }
      }
    });
  }
}

template <typename Value>
struct Candidate {
  Value value;
  std::int64_t index;

  bool operator<(const Candidate& other) const {  // better
    return value != other.value ? value > other.value : index < other.index;
  }
};

template <typename Value>
void keep_best(const TopKParams& params, const Prepared& prepared, const PairScores& scores,
               const ParallelFor& parallel_for) {
  const std::int64_t rows = params.pairs.x.rows, k = params.k;
  std::vector<Candidate<Value>> kept(static_cast<std::size_t>(rows * k));  // [rows, k]: heaps with the worst in front
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rows));
  for_each_pair(prepared, scores, parallel_for, [&](std::int64_t variable, std::int64_t partner, double information) {
    Candidate<Value>* heap = kept.data() + variable * k;
    std::int64_t& size = sizes[static_cast<std::size_t>(variable)];
    const Candidate<Value> candidate{static_cast<Value>(information), partner};
    if (size < k) {
      heap[size++] = candidate;
      std::push_heap(heap, heap + size);
    } else if (candidate < heap[0]) {
      std::pop_heap(heap, heap + k);
      heap[k - 1] = candidate;
      std::push_heap(heap, heap + k);
    }
  });
  parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      Candidate<Value>* heap = kept.data() + row * k;
      std::sort_heap(heap, heap + k);
      for (std::int64_t i = 0; i < k; ++i) {
        static_cast<Value*>(params.values)[row * k + i] = heap[i].value;
        params.indices[row * k + i] = heap[i].index;
      }
    }
  });
}

}  // namespace

Status top_k_cpu(const TopKParams& params, const ParallelFor& parallel_for) {
  Prepared prepared;
  const Status status = prepared.assign(params.pairs, Want::scores, parallel_for);
  if (!status || params.k == 0) return status;
  const PairScores scores(prepared, params.estimator, parallel_for);
  if (params.dtype == DType::float64) {
    keep_best<double>(params, prepared, scores, parallel_for);
  } else {
    keep_best<float>(params, prepared, scores, parallel_for);
  }
  return {};
}

Status sum_cpu(const SumParams& params, const ParallelFor& parallel_for) {
  Prepared prepared;
  const Status status = prepared.assign(params.pairs, Want::scores, parallel_for);
  if (!status) return status;
  std::fill(params.sums, params.sums + params.pairs.x.rows, 0.0);
  const PairScores scores(prepared, params.estimator, parallel_for);
  for_each_pair(prepared, scores, parallel_for,
                [&](std::int64_t variable, std::int64_t, double information) { params.sums[variable] += information; });
  return {};
}

}  // namespace pruning_ext::mi
