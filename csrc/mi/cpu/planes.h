// Codes as bit planes, in blocks of columns, sample by sample: what the counters of plane_kernels.h read.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "mi/cpu/plane_kernels.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

class Planes {
 public:
  // Column c of a block stands at bit c / (columns / 8) of byte c % (columns / 8): the counters' order.
  void assign(const Codes& codes, std::int64_t bins, const Counter& counter, const ParallelFor& parallel_for);

  const Counter& counter() const { return counter_; }
  std::int64_t columns() const { return counter_.columns; }
  std::int64_t blocks() const { return blocks_; }
  std::int64_t bits() const { return bits_; }
  const std::uint8_t* block(std::int64_t b) const { return data_ + b * block_bytes_; }

 private:
  void pack(const Codes& codes, std::int64_t block, std::int64_t first_sample, std::int64_t last_sample);

  Counter counter_{};
  std::int64_t blocks_ = 0, bits_ = 0, block_bytes_ = 0;
  std::uint8_t* data_ = nullptr;  // [blocks, T + 1, bits, columns / 8]
  AlignedBuffer<std::uint8_t> buffer_;
};

// The samples of one row, listed by code: the mode, its most frequent code, last, since the margins can give its
// counts.
class SampleLists {
 public:
  // `counts` [bins] are those of the row. All lists but the last are filled up to whole groups with the sample T.
  void assign(const Codes& codes, std::int64_t row, const std::int32_t* counts, std::int64_t bins, std::int64_t group);

  std::int64_t row() const { return row_; }
  std::int64_t mode() const { return mode_; }
  // At least kAhead more can be read behind them.
  const std::int32_t* samples(std::int64_t bin) const { return samples_ + starts_[bin]; }
  const std::int32_t* all_but_mode() const { return samples_; }

 private:
  std::int64_t row_ = -1, mode_ = 0;
  std::int64_t starts_[256] = {};
  std::int32_t* samples_ = nullptr;
  AlignedBuffer<std::int32_t> buffer_;
};

}  // namespace pruning_ext::mi
