#include "mi/cpu/byte_blocks.h"

#include <algorithm>

namespace pruning_ext::mi {
namespace {

constexpr std::int64_t kTile = 64;  // samples copied together: whole lines are read and written

}  // namespace

void ByteBlocks::assign(const Codes& codes, const Margins& margins, std::int64_t bins,
                        const ParallelFor& parallel_for) {
  blocks_ = (codes.rows + kColumns - 1) / kColumns;
  block_bytes_ = codes.samples * kColumns;
  data_ = buffer_.reserve(blocks_ * block_bytes_);
  mode_ = mode_buffer_.reserve(blocks_ * kColumns);
  const std::int64_t tiles = (codes.samples + kTile - 1) / kTile;
  parallel_for(0, blocks_ * tiles, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % tiles * kTile;
      copy(codes, i / tiles, first, std::min(first + kTile, codes.samples));
    }
  });
  for (std::int64_t c = 0; c < blocks_ * kColumns; ++c) {
    const std::int32_t* counts = margins.counts(std::min(c, codes.rows - 1));
    mode_[c] = static_cast<std::uint8_t>(std::max_element(counts, counts + bins) - counts);
  }
}

void ByteBlocks::copy(const Codes& codes, std::int64_t block, std::int64_t first_sample, std::int64_t last_sample) {
  std::uint8_t* lines = data_ + block * block_bytes_;
  for (std::int64_t c = 0; c < kColumns; ++c) {
    const std::int64_t row = std::min(block * kColumns + c, codes.rows - 1);
    for (std::int64_t t = first_sample; t < last_sample; ++t) lines[t * kColumns + c] = codes.at(row, t);
  }
}

}  // namespace pruning_ext::mi
