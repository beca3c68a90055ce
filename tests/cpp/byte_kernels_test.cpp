// Counting by bytes: ranks and tables of a run against counting one by one, and which sizes come here at all.
#include "mi/cpu/byte_kernels.h"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "check.h"
#include "common/aligned_buffer.h"
#include "mi/cpu/pair_counter.h"

using namespace pruning_ext;
using mi::bytes::kColumns;

namespace {

constexpr std::int64_t kSamples = 1000;

// Columns of every kind: uniform, few codes, one or two spikes, constant, and one that counts its samples.
std::uint8_t code_of(std::int64_t column, std::int64_t sample, std::int64_t bins, std::mt19937& random) {
  const auto any = static_cast<std::uint8_t>(random() % static_cast<unsigned>(bins));
  const auto top = static_cast<std::uint8_t>(bins - 1);
  switch (column % 8) {
    case 1: return random() % 4 != 0 ? 0 : any;
    case 2: return random() % 4 != 0 ? top : any;
    case 3: return top;
    case 4: return random() % 2 != 0 ? top : 0;
    case 5: return static_cast<std::uint8_t>(any % 3);
    case 6: return static_cast<std::uint8_t>(sample % bins);
    default: return any;
  }
}

struct Lines {
  AlignedBuffer<std::uint8_t> codes;  // [kSamples, kColumns]
  std::vector<std::int32_t> samples;  // in disorder, with what may be read behind

  explicit Lines(std::int64_t bins) {
    std::mt19937 random(static_cast<unsigned>(bins));
    std::uint8_t* out = codes.reserve(kSamples * kColumns);
    for (std::int64_t t = 0; t < kSamples; ++t) {
      for (std::int64_t c = 0; c < kColumns; ++c) out[t * kColumns + c] = code_of(c, t, bins, random);
      samples.push_back(static_cast<std::int32_t>(t));
    }
    std::shuffle(samples.begin(), samples.end(), random);
    samples.resize(kSamples + mi::bytes::kAhead, 0);
  }
  mi::bytes::Run run(std::int64_t size) { return {codes.data(), samples.data(), size}; }
  std::map<int, int> counted(std::int64_t column, std::int64_t size) {  // code -> samples
    std::map<int, int> counts;
    for (std::int64_t i = 0; i < size; ++i)
      ++counts[codes.data()[samples[static_cast<std::size_t>(i)] * kColumns + column]];
    return counts;
  }
};

void ranks(Lines& lines, std::int64_t size, std::int64_t bins, std::uint8_t mode_code) {
  AlignedBuffer<std::uint8_t> scratch, higher, mode;
  scratch.reserve((mi::bytes::kMaxRanked + 8) * kColumns);
  std::fill_n(mode.reserve(kColumns), kColumns, mode_code);
  const std::int64_t cells = mi::bytes::kRankRows * kColumns;
  std::fill_n(higher.reserve(cells), cells, std::uint8_t{0});
  const std::int64_t levels =
      mi::bytes::active_kernels().rank(lines.run(size), {mode.data(), scratch.data(), higher.data()});
  std::int64_t wrong = 0, highest = 1;
  for (std::int64_t c = 0; c < kColumns; ++c) {
    std::vector<int> expected(static_cast<std::size_t>(mi::bytes::kRankRows));
    for (const auto& [code, count] : lines.counted(c, size)) {
      for (int rank = 1; rank < count; ++rank) ++expected[static_cast<std::size_t>(rank)];
      highest = std::max<std::int64_t>(highest, count);
    }
    for (std::int64_t r = 1; r < mi::bytes::kRankRows; ++r) {
      wrong += expected[static_cast<std::size_t>(r)] != higher.data()[r * kColumns + c];
    }
  }
  CHECK(wrong == 0, "%lld counts of ranks, %lld samples, %lld bins", static_cast<long long>(wrong),
        static_cast<long long>(size), static_cast<long long>(bins));
  CHECK(levels >= highest && levels <= mi::bytes::kRankRows, "%lld levels for %lld", static_cast<long long>(levels),
        static_cast<long long>(highest));
}

void added_ranks() {
  AlignedBuffer<std::uint8_t> higher;
  AlignedBuffer<std::uint32_t> total;
  const std::int64_t cells = mi::bytes::kRankRows * kColumns;
  for (std::int64_t i = 0; i < cells; ++i) higher.reserve(cells)[i] = static_cast<std::uint8_t>(i * 7);
  std::fill_n(total.reserve(cells), cells, 70'000u);
  mi::bytes::active_kernels().add_ranks(higher.data(), 5, total.data());
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < cells; ++i) {
    const bool added = i >= kColumns && i < 5 * kColumns;
    const auto was = static_cast<std::uint8_t>(i * 7);
    wrong += total.data()[i] != 70'000u + (added ? was : 0) || higher.data()[i] != (added ? 0 : was);
  }
  CHECK(wrong == 0, "%lld sums of ranks", static_cast<long long>(wrong));
}

void tables(Lines& lines, std::int64_t bins, std::int64_t first, std::int64_t last) {
  AlignedBuffer<std::uint16_t> tables;
  const std::int64_t cells = kColumns * mi::bytes::kStride;
  std::fill_n(tables.reserve(cells), cells, std::uint16_t{3});
  mi::bytes::active_kernels().count(lines.run(kSamples), bins, first, last, tables.data());
  std::int64_t wrong = 0;
  for (std::int64_t c = 0; c < kColumns; ++c) {
    std::map<int, int> counts = c >= first && c < last ? lines.counted(c, kSamples) : std::map<int, int>{};
    for (int b = 0; b < mi::bytes::kStride; ++b) wrong += tables.data()[c * mi::bytes::kStride + b] != 3 + counts[b];
  }
  CHECK(wrong == 0, "%lld cells of columns %lld to %lld", static_cast<long long>(wrong), static_cast<long long>(first),
        static_cast<long long>(last));
}

bool by_bytes(std::int64_t rows, std::int64_t samples, std::int64_t bins, mi::Want want) {
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(rows * samples));
  std::mt19937 random(5);
  for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random() % static_cast<unsigned>(bins));
  mi::Prepared prepared;
  prepared.assign({{codes.data(), rows, samples, samples, 1}, {}, true, bins}, want, serial_for);
  return prepared.by_bytes;
}

// Which way the tests of whole tables and scores go (mi_test.cpp): both are to be gone.
void choice() {
  for (const mi::Want want : {mi::Want::scores, mi::Want::tables}) {
    for (const std::int64_t bins : {2, 8, 16}) CHECK(!by_bytes(9, 500, bins, want), "%lld bins", (long long)bins);
    for (const std::int64_t bins : {64, 255, 256}) CHECK(by_bytes(9, 500, bins, want), "%lld bins", (long long)bins);
    CHECK(!by_bytes(130, 20'000, 17, want), "17 bins of many samples");
  }
  CHECK(by_bytes(9, 127, 17, mi::Want::scores), "17 bins of few samples");
}

void run() {
  for (const std::int64_t bins : {2, 17, 64, 255, 256}) {
    Lines lines(bins);
    for (std::int64_t size = 1; size <= mi::bytes::kMaxRanked; ++size) {
      ranks(lines, size, bins, size % 3 == 0 ? 0 : static_cast<std::uint8_t>(bins - 1));
    }
    for (const auto& [first, last] : {std::pair{0, 64}, {0, 1}, {5, 30}, {31, 33}, {32, 64}, {63, 64}, {8, 64}}) {
      tables(lines, bins, first, last);
    }
  }
  added_ranks();
  choice();
}

}  // namespace

CHECK_MAIN(run)
