// Contingency tables and mutual information of all pairs (plane_counter.h and byte_counter.h say how they are counted).
#include "mi/mi.h"

#include <algorithm>
#include <utility>

#include "mi/cpu/byte_counter.h"
#include "mi/cpu/pair_scores.h"
#include "mi/cpu/plane_counter.h"
#include "mi/cpu/sparse_tables.h"

namespace pruning_ext::mi {
namespace {

// Index steps in the output; mirrored results, and x and y that changed places, exchange them.
struct Strides {
  std::int64_t row, partner, row_bin, partner_bin;
};

template <typename Counter>
void write_tables(const Prepared& prepared, const Strides& strides, std::int32_t* out,
                  const ParallelFor& parallel_for) {
  const std::int64_t bins = prepared.pairs.bins, columns = prepared.columns();
  const std::int64_t partners = prepared.pairs.partners().rows;
  const bool symmetric = prepared.pairs.symmetric;
  const auto write_task = [&](Counter& counter, const Task& task, const SampleLists* lists) {
    const std::int64_t block = task.block * columns, last = std::min(block + columns, partners);
    for (std::int64_t row = task.first; row < task.last; ++row) {
      const std::int64_t first = symmetric ? std::max(block, row) : block;
      const SampleLists& list = lists[row - task.first];
      counter.for_each_bin(list, task.block, first - block, last - block, [&](std::int64_t bin, const auto& cells) {
        for (std::int64_t partner = first; partner < last; ++partner) {
          std::int32_t* table = out + row * strides.row + partner * strides.partner + bin * strides.row_bin;
          std::int32_t* mirrored = out + partner * strides.row + row * strides.partner + bin * strides.partner_bin;
          const auto* counts = cells.data + (partner - block) * cells.column_stride;
          for (std::int64_t b = 0; b < bins; ++b) {
            const auto count = static_cast<std::int32_t>(counts[b * cells.bin_stride]);
            table[b * strides.partner_bin] = count;
            if (symmetric) mirrored[b * strides.row_bin] = count;
          }
        }
      });
    }
  };
  for_each_task<Counter>(prepared, 0, prepared.pairs.x.rows, parallel_for, write_task);
}

// The partners fill whole blocks, the rows do not: the side with more variables is better off as partners.
bool swap_pays(const Pairs& pairs) { return !pairs.symmetric && pairs.x.rows > pairs.y.rows; }

Pairs swapped(Pairs pairs) {
  std::swap(pairs.x, pairs.y);
  return pairs;
}

Status unswapped(Status status, const Pairs& pairs) {  // a fault counts rows of x first, then of y
  if (status || !swap_pays(pairs)) return status;
  status.row = status.row < pairs.y.rows ? status.row + pairs.x.rows : status.row - pairs.y.rows;
  return status;
}

template <typename Result>
void write_information(const Prepared& prepared, const PairScores& scores, std::int64_t row_stride,
                       std::int64_t partner_stride, Result* out, const ParallelFor& parallel_for) {
  const bool symmetric = prepared.pairs.symmetric;
  scores.for_each_tile(0, prepared.pairs.x.rows, parallel_for, [&](const Tile& tile) {
    for (std::int64_t row = tile.first_row; row < tile.last_row; ++row) {
      for (std::int64_t partner = symmetric ? std::max(tile.first, row) : tile.first; partner < tile.last; ++partner) {
        out[row * row_stride + partner * partner_stride] = static_cast<Result>(tile.at(row, partner));
      }
    }
    if (!symmetric) return;
    for (std::int64_t partner = tile.first; partner < tile.last; ++partner) {
      for (std::int64_t row = tile.first_row; row < std::min(tile.last_row, partner); ++row) {
        out[partner * row_stride + row * partner_stride] = static_cast<Result>(tile.at(row, partner));
      }
    }
  });
}

}  // namespace

Status contingency_cpu(const ContingencyParams& params, const ParallelFor& parallel_for) {
  if (are_sparse(params.pairs)) return count_sparse_tables(params, parallel_for);
  const std::int64_t bins = params.pairs.bins, partners = params.pairs.partners().rows;
  const bool swap = swap_pays(params.pairs);
  Prepared prepared;
  const Status status = prepared.assign(swap ? swapped(params.pairs) : params.pairs, Want::tables, parallel_for);
  if (!status) return unswapped(status, params.pairs);
  const std::int64_t table = bins * bins, size = params.pairs.x.rows * partners * table;
  parallel_for(0, size, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    std::fill(params.counts + begin, params.counts + end, 0);  // bins of a row that are empty are not visited
  });
  const Strides strides = swap ? Strides{table, partners * table, 1, bins} : Strides{partners * table, table, bins, 1};
  if (prepared.by_bytes) {
    write_tables<ByteCounter>(prepared, strides, params.counts, parallel_for);
  } else if (params.pairs.x.samples <= kMaxShortCount) {
    write_tables<PlaneCounter<std::uint16_t>>(prepared, strides, params.counts, parallel_for);
  } else {
    write_tables<PlaneCounter<std::uint32_t>>(prepared, strides, params.counts, parallel_for);
  }
  return {};
}

Status mutual_information_cpu(const InformationParams& params, const ParallelFor& parallel_for) {
  const std::int64_t partners = params.pairs.partners().rows;
  const bool swap = swap_pays(params.pairs);
  Prepared prepared;
  const Status status = prepared.assign(swap ? swapped(params.pairs) : params.pairs, Want::scores, parallel_for);
  if (!status) return unswapped(status, params.pairs);
  const PairScores scores(prepared, params.estimator, parallel_for);
  const std::int64_t row_stride = swap ? 1 : partners, partner_stride = swap ? partners : 1;
  if (params.dtype == DType::float64) {
    write_information(prepared, scores, row_stride, partner_stride, static_cast<double*>(params.information),
                      parallel_for);
  } else {
    write_information(prepared, scores, row_stride, partner_stride, static_cast<float*>(params.information),
                      parallel_for);
  }
  return {};
}

}  // namespace pruning_ext::mi
