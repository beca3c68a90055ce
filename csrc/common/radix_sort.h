// Radix sort on one CPU thread, least significant digit first.
#pragma once

#include <cstdint>
#include <utility>

namespace pruning_ext {

// Sorts word_at(0), ..., word_at(n - 1) by the 32 bits from kShift on, ordered_bits() of floats: stable, so words of
// one key keep their order. Digits that all keys share, as the low half of every bfloat16, cost nothing. `words` and
// `other` are [n]; returns whichever of the two holds the result.
template <int kShift, typename Word, typename WordAt>
Word* radix_sort(std::int64_t n, Word* words, Word* other, const WordAt& word_at) {
  constexpr int kDigitBits = 8, kDigits = 32 / kDigitBits, kBuckets = 1 << kDigitBits;
  const auto digit = [](Word word, int d) { return word >> (kShift + kDigitBits * d) & (kBuckets - 1); };
  std::uint32_t counts[kDigits][kBuckets] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    const Word word = word_at(i);
    words[i] = word;
    for (int d = 0; d < kDigits; ++d) ++counts[d][digit(word, d)];
  }
#pragma GCC unroll 4
  for (int d = 0; d < kDigits; ++d) {
    std::uint32_t* const places = counts[d];
    if (places[digit(words[0], d)] == static_cast<std::uint64_t>(n)) continue;
    std::uint32_t next = 0;
    for (int b = 0; b < kBuckets; ++b) next += std::exchange(places[b], next);
    for (std::int64_t i = 0; i < n; ++i) other[places[digit(words[i], d)]++] = words[i];
    std::swap(words, other);
  }
  return words;
}

}  // namespace pruning_ext
