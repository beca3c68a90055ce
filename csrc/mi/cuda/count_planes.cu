// 2. Counts as products of bits: with a plane of T bits for each bin of each row, the count of cell (a, b) is
// popcount(plane_x[a] AND plane_y[b]), a matrix product that the binary tensor cores do 16 x 8 x 256 at a time
// (mma.m16n8k256 .b1 .and.popc; native on sm_80 and sm_90, a call into emulation from sm_100 on).
//
// Planes lie in memory as the fragments that a lane feeds to the instruction: [tiles][T / 256][32 lanes][4 words]. One
// 16-byte load is a lane's share of A for 16 planes, and the same words are its share of B for two tiles of 8. They
// take 2 bytes for each code (4 with more than 16 bins) and are built from packed codes, 32 samples a load, by
// transposing bits: 32 operations for the slices of 32 codes, two for each plane of them. At 8192 x 65,536 codes of 16
// bins that is 0.27 GB read and 1.1 GB written, 0.45 ms at 3 TB/s, with arithmetic for several times as much.
//
// Counting takes 5.6e14 bit products there, 122 ms at 4.6e15 a second. A block's step is 24 fragments of 512 bytes from
// the second-level cache for 256 instructions: 0.8 TB in all, which at 5.5 TB/s is 150 ms. So the cache is predicted to
// be the limit, not the tensor cores; count_slices.cu trades that for arithmetic. Main memory is asked for 0.07 TB,
// since blocks that run at a time share columns (pair_tiles.cuh); 132 of them along one row of blocks would ask it for
// 0.55 TB, which at 3 TB/s is 180 ms.
//
// Machine code for sm_90: the loop is 8 LDG.E.128, 32 BMMA.168256.AND.POPC and 35 moves, since the two words of a B do
// not stand side by side in an A; nothing in local memory.
#include "mi/cuda/bit_multiply.cuh"
#include "mi/cuda/bit_slices.cuh"
#include "mi/cuda/pair_tiles.cuh"

namespace pruning_ext::mi {
namespace {

constexpr int kBuildThreads = 128;

// A thread for four lanes of 8 of one step's fragment: samples [64 member, 64 member + 64) of the step, all planes.
// Blocks: tiles x stretches of steps.
template <int kBins>
__global__ void __launch_bounds__(kBuildThreads, 4) build_kernel(PackedCodes packed, Fragment* planes) {
  constexpr int kBits = packed_bits(kBins), kRows = kBins == 8 ? 2 : 1;  // rows to a tile
  constexpr int kSlices = slices_of(kBits);
  const std::int64_t steps = steps_of(packed.samples), tile = blockIdx.x;
  const int member = static_cast<int>(threadIdx.x % 4);
  for (std::int64_t step = (std::int64_t{blockIdx.y} * kBuildThreads + threadIdx.x) / 4; step < steps;
       step += std::int64_t{gridDim.y} * (kBuildThreads / 4)) {
    Chunk<kBits> slices[kRows][2];
    std::uint32_t valid[2];
#pragma unroll
    for (int chunk = 0; chunk < 2; ++chunk) {
      valid[chunk] = first_samples<kBits>(packed.samples - step * kStep - member * 64 - chunk * 32);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const std::int64_t row = kBins == 32 ? tile / 2 : tile * kRows + r;
        const Chunk<kBits>* const at = reinterpret_cast<const Chunk<kBits>*>(packed.words + row * packed.row_words);
        slices[r][chunk] = transposed(at[(step * 4 + member) * 2 + chunk]);
      }
    }
    const unsigned first_bin = kBins == 32 ? tile % 2 * 16 : 0;
    Fragment* const lanes = planes + (tile * steps + step) * kWarp + member;
#pragma unroll
    for (unsigned group = 0; group < 8; ++group) {
      Fragment fragment;
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const int lower = w % 2, chunk = w / 2;
        const unsigned bin = first_bin + group + (kRows == 1 ? 8 * lower : 0);
        fragment.words[w] = plane_of<kSlices>(slices[kRows == 1 ? 0 : lower][chunk], bin) & valid[chunk];
      }
      lanes[group * 4] = fragment;
    }
  }
}

template <int kBins>
__global__ void __launch_bounds__(kTileThreads, 1)
    planes_kernel(const __grid_constant__ PairJob job, std::int64_t first_tile, std::int64_t past_tile) {
  const std::int64_t steps = steps_of(job.pairs.x.samples);
  const auto count = [&](TileCounts& c, std::int64_t x_tile, std::int64_t y_tile) {
    const Fragment* x = reinterpret_cast<const Fragment*>(job.x_planes) + x_tile * steps * kWarp + lane_index();
    const Fragment* y = reinterpret_cast<const Fragment*>(job.y_planes) + y_tile * steps * kWarp + lane_index();
#pragma unroll 1
    for (std::int64_t step = 0; step < steps; ++step) {
      Fragment a[kTiles], b[kTiles];
#pragma unroll
      for (int m = 0; m < kTiles; ++m) a[m] = x[(m * steps + step) * kWarp];
#pragma unroll
      for (int n = 0; n < kTiles; ++n) b[n] = y[(n * steps + step) * kWarp];
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
#pragma unroll
        for (int n = 0; n < kTiles; ++n) multiply_bits(c[m][2 * n], c[m][2 * n + 1], a[m], b[n]);
      }
    }
  };
  for_each_tile<kBins>(job, first_tile, past_tile, 0, count);
}

}  // namespace

std::int64_t plane_words(std::int64_t rows, std::int64_t samples, std::int64_t bins) {
  return tiles_of(rows, bins) * steps_of(samples) * kWarp * 4;
}

cudaError_t launch_build_planes(const PackedCodes& packed, std::int64_t bins, std::uint32_t* planes,
                                const CudaContext& context) {
  constexpr int steps_at_once = kBuildThreads / 4;
  const dim3 blocks =
      blocks_for(tiles_of(packed.rows, bins), (steps_of(packed.samples) + steps_at_once - 1) / steps_at_once);
  const auto kernel = padded_bins(bins) == 8    ? build_kernel<8>
                      : padded_bins(bins) == 16 ? build_kernel<16>
                                                : build_kernel<32>;
  return launch(kernel, blocks, kBuildThreads, 0, context.stream, packed, reinterpret_cast<Fragment*>(planes));
}

cudaError_t launch_planes(const PairJob& job, const CudaContext& context) {
  switch (padded_bins(job.pairs.bins)) {
    case 8: return launch_tiles<8>(planes_kernel<8>, job, context);
    case 16: return launch_tiles<16>(planes_kernel<16>, job, context);
    default: return launch_tiles<32>(planes_kernel<32>, job, context);
  }
}

}  // namespace pruning_ext::mi
