// A full adder of whole vectors of bits: the step of carry-save addition. Only for *_kernels.cpp: internal linkage, as
// in simd.h.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "common/vectors.h"

namespace pruning_ext {
namespace {

// Adds the bits of a and b to those of `low`; `high` gets what has twice their weight, and may be a or b itself.
template <typename Word>
PRUNING_EXT_INLINE void add_bits(Word& high, Word& low, const Word& a, const Word& b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Word) == 64) {
    const __m512i x = (__m512i)low, y = (__m512i)a, z = (__m512i)b;
    high = (Word)_mm512_ternarylogic_epi64(x, y, z, 0xe8);  // at least two of three
    low = (Word)_mm512_ternarylogic_epi64(x, y, z, 0x96);   // an odd number
    return;
  }
#endif
  const Word either = a ^ b;
  high = (a & b) | (low & either);
  low ^= either;
}

}  // namespace
}  // namespace pruning_ext
