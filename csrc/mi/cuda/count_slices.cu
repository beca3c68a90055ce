// 4. As planes, with the planes made in registers: what lies in memory is the bits of the codes (bit_slices.cuh), half
// a byte a code where planes are two, and a lane makes its two planes of 32 samples from four slices by five
// operations. Packed codes are transposed where they are, once.
//
// A warp's step of 256 samples is 80 operations of the integer pipes, 160 clocks, beside 32 BMMA of 6 to 7, about 210:
// the tensor cores are predicted to be the limit, where planes wait for the second-level cache (count_planes.cu).
// Machine code for sm_90: the loop is 16 LDG.E.128, 80 LOP3 and 32 BMMA.168256.AND.POPC; 226 registers, nothing in
// local memory.
//
// For 9 to 16 bins: of fewer a tile has two rows, and their slices are more than the registers hold.
//
// Code 0 in the padding beyond the last sample is counted in cell (0, 0), and taken off at the end.
#include "mi/cuda/bit_multiply.cuh"
#include "mi/cuda/bit_slices.cuh"

namespace pruning_ext::mi {
namespace {

constexpr int kTransposeThreads = 256;

__global__ void __launch_bounds__(kTransposeThreads, 2) transpose_kernel(Chunk<4>* codes, std::int64_t chunks) {
  for (std::int64_t i = std::int64_t{blockIdx.x} * kTransposeThreads + threadIdx.x; i < chunks;
       i += std::int64_t{gridDim.x} * kTransposeThreads)
    codes[i] = transposed(codes[i]);
}

// Masks by which a lane of group g flips slices: bit j of g, shared by its neighbour g + 8.
struct Flips {
  std::uint32_t of[3];
  __device__ explicit Flips(unsigned group) {
#pragma unroll
    for (int j = 0; j < 3; ++j) of[j] = (group >> j & 1) - 1;
  }
  __device__ std::uint32_t plane(const Chunk<4>& slices) const {
    return (slices.words[0] ^ of[0]) & (slices.words[1] ^ of[1]) & (slices.words[2] ^ of[2]);
  }
};

// 16 planes of the two chunks at `row`.
__device__ inline Fragment fragment(const Flips& flips, const Chunk<4>* row) {
  Fragment planes;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const Chunk<4> slices = row[i];
    const std::uint32_t plane = flips.plane(slices);
    planes.words[2 * i] = plane & ~slices.words[3];
    planes.words[2 * i + 1] = plane & slices.words[3];
  }
  return planes;
}

__global__ void __launch_bounds__(kTileThreads, 1)
    slices_kernel(const __grid_constant__ PairJob job, std::int64_t first_tile, std::int64_t past_tile) {
  const Flips flips(lane_index() / 4);
  const std::int64_t samples = job.pairs.x.samples, row_chunks = steps_of(samples) * (kStep / 32);
  const auto count = [&](TileCounts& c, std::int64_t x_tile, std::int64_t y_tile) {
    const Chunk<4>* const x = reinterpret_cast<const Chunk<4>*>(job.x_packed) + x_tile * row_chunks;
    const Chunk<4>* const y = reinterpret_cast<const Chunk<4>*>(job.y_packed) + y_tile * row_chunks;
#pragma unroll 1
    for (std::int64_t at = lane_index() % 4 * 2; at < row_chunks; at += kStep / 32) {
      Fragment a[kTiles];
#pragma unroll
      for (int m = 0; m < kTiles; ++m) a[m] = fragment(flips, x + m * row_chunks + at);
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        const Fragment b = fragment(flips, y + n * row_chunks + at);
#pragma unroll
        for (int m = 0; m < kTiles; ++m) multiply_bits(c[m][2 * n], c[m][2 * n + 1], a[m], b);
      }
    }
  };
  for_each_tile<16>(job, first_tile, past_tile, static_cast<int>(steps_of(samples) * kStep - samples), count);
}

}  // namespace

cudaError_t launch_transpose(const PackedCodes& packed, std::int64_t bins, const CudaContext& context) {
  const std::int64_t chunks = packed_words(packed.rows, packed.samples, bins) / 4;
  return launch(transpose_kernel, blocks_for((chunks + kTransposeThreads - 1) / kTransposeThreads), kTransposeThreads,
                0, context.stream, reinterpret_cast<Chunk<4>*>(packed.words), chunks);
}

cudaError_t launch_slices(const PairJob& job, const CudaContext& context) {
  return launch_tiles<16>(slices_kernel, job, context);
}

}  // namespace pruning_ext::mi
