// 2. Counts as products of bits: with a plane of T bits for each bin of each row, the count of cell (a, b) is
// popcount(plane_x[a] AND plane_y[b]), a matrix product that the binary tensor cores do 16 x 8 x 256 at a time
// (mma.m16n8k256 .b1 .and.popc; native on sm_80 and sm_90, emulated by the compiler from sm_100 on). With 16 bins a row
// of codes is one tile of 16 planes; 8 bins make two rows a tile, 32 bins a row two tiles. All bins are counted, so
// that tables align with tiles: 16/15 squared of the work that leaving out the last one would cost.
//
// Planes lie in memory as the fragments that a lane feeds to the instruction: [tiles][T / 256][32 lanes][4 words]. One
// 16-byte load is a lane's share of A for 16 planes, and the same words are its share of B for two tiles of 8.
//
// A warp keeps 4 x 4 tiles (64 x 64 planes) in 128 registers and loads 4 KB for each 32 instructions; four warps of a
// block are neighbours, so that the first-level cache serves half of that. Counts become information in registers and
// never go to memory. Machine code for sm_90: the loop is 8 LDG.E.128 and 32 BMMA.168256.AND.POPC, 194 to 202
// registers, two blocks to a multiprocessor. Staging the fragments by asynchronous copies is the next step to try.
#include "common/block.cuh"
#include "mi/pair_epilogue.cuh"

namespace pruning_ext::mi {
namespace {

constexpr int kThreads = 128;
constexpr int kTiles = 4;       // of 16 planes, to a side of a warp's share
constexpr int kBlockTiles = 8;  // to a side of a block's

__host__ __device__ constexpr int padded_bins(std::int64_t bins) { return bins <= 8 ? 8 : bins <= 16 ? 16 : 32; }
__host__ __device__ constexpr std::int64_t steps_of(std::int64_t samples) { return (samples + 255) / 256; }
std::int64_t tiles_of(std::int64_t rows, std::int64_t bins) {
  const std::int64_t tiles = (rows * padded_bins(bins) + 15) / 16;
  return (tiles + kBlockTiles - 1) / kBlockTiles * kBlockTiles;  // whole blocks, the rest zeros
}

struct alignas(16) Fragment {
  std::uint32_t words[4];
};

// c += A AND B, popcount over 256 bits; a lane's share of each, as PTX lays them out.
__device__ inline void multiply(int (&c)[4], const Fragment& a, std::uint32_t b0, std::uint32_t b1) {
#if defined(__CUDA_ARCH__)
  asm("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a.words[0]), "r"(a.words[1]), "r"(a.words[2]), "r"(a.words[3]), "r"(b0), "r"(b1));
#elif defined(PRUNING_EXT_EMULATED)
  emulation::mma_and_popc(c, a, b0, b1);
#endif
}

// Word `word` of a plane: bit t says whether sample 32 word + t is in bin `bin` of row `row`.
__device__ std::uint32_t plane_word(const Codes& codes, std::int64_t row, int bin, std::int64_t word) {
  std::uint32_t bits = 0;
  if (row >= codes.rows) return 0;
  const std::int64_t first = word * 32, past = min(first + 32, codes.samples);
  for (std::int64_t t = first; t < past; ++t) {
    bits |= static_cast<std::uint32_t>(codes.data[row * codes.row_stride + t * codes.sample_stride] == bin)
            << (t - first);
  }
  return bits;
}

// A warp for each fragment; blocks: tiles x steps.
template <int kBins>
__global__ void __launch_bounds__(kThreads, 2) pack_kernel(Codes codes, Fragment* planes) {
  const std::int64_t steps = steps_of(codes.samples), tile = blockIdx.x;
  const unsigned group = lane_index() / 4, member = lane_index() % 4;
  for (std::int64_t step = blockIdx.y * warp_count() + warp_index(); step < steps; step += gridDim.y * warp_count()) {
    Fragment fragment;
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      const std::int64_t plane = tile * 16 + group + 8 * (w % 2);
      fragment.words[w] =
          plane_word(codes, plane / kBins, static_cast<int>(plane % kBins), step * 8 + member + 4 * (w / 2));
    }
    planes[(tile * steps + step) * kWarp + lane_index()] = fragment;
  }
}

// One copy of the formula, not one for each of the unrolled pairs.
__device__ __noinline__ void store_outside(const PairJob& job, std::int64_t i, std::int64_t j, Margin joint) {
  store_information(job, i, j, joint);
}

// The pair whose table has its corner in tiles (m, 2 n) of c; the tables of kBins <= 16 lie in registers [first, last)
// of c[m][n] and its neighbours.
template <int kBins>
__device__ void finish_tiles(const PairJob& job, const int (&c)[kTiles][2 * kTiles][4], std::int64_t x_tile,
                             std::int64_t y_tile) {
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
        const auto add = [&](int count) {
          sum += job.terms[count];  // always there (mi_cuda.cu): a logarithm here would be unrolled 128 times
          occupied += count != 0;
        };
#pragma unroll
        for (int mm = 0; mm < kSpan; ++mm) {
#pragma unroll
          for (int nn = 0; nn < 2 * kSpan; ++nn) {
#pragma unroll
            for (int r = 0; r < 4; ++r) {
              // Registers 0 and 1 are the upper eight planes of the tile, 2 and 3 the lower.
              if (kBins == 8 && (r / 2 != upper || nn != right)) continue;
              add(c[m + mm][2 * n + nn][r]);
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

// Blocks: tiles of y x tiles of x, kBlockTiles each. `first_tile` is the x tile of first_row.
template <int kBins>
__global__ void __launch_bounds__(kThreads, 2)
    planes_kernel(const __grid_constant__ PairJob job, std::int64_t first_tile, std::int64_t past_tile) {
  const std::int64_t steps = steps_of(job.pairs.x.samples);
  const std::int64_t y_tile = std::int64_t{blockIdx.x} * kBlockTiles + warp_index() % 2 * kTiles;
  for (std::int64_t block = first_tile + std::int64_t{blockIdx.y} * kBlockTiles; block < past_tile;
       block += std::int64_t{gridDim.y} * kBlockTiles) {
    if (job.mirror && blockIdx.x * std::int64_t{kBlockTiles} < block) continue;  // below the diagonal
    const std::int64_t x_tile = block + warp_index() / 2 * kTiles;
    const Fragment* x = reinterpret_cast<const Fragment*>(job.x_planes) + x_tile * steps * kWarp + lane_index();
    const Fragment* y = reinterpret_cast<const Fragment*>(job.y_planes) + y_tile * steps * kWarp + lane_index();
    int c[kTiles][2 * kTiles][4] = {};
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
        for (int n = 0; n < kTiles; ++n) {
          multiply(c[m][2 * n], a[m], b[n].words[0], b[n].words[2]);
          multiply(c[m][2 * n + 1], a[m], b[n].words[1], b[n].words[3]);
        }
      }
    }
    finish_tiles<kBins>(job, c, x_tile, y_tile);
  }
}

template <int kBins>
cudaError_t launch_bins(const PairJob& job, const CudaContext& context) {
  const std::int64_t y_tiles = tiles_of(job.pairs.partners().rows, job.pairs.bins);
  const std::int64_t first = job.first_row * kBins / 16 / kBlockTiles * kBlockTiles;
  const std::int64_t past = ((job.first_row + job.rows) * kBins + 15) / 16;
  const dim3 blocks = blocks_for(y_tiles / kBlockTiles, (past - first + kBlockTiles - 1) / kBlockTiles);
  return launch(planes_kernel<kBins>, blocks, kThreads, 0, context.stream, job, first, past);
}

}  // namespace

std::int64_t plane_words(const Codes& codes, std::int64_t bins) {
  return tiles_of(codes.rows, bins) * steps_of(codes.samples) * kWarp * 4;
}

cudaError_t launch_pack(const Codes& codes, std::int64_t bins, std::uint32_t* planes, const CudaContext& context) {
  const dim3 blocks = blocks_for(tiles_of(codes.rows, bins), (steps_of(codes.samples) + 3) / 4);
  Fragment* const fragments = reinterpret_cast<Fragment*>(planes);
  const auto kernel = padded_bins(bins) == 8    ? pack_kernel<8>
                      : padded_bins(bins) == 16 ? pack_kernel<16>
                                                : pack_kernel<32>;
  return launch(kernel, blocks, kThreads, 0, context.stream, codes, fragments);
}

cudaError_t launch_planes(const PairJob& job, const CudaContext& context) {
  switch (padded_bins(job.pairs.bins)) {
    case 8: return launch_bins<8>(job, context);
    case 16: return launch_bins<16>(job, context);
    default: return launch_bins<32>(job, context);
  }
}

}  // namespace pruning_ext::mi
