// The binary tensor cores' instruction.
#pragma once

#include "mi/cuda/pair_tiles.cuh"

namespace pruning_ext::mi {

// c += A AND B, popcount over 256 bits; a lane's share of each, as PTX lays them out.
__device__ inline void multiply_bits(int (&c)[4], const Fragment& a, std::uint32_t b0, std::uint32_t b1) {
#if defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b0), "r"(b1));
#elif defined(PRUNING_EXT_EMULATED)
  emulation::mma_and_popc(c, a, b0, b1);
#endif
}

// A tile of 16 planes with one of 16: both halves.
__device__ inline void multiply_bits(int (&left)[4], int (&right)[4], const Fragment& a, const Fragment& b) {
  multiply_bits(left, a, b.words[0], b.words[2]);
  multiply_bits(right, a, b.words[1], b.words[3]);
}

}  // namespace pruning_ext::mi
