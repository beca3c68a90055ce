// The probes of probe_kernels.h, compiled for each instruction set.
#include "common/probe_kernels.h"

#include "common/full_adder.h"

namespace pruning_ext::probe::PRUNING_EXT_ISA {
namespace {

typedef std::uint64_t Word __attribute__((vector_size(kVectorBytes)));

constexpr int kLanes = sizeof(Word) / sizeof(std::uint64_t);
constexpr int kChains = 6;  // independent adders: enough to hide the latency of one, and all in registers

std::uint64_t and_popcount(const std::uint64_t* a, const std::uint64_t* b, std::int64_t words, std::int64_t repeats) {
  std::uint64_t total = 0;
  for (std::int64_t r = 0; r < repeats; ++r) {
    std::uint64_t count = 0;
    for (std::int64_t w = 0; w < words; ++w) count += static_cast<std::uint64_t>(__builtin_popcountll(a[w] & b[w]));
    total += count ^ static_cast<std::uint64_t>(r);  // or one pass would do for all
  }
  return total;
}

std::uint64_t carry_save(std::uint64_t seed, std::int64_t repeats) {
  Word low[kChains], bit[kChains];
  for (int c = 0; c < kChains; ++c) {
    for (int lane = 0; lane < kLanes; ++lane) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      low[c][lane] = seed;
      bit[c][lane] = ~seed >> c;
    }
  }
  Word other = low[0] ^ bit[kChains - 1];
  for (std::int64_t r = 0; r < repeats; ++r) {
    for (int c = 0; c < kChains; ++c) add_bits(bit[c], low[c], bit[c], other);
  }
  std::uint64_t all = 0;
  for (int c = 0; c < kChains; ++c) {
    for (int lane = 0; lane < kLanes; ++lane) all ^= low[c][lane] + bit[c][lane];
  }
  return all;
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table{and_popcount, carry_save, std::int64_t{kChains} * kLanes * 64};
  return table;
}

}  // namespace pruning_ext::probe::PRUNING_EXT_ISA
