// Codes as bytes, in blocks of columns, sample by sample: what the kernels of byte_kernels.h read.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "mi/cpu/byte_kernels.h"
#include "mi/cpu/margins.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

class ByteBlocks {
 public:
  static constexpr std::int64_t kColumns = bytes::kColumns;

  void assign(const Codes& codes, const Margins& margins, std::int64_t bins, const ParallelFor& parallel_for);

  std::int64_t blocks() const { return blocks_; }
  const std::uint8_t* block(std::int64_t b) const { return data_ + b * block_bytes_; }
  // The most frequent code of each column.
  const std::uint8_t* mode(std::int64_t b) const { return mode_ + b * kColumns; }

 private:
  void copy(const Codes& codes, std::int64_t block, std::int64_t first_sample, std::int64_t last_sample);

  std::int64_t blocks_ = 0, block_bytes_ = 0;
  std::uint8_t* data_ = nullptr;  // [blocks, T, kColumns]; columns beyond the last one repeat it
  std::uint8_t* mode_ = nullptr;  // [blocks, kColumns]
  AlignedBuffer<std::uint8_t> buffer_, mode_buffer_;
};

}  // namespace pruning_ext::mi
