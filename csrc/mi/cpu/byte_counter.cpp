#include "mi/cpu/byte_counter.h"

#include <algorithm>

namespace pruning_ext::mi {
namespace {

using bytes::kColumns;
using bytes::kMaxCounted;
using bytes::kMaxRanked;
using bytes::kRankRows;
using bytes::kStride;

const bytes::Kernels& kernels() { return bytes::active_kernels(); }

template <typename T>
void make_zeros(AlignedBuffer<T>& buffer, std::int64_t size) {
  std::fill_n(buffer.reserve(size), size, T{0});
}

}  // namespace

ByteCounter::ByteCounter(const Prepared& prepared) : prepared_(prepared), bins_(prepared.pairs.bins) {
  make_zeros(tables_, kColumns * kStride);
  make_zeros(higher_, kRankRows * kColumns);
  make_zeros(rank_totals_, kRankRows * kColumns);
  totals_.reserve(kColumns * kStride);
  lines_.reserve((kMaxRanked + 8) * kColumns);
}

// Where a row's mode holds most of its samples, the others are counted, and the margins give the rest.
bool ByteCounter::is_rest(const SampleLists& row, std::int64_t bin) const {
  return bin == row.mode() && 2 * sizes(row)[bin] > prepared_.pairs.x.samples;
}

void ByteCounter::clear_tables(std::int64_t first, std::int64_t last) {
  for (std::int64_t c = first; c < last; ++c) std::fill_n(tables_.data() + c * kStride, bins_, std::uint16_t{0});
}

void ByteCounter::count_wide(const SampleLists& row, std::int64_t bin, std::int64_t block, std::int64_t first,
                             std::int64_t last) {
  const bool rest = is_rest(row, bin);
  const std::int32_t* samples = rest ? row.all_but_mode() : row.samples(bin);
  const std::int64_t size = rest ? prepared_.pairs.x.samples - sizes(row)[bin] : sizes(row)[bin];
  for (std::int64_t c = first; c < last; ++c) std::fill_n(totals_.data() + c * kStride, bins_, 0u);
  for (std::int64_t begin = 0; begin < size; begin += kMaxCounted) {
    kernels().count({prepared_.bytes.block(block), samples + begin, std::min(kMaxCounted, size - begin)}, bins_, first,
                    last, tables_.data());
    for (std::int64_t c = first; c < last; ++c) {
      for (std::int64_t b = 0; b < bins_; ++b) totals_.data()[c * kStride + b] += tables_.data()[c * kStride + b];
    }
    clear_tables(first, last);
  }
  if (!rest) return;
  for (std::int64_t c = first; c < last; ++c) {
    const std::int32_t* margin = prepared_.y_margins().counts(block * kColumns + c);
    std::uint32_t* counts = totals_.data() + c * kStride;
    for (std::int64_t b = 0; b < bins_; ++b) counts[b] = static_cast<std::uint32_t>(margin[b]) - counts[b];
  }
}

void ByteCounter::rank_bin(const std::int32_t* samples, std::int64_t size, std::int64_t block) {
  ranked_ += size;
  if (size == 1) return;
  if (pending_ + size > kMaxRanked) flush_ranks();
  pending_ += size;
  const std::int64_t levels = kernels().rank({prepared_.bytes.block(block), samples, size},
                                             {prepared_.bytes.mode(block), lines_.data(), higher_.data()});
  pending_levels_ = std::max(pending_levels_, levels);
}

void ByteCounter::flush_ranks() {
  kernels().add_ranks(higher_.data(), pending_levels_, rank_totals_.data());
  levels_ = std::max(levels_, pending_levels_);
  pending_ = 0;
  pending_levels_ = 1;
}

void ByteCounter::score_ranks(std::int64_t first, std::int64_t last, const TermTable& table, std::int64_t* sums,
                              std::int32_t* occupied) {
  flush_ranks();
  if (occupied != nullptr) {
    for (std::int64_t c = first; c < last; ++c) occupied[c] += static_cast<std::int32_t>(ranked_);
  }
  for (std::int64_t rank = 1; rank < levels_; ++rank) {
    std::uint32_t* cells = rank_totals_.data() + rank * kColumns;
    const std::int64_t step = table.data()[rank + 1] - table.data()[rank];
    for (std::int64_t c = first; c < last; ++c) sums[c] += step * cells[c];
    if (occupied != nullptr) {
      for (std::int64_t c = first; c < last; ++c) occupied[c] -= static_cast<std::int32_t>(cells[c]);
    }
    std::fill_n(cells, kColumns, 0u);
  }
  ranked_ = 0;
  levels_ = 1;
}

void ByteCounter::score(const SampleLists& row, std::int64_t block, std::int64_t first, std::int64_t last,
                        const TermTable& table, std::int64_t* sums, std::int32_t* occupied) {
  for (std::int64_t bin = 0; bin < bins_; ++bin) {
    const std::int64_t size = sizes(row)[bin];
    if (size == 0) continue;
    if (!is_rest(row, bin) && size <= prepared_.longest_ranked) {
      rank_bin(row.samples(bin), size, block);
      continue;
    }
    with_counts(row, bin, block, first, last, [&](const auto& cells) {
      for (std::int64_t c = first; c < last; ++c) {
        const auto* counts = cells.data + c * cells.column_stride;
        std::int64_t sum = 0;
#pragma GCC unroll 4
        for (std::int64_t b = 0; b < bins_; ++b) sum += table.data()[counts[b]];
        sums[c] += sum;
        if (occupied == nullptr) continue;
        for (std::int64_t b = 0; b < bins_; ++b) occupied[c] += counts[b] != 0;
      }
    });
  }
  score_ranks(first, last, table, sums, occupied);
}

}  // namespace pruning_ext::mi
