// Ranks and tables of a run of samples (byte_kernels.h).
//
// 1. Ranks. The columns are the lanes: exchanges of whole lines sort the run's codes in all columns at once, and equal
//    codes stand together. A sample's rank is how many of its own code stand before it; a cell of c samples has one of
//    each of the ranks 0 to c - 1, so that the score sum s(c) is the sum of s(r + 1) - s(r) over the samples. No table
//    is made, cleared or read, and empty cells cost nothing, however many the bins.
// 2. Tables. Longer runs are counted in a table for each column, a sample in 32 or 64 columns before the next one:
//    equal codes, of which ReLU makes many, never wait for each other's store. The processor's one store a cycle is
//    what bounds this.
#include "mi/cpu/byte_kernels.h"

#include <cstddef>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "common/vectors.h"

namespace pruning_ext::mi::bytes::PRUNING_EXT_ISA {
namespace {

typedef std::uint8_t Lanes __attribute__((vector_size(kVectorBytes), may_alias));

constexpr int kParts = kColumns / kVectorBytes;  // registers that a sample fills
constexpr int kEight = 8;                        // samples that registers hold while they are sorted
constexpr int kLevels = 4;                       // ranks that are counted together
constexpr int kMaxLevel = 33;                    // from which rank on columns are counted one by one,
constexpr int kFew = 3;                          // or if there are no more than so many with a rank

PRUNING_EXT_INLINE Lanes all(std::uint8_t value) { return Lanes{} + value; }

// `counts` up by one where x is y.
PRUNING_EXT_INLINE void count_equal(Lanes& counts, const Lanes& x, const Lanes& y) {
#if defined(__AVX512F__)
  const __mmask64 equal = _mm512_cmpeq_epi8_mask((__m512i)x, (__m512i)y);
  counts = (Lanes)_mm512_mask_sub_epi8((__m512i)counts, equal, (__m512i)counts, _mm512_set1_epi8(-1));
#else
  counts -= (Lanes)(x == y);
#endif
}

// Bit i: whether lane i of a comparison is true.
PRUNING_EXT_INLINE std::uint64_t mask_of(const Lanes& truths) {
#if defined(__AVX512F__)
  return _mm512_movepi8_mask((__m512i)truths);
#elif defined(__AVX2__)
  return static_cast<std::uint32_t>(_mm256_movemask_epi8((__m256i)truths));
#elif defined(__SSE2__)
  return static_cast<std::uint32_t>(_mm_movemask_epi8((__m128i)truths));
#else
  // Lane i of a word keeps its bit i; the product's highest byte is their sum, which carries nothing.
  typedef std::uint64_t Words __attribute__((vector_size(kVectorBytes)));
  const Words kept = (Words)truths & 0x8040201008040201;
  std::uint64_t mask = 0;
  for (int w = 0; w < kVectorBytes / 8; ++w) mask |= (kept[w] * 0x0101010101010101 >> 56) << (8 * w);
  return mask;
#endif
}

PRUNING_EXT_INLINE std::uint64_t at_least(const Lanes& x, std::int64_t value) {
  return mask_of((Lanes)(x >= all(static_cast<std::uint8_t>(value))));
}

PRUNING_EXT_INLINE void order(Lanes& x, Lanes& y) {
  const Lanes low = x < y ? x : y;
  y = x < y ? y : x;
  x = low;
}

PRUNING_EXT_INLINE void sort_eight(Lanes* x) {  // 19 exchanges, the fewest there are
  constexpr int kExchanges[][2] = {{0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 4}, {1, 5}, {2, 6}, {3, 7}, {0, 1}, {2, 3},
                                   {4, 5}, {6, 7}, {2, 4}, {3, 5}, {1, 4}, {3, 6}, {1, 2}, {3, 4}, {5, 6}};
#pragma GCC unroll 19
  for (const auto& pair : kExchanges) order(x[pair[0]], x[pair[1]]);
}

PRUNING_EXT_INLINE void merge_eight(Lanes* x) {  // from bitonic to sorted
#pragma GCC unroll 3
  for (int distance = 4; distance > 0; distance /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < kEight; ++i) {
      if ((i & distance) == 0) order(x[i], x[i + distance]);
    }
  }
}

// Sorts lines [eights * 8], whose eights are sorted. Every exchange puts the smaller line first, so that the lines
// which are missing to a power of two, as if there were larger ones, take part in none.
void merge_eights(Lanes* lines, std::int64_t eights) {
  for (std::int64_t half = 1; half < eights; half *= 2) {
    for (std::int64_t base = 0; base + half < eights;
         base += 2 * half) {  // the first half against the second, reversed
      const std::int64_t last = base + 2 * half - 1, missing = last - eights + 1;
      for (std::int64_t e = missing > 0 ? missing : 0; e < half; ++e) {
        Lanes *x = lines + (base + e) * kEight, *y = lines + (last - e) * kEight;
#pragma GCC unroll 8
        for (int i = 0; i < kEight; ++i) order(x[i], y[kEight - 1 - i]);
      }
    }
    for (std::int64_t distance = half / 2; distance > 0; distance /= 2) {
      for (std::int64_t e = 0; e + distance < eights; ++e) {
        if ((e & distance) != 0) continue;
        Lanes *x = lines + e * kEight, *y = x + distance * kEight;
#pragma GCC unroll 8
        for (int i = 0; i < kEight; ++i) order(x[i], y[i]);
      }
    }
    for (std::int64_t e = 0; e < eights; ++e) merge_eight(lines + e * kEight);
  }
}

// One part of the run's samples, in order, to `lines`.
void sort_part(const Run& run, int part, Lanes* lines) {
  const Lanes* codes = reinterpret_cast<const Lanes*>(run.codes) + part;
  const std::int64_t eights = (run.size + kEight - 1) / kEight;
  for (std::int64_t e = 0; e < eights; ++e) {
    Lanes x[kEight];
    for (int i = 0; i < kEight; ++i) {
      const std::int64_t at = e * kEight + i;
      x[i] = all(255);  // behind all others
      if (at >= run.size) continue;
      if (part == 0) __builtin_prefetch(run.codes + run.samples[at + kAhead] * kColumns);
      x[i] = codes[run.samples[at] * std::int64_t{kParts}];
    }
    sort_eight(x);
    for (int i = 0; i < kEight; ++i) lines[e * kEight + i] = x[i];
  }
  merge_eights(lines, eights);
}

// Sorted lines to ranks; returns the highest rank of each column. A column's mode is counted in `spike` instead
// and its ranks are 0: there could be as many of them as there are samples.
Lanes rank_lines(Lanes* lines, std::int64_t size, const Lanes& mode, Lanes& spike) {
  Lanes before = lines[0], rank{}, highest{};
  spike = Lanes{};
  count_equal(spike, before, mode);
  lines[0] = rank;
  for (std::int64_t i = 1; i < size; ++i) {
    const Lanes own = lines[i];
    const Lanes kept = own == before ? rank + 1 : Lanes{};
    rank = own == mode ? Lanes{} : kept;
    count_equal(spike, own, mode);
    highest = highest > rank ? highest : rank;
    lines[i] = rank;
    before = own;
  }
  return highest;
}

// Adds to rows [level, level + kLevels) of `higher` how many of lines [size] are of that rank.
PRUNING_EXT_INLINE void count_levels(const Lanes* lines, std::int64_t size, std::int64_t level, Lanes* higher) {
  Lanes counts[kLevels], ranks[kLevels];
#pragma GCC unroll 4
  for (int l = 0; l < kLevels; ++l) {
    counts[l] = Lanes{};
    ranks[l] = all(static_cast<std::uint8_t>(level + l));
  }
#pragma GCC unroll 2
  for (std::int64_t i = level; i < size; ++i) {  // the first lines' ranks are lower
#pragma GCC unroll 4
    for (int l = 0; l < kLevels; ++l) count_equal(counts[l], lines[i], ranks[l]);
  }
#pragma GCC unroll 4
  for (int l = 0; l < kLevels; ++l) higher[(level + l) * kParts] += counts[l];
}

// Counts one column's samples of ranks from `level` on.
void count_alone(const std::uint8_t* lines, std::int64_t size, std::int64_t level, std::uint8_t* higher) {
  for (std::int64_t i = level; i < size; ++i) {
    const std::int64_t rank = lines[i * kVectorBytes];
    if (rank >= level) ++higher[rank * kColumns];
  }
}

// One part of the run. Returns the lowest row of `higher` from which on nothing was added.
std::int64_t rank_part(const Run& run, int part, const Lanes& mode, Lanes* lines, Lanes* higher) {
  sort_part(run, part, lines);
  Lanes spike;
  const Lanes highest = rank_lines(lines, run.size, mode, spike);
  std::int64_t level = 1;
  std::uint64_t columns = at_least(highest, level);
  for (; __builtin_popcountll(columns) > kFew && level + kLevels <= kMaxLevel; columns = at_least(highest, level)) {
    count_levels(lines, run.size, level, higher);
    level += kLevels;
  }
  // A column that says what the row says has as many ranks as the run has samples.
  for (const std::int64_t first = level; columns != 0; columns &= columns - 1) {
    const int c = __builtin_ctzll(columns);
    count_alone(reinterpret_cast<const std::uint8_t*>(lines) + c, run.size, first,
                reinterpret_cast<std::uint8_t*>(higher) + c);
    level = highest[c] >= level ? highest[c] + 1 : level;
  }
  std::int64_t spikes = 1;
  for (; spikes < run.size && at_least(spike, spikes + 1) != 0; ++spikes) {
    higher[spikes * kParts] -= (Lanes)(spike > all(static_cast<std::uint8_t>(spikes)));
  }
  return spikes > level ? spikes : level;
}

std::int64_t rank(const Run& run, const Ranks& ranks) {
  const Lanes* mode = reinterpret_cast<const Lanes*>(ranks.mode);
  Lanes *lines = reinterpret_cast<Lanes*>(ranks.lines), *higher = reinterpret_cast<Lanes*>(ranks.higher);
  std::int64_t levels = 1;
  for (int part = 0; part < kParts; ++part) {
    const std::int64_t found = rank_part(run, part, mode[part], lines, higher + part);
    levels = found > levels ? found : levels;
  }
  return levels;
}

void add_ranks(std::uint8_t* higher, std::int64_t levels, std::uint32_t* total) {
  for (std::int64_t i = kColumns; i < levels * kColumns; ++i) total[i] += higher[i];
  if (levels > 1) __builtin_memset(higher + kColumns, 0, static_cast<std::size_t>((levels - 1) * kColumns));
}

template <int kWidth>
void count_columns(const Run& run, std::int64_t first, std::int64_t last, std::uint16_t* tables) {
  for (std::int64_t part = 0; part < kColumns; part += kWidth) {
    const std::int64_t begin = first > part ? first : part, end = last < part + kWidth ? last : part + kWidth;
    std::uint16_t* table = tables + part * kStride;
    for (std::int64_t i = 0; begin < end && i < run.size; ++i) {
      const std::uint8_t* line = run.codes + run.samples[i] * kColumns + part;
      __builtin_prefetch(run.codes + run.samples[i + kAhead] * kColumns);
      if (end - begin == kWidth) {
#pragma GCC unroll 64
        for (int c = 0; c < kWidth; ++c) ++table[c * kStride + line[c]];
      } else {
        for (std::int64_t c = begin - part; c < end - part; ++c) ++table[c * kStride + line[c]];
      }
    }
  }
}

// With more bins, the tables of all columns would fill the first-level cache.
void count(const Run& run, std::int64_t bins, std::int64_t first, std::int64_t last, std::uint16_t* tables) {
  if (bins <= 128) {
    count_columns<kColumns>(run, first, last, tables);
  } else {
    count_columns<kColumns / 2>(run, first, last, tables);
  }
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table{rank, add_ranks, count};
  return table;
}

}  // namespace pruning_ext::mi::bytes::PRUNING_EXT_ISA
