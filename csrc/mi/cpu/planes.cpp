#include "mi/cpu/planes.h"

#include <algorithm>

namespace pruning_ext::mi {
namespace {

constexpr std::int64_t kTile = 64;  // samples packed together

std::int64_t bits_for(std::int64_t bins) {
  std::int64_t bits = 1;
  while ((std::int64_t{1} << bits) < bins) ++bits;
  return bits;
}

}  // namespace

void Planes::assign(const Codes& codes, std::int64_t bins, const Counter& counter, const ParallelFor& parallel_for) {
  counter_ = counter;
  bits_ = bits_for(bins);
  blocks_ = (codes.rows + columns() - 1) / columns();
  block_bytes_ = (codes.samples + 1) * bits_ * columns() / 8;
  data_ = buffer_.reserve(blocks_ * block_bytes_);
  const std::int64_t tiles = codes.samples / kTile + 1;  // the last one has the sample of zeros too
  parallel_for(0, blocks_ * tiles, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % tiles * kTile;
      pack(codes, i / tiles, first, std::min(first + kTile, codes.samples));
    }
  });
  for (std::int64_t b = 0; b < blocks_; ++b) {
    std::uint8_t* zeros = data_ + (b + 1) * block_bytes_ - bits_ * columns() / 8;
    std::fill(zeros, zeros + bits_ * columns() / 8, std::uint8_t{0});
  }
}

void Planes::pack(const Codes& codes, std::int64_t block, std::int64_t first_sample, std::int64_t last_sample) {
  const std::int64_t bytes = columns() / 8, size = last_sample - first_sample;
  std::uint8_t* out = data_ + block * block_bytes_ + first_sample * bits_ * bytes;
  for (std::int64_t byte = 0; byte < bytes; ++byte) {
    std::uint8_t column[8][kTile] = {};
    for (std::int64_t bit = 0; bit < 8; ++bit) {
      const std::int64_t row = block * columns() + bit * bytes + byte;
      if (row >= codes.rows) break;
      for (std::int64_t t = 0; t < size; ++t) column[bit][t] = codes.at(row, first_sample + t);
    }
    for (std::int64_t plane = 0; plane < bits_; ++plane) {
      std::uint8_t packed[kTile] = {};
      for (int bit = 0; bit < 8; ++bit) {
        for (std::int64_t t = 0; t < kTile; ++t) {
          packed[t] = static_cast<std::uint8_t>(packed[t] | (column[bit][t] >> plane & 1) << bit);
        }
      }
      for (std::int64_t t = 0; t < size; ++t) out[(t * bits_ + plane) * bytes + byte] = packed[t];
    }
  }
}

void SampleLists::assign(const Codes& codes, std::int64_t row, const std::int32_t* counts, std::int64_t bins,
                         std::int64_t group) {
  row_ = row;
  mode_ = std::max_element(counts, counts + bins) - counts;
  std::int64_t size = 0;
  for (std::int64_t bin = 0; bin < bins; ++bin) {
    starts_[bin] = size;
    if (bin != mode_) size += (counts[bin] + group - 1) / group * group;
  }
  starts_[mode_] = size;
  samples_ = buffer_.reserve(size + counts[mode_] + kAhead);
  std::fill_n(samples_ + size + counts[mode_], kAhead, 0);
  std::int64_t next[256];
  std::copy(starts_, starts_ + bins, next);
  for (std::int64_t t = 0; t < codes.samples; ++t) samples_[next[codes.at(row, t)]++] = static_cast<std::int32_t>(t);
  for (std::int64_t bin = 0; bin < bins; ++bin) {
    if (bin == mode_) continue;
    const std::int64_t end = starts_[bin] + (counts[bin] + group - 1) / group * group;
    std::fill(samples_ + next[bin], samples_ + end, static_cast<std::int32_t>(codes.samples));
  }
}

}  // namespace pruning_ext::mi
