// Joint counts of one row's code with a block of columns (plane_kernels.h), and their scores.
//
// 1. Not codes are counted but their submasks: f[m] = #{samples whose code contains all bits of m}. Each
//    costs one AND, f[m] from its parent without the lowest bit, and m < bins suffices, whatever the number of bins.
// 2. Eight samples pass through a tree of carry-save adders (Harley and Seal); what overflows meets its like in the
//    next powers of two, so that an addition costs one adder on average.
// 3. The adders' words, transposed, are the counts; inclusion and exclusion makes of f the counts of codes.
#include "mi/cpu/plane_kernels.h"

#include "common/full_adder.h"

namespace pruning_ext::mi::PRUNING_EXT_ISA {
namespace {

typedef std::uint64_t Narrow __attribute__((vector_size(16), aligned(16)));
typedef std::uint64_t Wide __attribute__((vector_size(kVectorBytes), aligned(kVectorBytes)));

template <typename Word>
struct Low {
  Word ones, twos, fours, unused;
};

template <typename Word>
struct High {  // at level l, of weight 8 * 2^l
  Word sum, waiting;
};

// Eight words into the running ones, twos and fours; returned in `eights`: what overflows.
template <typename Word>
PRUNING_EXT_INLINE void add_group(Low<Word>& low, const Word* x, Word& eights) {
  Word ones = low.ones, twos = low.twos, fours = low.fours, a, b, c, d;
  add_bits(a, ones, x[0], x[1]);
  add_bits(b, ones, x[2], x[3]);
  add_bits(c, twos, a, b);
  add_bits(a, ones, x[4], x[5]);
  add_bits(b, ones, x[6], x[7]);
  add_bits(d, twos, a, b);
  add_bits(eights, fours, c, d);
  low.ones = ones;
  low.twos = twos;
  low.fours = fours;
}

// `levels` is the number of trailing ones of the group's index: that many words wait there for a partner.
template <typename Word>
PRUNING_EXT_INLINE void add_eights(High<Word>* high, std::int64_t stride, int levels, Word carry) {
  for (int l = 0; l < levels; ++l, high += stride) {
    Word next;
    add_bits(next, high->sum, high->waiting, carry);
    carry = next;
  }
  high->waiting = carry;
}

// Bit k of byte p of word r <- bit r of byte p of word k.
template <typename Word>
PRUNING_EXT_INLINE void transpose_bytes(Word* words) {
  constexpr std::uint64_t kMasks[3] = {0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f};
  for (int step = 2; step >= 0; --step) {
    const int distance = 1 << step;
    for (int k = 0; k < 8; ++k) {
      if (k & distance) continue;
      const Word swap = ((words[k] >> distance) ^ words[k + distance]) & kMasks[step];
      words[k + distance] ^= swap;
      words[k] ^= swap << distance;
    }
  }
}

template <typename Word>
struct Adders {
  Low<Word>* low;    // [stride]
  High<Word>* high;  // [levels + 1, stride]
  std::int64_t stride;
  int levels;  // powers of two that the number of groups has
};

template <typename Word>
Adders<Word> clear_adders(const SampleGroups& task, std::int64_t groups) {
  Adders<Word> adders{};
  adders.stride = (task.bins + 1) / 2 * 2;
  while ((groups >> adders.levels) != 0) ++adders.levels;
  adders.low = static_cast<Low<Word>*>(task.workspace);
  adders.high = reinterpret_cast<High<Word>*>(adders.low + adders.stride);
  __builtin_memset(adders.low, 0, sizeof(Low<Word>) * adders.stride);
  __builtin_memset(adders.high, 0, sizeof(High<Word>) * adders.stride * (adders.levels + 1));
  return adders;
}

// Eight samples on their way through the submasks.
template <typename Word>
struct Group {
  static constexpr int kAll = 8;  // slot of the empty submask
  const Word* sample[kGroup];
  Word lowest[kGroup];           // the planes of bit 0
  Word slots[kAll + 1][kGroup];  // the last submask whose lowest bit is the slot's number: always the next one's parent
  int levels;
};

// The submasks `even` and `even + 1`.
template <typename Word>
PRUNING_EXT_INLINE void add_submasks(Group<Word>& group, int even, const Adders<Word>& adders) {
  const int bit = __builtin_ctz(static_cast<unsigned>(even)), rest = even & (even - 1);
  const Word* parent = group.slots[rest != 0 ? __builtin_ctz(static_cast<unsigned>(rest)) : Group<Word>::kAll];
  Word x[kGroup], eights;
  for (int i = 0; i < kGroup; ++i) x[i] = parent[i] & group.sample[i][bit];
  if (bit > 1) {
    for (int i = 0; i < kGroup; ++i) group.slots[bit][i] = x[i];
  }
  add_group(adders.low[even], x, eights);
  add_eights(adders.high + even, adders.stride, group.levels, eights);
  for (int i = 0; i < kGroup; ++i) x[i] &= group.lowest[i];
  add_group(adders.low[even + 1], x, eights);
  add_eights(adders.high + even + 1, adders.stride, group.levels, eights);
}

// kBins: 0 for any number of them. A fixed one pays where registers hold eight words and their adders, with AVX-512.
template <typename Word, int kBins>
void add_all_groups(const SampleGroups& task, std::int64_t groups, const Adders<Word>& adders) {
  const Word* planes = static_cast<const Word*>(task.planes);
  const std::int64_t sample_bytes = task.bits * static_cast<std::int64_t>(sizeof(Word));
  Group<Word> group;
  for (int i = 0; i < kGroup; ++i) group.slots[Group<Word>::kAll][i] = ~Word{};
  for (std::int64_t g = 0; g < groups; ++g) {
    for (int i = 0; i < kGroup; ++i) {
      group.sample[i] = planes + task.samples[g * kGroup + i] * task.bits;
      group.lowest[i] = group.sample[i][0];
      // Samples of one code lie far apart: no prefetcher finds them, and the next group is too near to hide a miss.
      const char* ahead = static_cast<const char*>(task.planes) + task.samples[g * kGroup + i + kAhead] * sample_bytes;
      for (std::int64_t line = 0; line < sample_bytes; line += 64) __builtin_prefetch(ahead + line);
    }
    group.levels = __builtin_ctzll(~static_cast<std::uint64_t>(g));
    Word eights;
    add_group(adders.low[1], group.lowest, eights);
    add_eights(adders.high + 1, adders.stride, group.levels, eights);
    if constexpr (kBins != 0) {
#pragma GCC unroll 16
      for (int even = 2; even < kBins; even += 2) add_submasks(group, even, adders);
    } else {
      const int bins = static_cast<int>(task.bins);
#pragma GCC unroll 1
      for (int even = 2; even < bins; even += 2) add_submasks(group, even, adders);
    }
  }
}

template <typename Word>
void add_all(const SampleGroups& task, std::int64_t groups, const Adders<Word>& adders) {
  if constexpr (sizeof(Word) == 64) {
    switch (task.bins) {
      case 4: return add_all_groups<Word, 4>(task, groups, adders);
      case 8: return add_all_groups<Word, 8>(task, groups, adders);
      case 16: return add_all_groups<Word, 16>(task, groups, adders);
      default: break;
    }
  }
  add_all_groups<Word, 0>(task, groups, adders);
}

// The count that the adders of one submask hold, for each column.
template <typename Word>
void read_adders(const Adders<Word>& adders, std::int64_t groups, std::int64_t mask, bool wide, std::uint16_t* counts) {
  constexpr int kColumns = sizeof(Word) * 8;
  Word words[16] = {adders.low[mask].ones, adders.low[mask].twos, adders.low[mask].fours};
  Word carry{};
  for (int l = 0; l < adders.levels; ++l) {
    const High<Word>& high = adders.high[l * adders.stride + mask];
    const Word waiting = (groups >> l) & 1 ? high.waiting : Word{};
    Word sum = high.sum, next;
    add_bits(next, sum, waiting, carry);
    words[3 + l] = sum;
    carry = next;
  }
  if (adders.levels < 13) words[3 + adders.levels] = carry;
  transpose_bytes(words);
  const std::uint8_t* low = reinterpret_cast<const std::uint8_t*>(words);
  if (!wide) {
    for (int c = 0; c < kColumns; ++c) counts[c] = low[c];
    return;
  }
  transpose_bytes(words + 8);
  const std::uint8_t* high = reinterpret_cast<const std::uint8_t*>(words + 8);
  for (int c = 0; c < kColumns; ++c) counts[c] = static_cast<std::uint16_t>(low[c] | high[c] << 8);
}

// From f[m] to the counts of codes: f[m] -= f[m | bit], bit by bit.
void exclude_supersets(std::uint16_t* counts, std::int64_t bits, std::int64_t bins, std::int64_t columns) {
  for (std::int64_t bit = 0; bit < bits; ++bit) {
    for (std::int64_t mask = 0; mask < bins; ++mask) {
      const std::int64_t superset = mask | std::int64_t{1} << bit;
      if (superset == mask || superset >= bins) continue;
      std::uint16_t* f = counts + mask * columns;
      const std::uint16_t* g = counts + superset * columns;
      for (std::int64_t c = 0; c < columns; ++c) f[c] = static_cast<std::uint16_t>(f[c] - g[c]);
    }
  }
}

template <typename Word>
void count(const SampleGroups& task) {
  constexpr std::int64_t kColumns = sizeof(Word) * 8;
  const std::int64_t groups = (task.size + kGroup - 1) / kGroup;
  const Adders<Word> adders = clear_adders<Word>(task, groups);
  add_all(task, groups, adders);
  for (std::int64_t c = 0; c < kColumns; ++c) task.counts[c] = static_cast<std::uint16_t>(task.size);
  for (std::int64_t mask = 1; mask < task.bins; ++mask) {
    read_adders(adders, groups, mask, task.size > 255, task.counts + mask * kColumns);
  }
  exclude_supersets(task.counts, task.bits, task.bins, kColumns);
}

void add(const std::uint16_t* counts, std::int64_t size, std::uint32_t* total) {
  for (std::int64_t i = 0; i < size; ++i) total[i] += counts[i];
}

template <typename Count>
void score(const Scores<Count>& task) {
  constexpr int kStep = 4;  // as many sums as registers hold
  for (std::int64_t first = task.first / kStep * kStep; first < task.last; first += kStep) {
    std::int64_t sums[kStep] = {};
    for (std::int64_t bin = 0; bin < task.bins; ++bin) {
      const Count* counts = task.counts + bin * task.columns + first;
      for (int i = 0; i < kStep; ++i) sums[i] += task.table[counts[i]];
    }
    for (int i = 0; i < kStep; ++i) task.sums[first + i] += sums[i];
  }
  if (task.occupied != nullptr) {
    for (std::int64_t bin = 0; bin < task.bins; ++bin) {
      const Count* counts = task.counts + bin * task.columns;
      for (std::int64_t c = task.first; c < task.last; ++c) task.occupied[c] += counts[c] != 0;
    }
  }
}

template <typename Count>
void subtract(const Count* counts, std::int64_t size, Count* rest) {
  for (std::int64_t i = 0; i < size; ++i) rest[i] = static_cast<Count>(rest[i] - counts[i]);
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table{{sizeof(Wide) * 8, count<Wide>},
                                 {sizeof(Narrow) * 8, count<Narrow>},
                                 add,
                                 {score<std::uint16_t>, subtract<std::uint16_t>},
                                 {score<std::uint32_t>, subtract<std::uint32_t>}};
  return table;
}

}  // namespace pruning_ext::mi::PRUNING_EXT_ISA
