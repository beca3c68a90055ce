// Counting by bytes, compiled for each instruction set: what the samples that share one code of a row cost against a
// block of columns, where there are more bins than bit planes are good for (pair_costs.cpp says where that is).
#pragma once

#include <cstdint>

#include "common/cpu_isa.h"

namespace pruning_ext::mi::bytes {

constexpr std::int64_t kColumns = 64;        // of a block: one sample of it is one line of memory
constexpr std::int64_t kAhead = 32;          // of the sample being read, another is fetched
constexpr std::int64_t kMaxRanked = 255;     // samples of a call: ranks fit a byte,
constexpr std::int64_t kMaxCounted = 65535;  // and counts two
constexpr std::int64_t kRankRows = 256;      // more than there are ranks
// From a column's table to the next one's, in counts. Not 256: a store and a load 4096 bytes apart look alike to the
// processor, and equal codes in columns 8 apart would be.
constexpr std::int64_t kStride = 264;

struct Run {                    // samples of one block, all with the same code of the row
  const std::uint8_t* codes;    // [T, kColumns], aligned to 64
  const std::int32_t* samples;  // [size], and kAhead more of any
  std::int64_t size;
};

struct Ranks {
  const std::uint8_t* mode;  // [kColumns]: the most frequent code of each column
  std::uint8_t* lines;       // [kMaxRanked + 8, kColumns], aligned: scratch
  // [kRankRows, kColumns], aligned: row r counts the cells with more than r samples. Added to, modulo 256.
  std::uint8_t* higher;
};

struct Kernels {
  // At most kMaxRanked samples. Adds to `higher`; returns the lowest row from which on it added nothing. Row 0 is left
  // alone.
  std::int64_t (*rank)(const Run& run, const Ranks& ranks);
  // Adds rows 1 to `levels` of `higher` to those of `total`, and clears them.
  void (*add_ranks)(std::uint8_t* higher, std::int64_t levels, std::uint32_t* total);
  // Adds to `tables` [kColumns, kStride] the counts of columns [first, last). At most kMaxCounted samples.
  void (*count)(const Run& run, std::int64_t bins, std::int64_t first, std::int64_t last, std::uint16_t* tables);
};

PRUNING_EXT_DECLARE_KERNELS(Kernels)

}  // namespace pruning_ext::mi::bytes
