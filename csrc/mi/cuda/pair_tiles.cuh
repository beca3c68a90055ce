// Pairs of rows on the tensor cores, whatever their operands are made of (bits or bytes): rows of codes become tiles of
// 16 indicators (16 bins a tile; 8 bins make two rows a tile, 32 bins a row two tiles), and products of indicators are
// counts. All bins are counted, so that tables align with tiles: 16/15 squared of the work that leaving out the last
// one would cost.
//
// A warp keeps 4 x 4 tiles (64 x 64 cells) in 128 registers. Eight warps, 2 x 4, make a block: what their lanes load
// repeats, and the first-level cache serves two thirds of it. Counts become information in registers (finish_tiles) and
// never go to memory.
#pragma once

#include "common/block.cuh"
#include "mi/cuda/pair_epilogue.cuh"

namespace pruning_ext::mi {

constexpr int kTiles = 4;  // to a side of a warp's share
constexpr int kWarpsX = 2, kWarpsY = 4;
constexpr int kBlockTilesX = kWarpsX * kTiles, kBlockTilesY = kWarpsY * kTiles;
constexpr int kTileThreads = kWarpsX * kWarpsY * kWarp;
constexpr int kBand = 16;  // blocks of tiles along x before the next along y

using TileCounts = int[kTiles][2 * kTiles][4];  // [x tile][half of a y tile][as the instructions leave them]

__host__ __device__ constexpr int padded_bins(std::int64_t bins) { return bins <= 8 ? 8 : bins <= 16 ? 16 : 32; }
__host__ __device__ constexpr std::int64_t steps_of(std::int64_t samples) { return (samples + kStep - 1) / kStep; }

// Whole blocks either way.
inline std::int64_t tiles_of(std::int64_t rows, std::int64_t bins) {
  constexpr int most = kBlockTilesX > kBlockTilesY ? kBlockTilesX : kBlockTilesY;
  const std::int64_t tiles = (rows * padded_bins(bins) + 15) / 16;
  return (tiles + most - 1) / most * most;
}

// A lane's share of 16 indicators as operand A of an instruction; words 0 and 2 are its share of B for the first eight
// of them, 1 and 3 for the others.
struct alignas(16) Fragment {
  std::uint32_t words[4];
};

// One copy of the formula, not one for each of the unrolled pairs.
static __device__ __noinline__ void store_outside(const PairJob& job, std::int64_t i, std::int64_t j, Margin joint) {
  store_information(job, i, j, joint);
}

// `excess`: samples beyond the last that were counted all the same, each in cell (0, 0) of every table.
template <int kBins>
__device__ void finish_tiles(const PairJob& job, const TileCounts& c, std::int64_t x_tile, std::int64_t y_tile,
                             int excess) {
  const std::int64_t partners = job.pairs.symmetric ? job.pairs.x.rows : job.pairs.y.rows;
  // Tables to a tile's side, or tiles to a table's.
  constexpr int kPerTile = kBins == 8 ? 2 : 1, kSpan = kBins == 32 ? 2 : 1;
#pragma unroll
  for (int m = 0; m < kTiles; m += kSpan) {
#pragma unroll
    for (int n = 0; n < kTiles; n += kSpan) {
#pragma unroll
      for (int part = 0; part < kPerTile * kPerTile; ++part) {
        const int upper = part / kPerTile, right = part % kPerTile;
        long long sum = 0;
        int occupied = 0;
#pragma unroll
        for (int mm = 0; mm < kSpan; ++mm) {
#pragma unroll
          for (int nn = 0; nn < 2 * kSpan; ++nn) {
#pragma unroll
            for (int r = 0; r < 4; ++r) {
              // Registers 0 and 1 are the upper eight rows of the tile, 2 and 3 the lower.
              if (kBins == 8 && (r / 2 != upper || nn != right)) continue;
              const bool first = mm == 0 && nn == right && r == 2 * upper && lane_index() == 0;
              const int count = c[m + mm][2 * n + nn][r] - (first ? excess : 0);
              sum += job.terms[count];  // always there (mi_cuda.cu): a logarithm here would be unrolled 128 times
              occupied += count != 0;
            }
          }
        }
        const Margin joint{warp_reduce(sum, Add{}), warp_reduce(occupied, Add{})};
        const std::int64_t i = (x_tile + m) * 16 / kBins + upper - job.first_row;
        const std::int64_t j = (y_tile + n) * 16 / kBins + right;
        if (lane_index() == 0 && i >= 0 && i < job.rows && j < partners && (!job.mirror || j >= i))
          store_outside(job, i, j, joint);
      }
    }
  }
}

// count(c, x tile, y tile) adds the counts of a warp's tiles to c. `first_tile` is a whole block's, at or before
// first_row. Blocks: kBand along x, then partners, then bands. A launch starts its blocks in that order, so that the
// 132 of an H100 that run at a time have 16 x 8 tiles of rows and 9 x 16 of partners between them; along one row each
// would have partners of its own.
template <int kBins, typename Count>
__device__ void for_each_tile(const PairJob& job, std::int64_t first_tile, std::int64_t past_tile, int excess,
                              const Count& count) {
  const std::int64_t partners = job.pairs.symmetric ? job.pairs.x.rows : job.pairs.y.rows;
  for (std::int64_t block = first_tile + (std::int64_t{blockIdx.z} * kBand + blockIdx.x) * kBlockTilesX;
       block < past_tile; block += std::int64_t{gridDim.z} * kBand * kBlockTilesX) {
    const std::int64_t x_tile = block + warp_index() / kWarpsY * kTiles;
    for (std::int64_t y_block = std::int64_t{blockIdx.y} * kBlockTilesY; y_block * 16 < partners * kBins;
         y_block += std::int64_t{gridDim.y} * kBlockTilesY) {
      const std::int64_t y_tile = y_block + warp_index() % kWarpsY * kTiles;
      if (job.mirror && y_tile + kTiles <= x_tile) continue;  // below the diagonal
      TileCounts c = {};
      count(c, x_tile, y_tile);
      finish_tiles<kBins>(job, c, x_tile, y_tile, excess);
    }
  }
}

// Launches kernel(job, first tile, past tile) over all tiles of the job's rows and of their partners.
template <int kBins>
cudaError_t launch_tiles(void (*kernel)(PairJob, std::int64_t, std::int64_t), const PairJob& job,
                         const CudaContext& context) {
  const std::int64_t y_tiles = tiles_of(job.pairs.partners().rows, kBins);
  const std::int64_t first = job.first_row * kBins / 16 / kBlockTilesX * kBlockTilesX;
  const std::int64_t past = ((job.first_row + job.rows) * kBins + 15) / 16;
  const std::int64_t x_blocks = (past - first + kBlockTilesX - 1) / kBlockTilesX;
  const dim3 blocks =
      blocks_for(std::min<std::int64_t>(x_blocks, kBand), y_tiles / kBlockTilesY, (x_blocks + kBand - 1) / kBand);
  return launch(kernel, blocks, kTileThreads, 0, context.stream, job, first, past);
}

}  // namespace pruning_ext::mi
