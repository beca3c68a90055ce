// 3. Counts as products of bytes: the indicators of 16 bins and 32 samples are an operand of the INT8 tensor cores
// (mma.m16n8k32 .u8, exact in int32), made in registers from packed codes. A nibble of four bits is what PRMT takes to
// select a byte: with a table of eight bytes, 1 at byte g and 0 elsewhere, one instruction makes the indicators of bin
// g for four codes, since a set fourth bit asks for the sign of the byte, which is 0; with that bit flipped the same
// table serves bin g + 8. Three operations and four PRMT for the 16 x 32 operand of a tile of one row.
//
// It reads half a byte for each code, where planes are two, and needs no workspace but the packed codes. Beside that it
// does 256 multiply-adds for a pair-sample, of which an H100's datasheet promises 1e15 a second by wgmma, and about 0.6
// of it is what mma usually reaches: 2.4e12 pair-samples a second, against 1.8e13 of the binary tensor cores. A warp's
// k-step of 32 samples is 56 operations of the integer pipes, 112 clocks, beside 32 IMMA of 4 to 6 clocks: the tensor
// cores are predicted to be the limit. So this is the way to count where the binary ones are emulated (sm_100 on).
//
// Machine code for sm_90: the loop over 64 samples holds 64 PRMT, 32 SHF, 16 LOP3 and 64 IMMA.16832.U8.U8 for 8
// LDG.E.64 (16 with at most 8 bins, and no LOP3); no loads or stores of local memory.
//
// Code 0 in the padding beyond the last sample is counted in cell (0, 0), and taken off at the end.
#include "mi/cuda/pair_tiles.cuh"

namespace pruning_ext::mi {
namespace {

// c += A B; a lane's share of each, as PTX lays them out.
__device__ inline void multiply(int (&c)[4], const Fragment& a, std::uint32_t b0, std::uint32_t b1) {
#if defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b0), "r"(b1));
#elif defined(PRUNING_EXT_EMULATED)
  emulation::mma_u8(c, a, b0, b1);
#endif
}

// Byte i is byte (nibble i of the selector) of high:low, or its sign where the nibble's upper bit is set. The
// selector's upper half is not looked at. __byte_perm() would clear those bits first.
__device__ inline std::uint32_t select_bytes(std::uint32_t low, std::uint32_t high, std::uint32_t selector) {
#if defined(__CUDA_ARCH__)
  std::uint32_t bytes;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(bytes) : "r"(low), "r"(high), "r"(selector));
  return bytes;
#elif defined(PRUNING_EXT_EMULATED)
  return emulation::prmt(low, high, selector);
#endif
}

// How a lane sees its bins: group g of four lanes has bin g of eight.
template <int kBins>
struct OneHot {
  static constexpr int kRows = kBins == 8 ? 2 : 1;  // to a tile
  static constexpr int kWords = 2;                  // to a load; a k-step each. With 4, sm_100 runs out of registers
  struct alignas(4 * kWords) Load {
    std::uint32_t words[kWords];
  };
  using Tile = Load[kRows];

  std::uint32_t low, high;

  __device__ explicit OneHot(unsigned group)
      : low(group < 4 ? 1u << (8 * group) : 0), high(group < 4 ? 0 : 1u << (8 * (group - 4))) {}

  // The indicators of 16 bins of 8 samples of one row, or of 8 bins of two rows.
  __device__ Fragment fragment(const Tile& tile, int step) const {
    const std::uint32_t upper = tile[0].words[step];
    const std::uint32_t lower = kRows == 1 ? upper ^ 0x88888888u : tile[kRows - 1].words[step];
    return {{select_bytes(low, high, upper), select_bytes(low, high, lower), select_bytes(low, high, upper >> 16),
             select_bytes(low, high, lower >> 16)}};
  }
};

template <int kBins>
__global__ void __launch_bounds__(kTileThreads, 1)
    one_hot_kernel(const __grid_constant__ PairJob job, std::int64_t first_tile, std::int64_t past_tile) {
  using Hot = OneHot<kBins>;
  using Load = typename Hot::Load;
  const Hot hot(lane_index() / 4);
  const std::int64_t samples = job.pairs.x.samples;
  const std::int64_t loads = steps_of(samples) * (kStep / 8 / Hot::kWords);  // of a row, a multiple of 4
  const auto count = [&](TileCounts& c, std::int64_t x_tile, std::int64_t y_tile) {
    const Load* const x = reinterpret_cast<const Load*>(job.x_packed) + x_tile * Hot::kRows * loads;
    const Load* const y = reinterpret_cast<const Load*>(job.y_packed) + y_tile * Hot::kRows * loads;
#pragma unroll 1
    for (std::int64_t at = lane_index() % 4; at < loads; at += 4) {
      typename Hot::Tile x_codes[kTiles], y_codes[kTiles];
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
#pragma unroll
        for (int r = 0; r < Hot::kRows; ++r) {
          x_codes[m][r] = x[(m * Hot::kRows + r) * loads + at];
          y_codes[m][r] = y[(m * Hot::kRows + r) * loads + at];
        }
      }
#pragma unroll
      for (int step = 0; step < Hot::kWords; ++step) {
        Fragment a[kTiles];
#pragma unroll
        for (int m = 0; m < kTiles; ++m) a[m] = hot.fragment(x_codes[m], step);
#pragma unroll
        for (int n = 0; n < kTiles; ++n) {
          const Fragment b = hot.fragment(y_codes[n], step);
#pragma unroll
          for (int m = 0; m < kTiles; ++m) {
            multiply(c[m][2 * n], a[m], b.words[0], b.words[2]);
            multiply(c[m][2 * n + 1], a[m], b.words[1], b.words[3]);
          }
        }
      }
    }
  };
  for_each_tile<kBins>(job, first_tile, past_tile, static_cast<int>(steps_of(samples) * kStep - samples), count);
}

}  // namespace

cudaError_t launch_one_hot(const PairJob& job, const CudaContext& context) {
  return padded_bins(job.pairs.bins) == 8 ? launch_tiles<8>(one_hot_kernel<8>, job, context)
                                          : launch_tiles<16>(one_hot_kernel<16>, job, context);
}

}  // namespace pruning_ext::mi
