// Counting and scoring, compiled for each instruction set: what one row of codes costs against a block of columns.
//
// A block holds the codes of many columns as bit planes, sample by sample: bit p of plane l of sample t is bit l of the
// code of column p at t. For the samples that share one code of the row, the joint counts with *every* column of the
// block are then counts per bit position, which carry-save adders keep for all columns at once. A pair-sample costs
// bins - 1 bit additions instead of the (bins - 1)^2 bit products of planes against planes, and nothing at all in the
// bin of the row's mode (its most frequent code), whose counts the margins give.
#pragma once

#include <cstdint>

#include "common/cpu_isa.h"

namespace pruning_ext::mi {

constexpr std::int64_t kGroup = 8;           // samples that go through the adders together
constexpr std::int64_t kAhead = 32;          // of the sample being added, another is fetched
constexpr std::int64_t kMaxSamples = 65528;  // of one call: counts are 16 bits wide and whole groups are counted

struct SampleGroups {  // samples of one block, all with the same code of the row
  const void* planes;  // [T + 1, bits] words of `columns` bits; the last sample is all zeros
  std::int64_t bits;   // planes of a code: 2^bits >= bins
  std::int64_t bins;
  const std::int32_t* samples;  // [size], the index of the sample of zeros up to a whole group, and kAhead more of any
  std::int64_t size;            // at most kMaxSamples
  void* workspace;              // workspace_bytes(columns, bins), aligned to 64
  std::uint16_t* counts;        // [bins, columns]: how many samples have the code, aligned to 64
};

template <typename Count>
struct Scores {         // of one bin of the row
  const Count* counts;  // [bins, columns]
  std::int64_t bins, columns;
  std::int64_t first, last;   // the columns that are asked for
  const std::int64_t* table;  // count -> its term (mi_math.h)
  std::int64_t* sums;         // [columns]: terms are added
  std::int32_t* occupied;     // [columns]: cells that are not empty are added; or nullptr
};

struct Counter {
  std::int64_t columns;  // of a block
  void (*count)(const SampleGroups& groups);
};

template <typename Count>
struct CountKernels {
  void (*score)(const Scores<Count>& scores);
  void (*subtract)(const Count* counts, std::int64_t size, Count* rest);
};

struct Kernels {
  Counter wide, narrow;
  void (*add)(const std::uint16_t* counts, std::int64_t size, std::uint32_t* total);
  CountKernels<std::uint16_t> short_counts;
  CountKernels<std::uint32_t> long_counts;
};

// The adders of each bin: three running words, and two for each further power of two up to kMaxSamples / kGroup.
constexpr std::int64_t workspace_bytes(std::int64_t columns, std::int64_t bins) {
  return (bins + 1) / 2 * 2 * (4 + 2 * 14) * columns / 8;
}

PRUNING_EXT_DECLARE_KERNELS(Kernels)

}  // namespace pruning_ext::mi
