// 5. As slices, with the products done by groups of four warps (wgmma, sm_90a alone), whose operands are planes in
// shared memory: bits of codes come from memory, half a byte a code, and planes are made of them on the chip, once for
// a block instead of once for a warp.
//
// A block, one to a multiprocessor, counts the pairs of 8 columns with 16, a slab of 1024 samples after the other:
//
//   1 warp loads      the codes' bits of two slabs ahead, 12 KB each, by asynchronous copies: 24 a slab. Only this
//                     warp waits for them: the builders' fence (a MEMBAR) would wait for loads to registers
//   3 warps build     planes of 8 columns each, into a ring of four stages of 48 KB. A lane takes 4 x 32 samples of a
//                     column: 20 LOP3 for the 16 planes of 32 samples, a store of 16 bytes for each plane of 128
//   2 groups count    [64, 256] accumulators each, 128 registers a thread: 4 products a slab, issued while the last
//                     slab's are done. Their threads take the registers that the others give back (setmaxnreg): 168 at
//                     first, for wgmma compiles with no less than 154
//
// A stage is [24 columns][16 planes][128 bytes], swizzled as wgmma reads it (wgmma.cuh): eight lanes that store at a
// time differ in the 16 bytes of a row that they have, so the swizzle also keeps them in distinct banks. Barriers:
// loaded and taken between the first two, full and empty between the last.
//
// What limits it, in clocks of a multiprocessor for the 2 x 4 products of a slab, if binary products are eight times
// as fast as INT8's datasheet rate (32,768 a clock; 7.6e15 a second on 132 multiprocessors at 1.755 GHz):
//
//   tensor cores    8 x 128 = 1024
//   shared memory   at 128 bytes a clock: operands 8 x (2 + 8) KB, 640; planes stored, 48 KB, 384; bits of codes
//                   stored and loaded, 24 KB, 192; in all 1216
//   a builder       295 instructions, 160 of them LOP3 that take two clocks: 460, beside the counting groups' own 50
//   second level    12 KB: 10 bytes a clock, 2.3 TB/s of about 5.5
//
// so shared memory is predicted to be the limit: 8192 x 65,536 codes of 16 bins are 5.6e14 bit products, 74 ms of
// tensor cores and 88 ms of shared memory. Look-ups of terms add a tenth: 128 for each of 8 warps, about seven lines
// of the first-level cache each, 7000 clocks beside a tile's 78,000. 97 ms in all, where the 225 cells that must be
// counted of each pair's 256 are 65 ms at the tensor cores' peak: two thirds of the floor. A third group of warps (12
// columns with 16) would need 1136 clocks of shared memory a slab, but four groups have 128 registers at first.
//
// The blocks that run at a time are to share columns, or the main memory would be the limit: they take 16 tiles along
// x, then the next along y (TileWalk), 260 columns for 132 blocks, 9 MB.
//
// Machine code for sm_90a: counting, 4 BGMMA.64x256x256.AND.POPC between one WARPGROUP.ARRIVE and one DEPBAR, so they
// are not serialised; building, 8 LDS.128 and 32 STS.128; loading, 24 LDGSTS.E.BYPASS.128; nothing in local memory.
//
// Code 0 in the padding beyond the last sample, up to a whole slab, is counted in cell (0, 0), and taken off at the
// end. For 9 to 16 bins.
#include "mi/cuda/bit_slices.cuh"
#include "mi/cuda/pair_tiles.cuh"
#include "mi/cuda/tile_walk.cuh"
#include "mi/cuda/wgmma.cuh"

namespace pruning_ext::mi {
namespace {

constexpr int kXColumns = 8, kYColumns = 16, kColumns = kXColumns + kYColumns;  // of a tile
constexpr int kPlanes = 16;                                                     // of a column
constexpr int kPieces = 8;                 // of 16 bytes, to a plane's row of a stage
constexpr int kSlab = kPieces * 128;       // samples
constexpr int kSlabChunks = kSlab / 32;    // of a column
constexpr int kStages = 4, kLoadings = 2;  // slabs of planes, and of codes, on the chip
constexpr int kCounters = 8, kBuilders = 3, kWarps = kCounters + 1 + kBuilders;
constexpr int kBuilderColumns = kColumns / kBuilders;         // at once kWarp / kPieces of them
constexpr int kCounterRegisters = 208, kOtherRegisters = 88;  // of 168 that a thread starts with
using Walk = TileWalk<kXColumns, kYColumns, 16>;

struct alignas(16) Piece {  // 128 samples of a plane
  std::uint32_t words[4];
};

struct Stage {
  Piece rows[kColumns * kPlanes][kPieces];  // swizzled
};
struct Loading {
  Chunk<4> chunks[kColumns][kSlabChunks];
};
struct Shared {
  Stage stages[kStages];
  Loading loadings[kLoadings];
  Barrier full[kStages], empty[kStages], loaded[kLoadings], taken[kLoadings];
};
constexpr int kStageAlignment = 1024;
constexpr std::int64_t kSharedBytes = sizeof(Shared) + kStageAlignment - 16;  // the memory is aligned to 16 bytes
static_assert(kBlockTilesY % kYColumns == 0 && kYColumns % kXColumns == 0);   // packed rows are whole tiles
static_assert(sizeof(Stage) % kStageAlignment == 0 && kSharedBytes <= 227 * 1024);

__device__ inline std::int64_t row_chunks_of(const PairJob& job) {
  return steps_of(job.pairs.x.samples) * (kStep / 32);
}

// The warp that loads: a lane for each chunk of a column's slab.
__device__ void load(const PairJob& job, Walk walk, int slabs, Shared* shared) {
  const int lane = static_cast<int>(lane_index());
  const std::int64_t row_chunks = row_chunks_of(job);
  const Chunk<4>* const x = reinterpret_cast<const Chunk<4>*>(job.x_packed) + lane;
  const Chunk<4>* const y = reinterpret_cast<const Chunk<4>*>(job.y_packed) + lane;
  Turn<kLoadings> turn;
  for (; !walk.ends(); walk.next()) {
#pragma unroll 1
    for (int slab = 0; slab < slabs; ++slab, ++turn.count) {
      const std::int64_t first = std::int64_t{slab} * kSlabChunks;
      const bool any = first + lane < row_chunks;  // code 0 where there is none
      // Reads nothing there, but the address is to be one of the row's.
      const std::int64_t chunk = any ? first : row_chunks - 1 - lane;
      shared->taken[turn.place()].wait(turn.parity() ^ 1);  // the first time nothing is there
      Loading& to = shared->loadings[turn.place()];
      const Chunk<4>* from = x + walk.x() * row_chunks + chunk;
#pragma unroll
      for (int i = 0; i < kXColumns; ++i, from += row_chunks) copy_async(&to.chunks[i][lane], from, any);
      from = y + walk.y() * row_chunks + chunk;
#pragma unroll
      for (int i = kXColumns; i < kColumns; ++i, from += row_chunks) copy_async(&to.chunks[i][lane], from, any);
      shared->loaded[turn.place()].arrive_after_copies();
    }
  }
  // PTX does not define what happens to asynchronous copies of an exited thread, so the loader waits for the builders.
  for (int i = 0; i < kLoadings; ++i, ++turn.count) shared->taken[turn.place()].wait(turn.parity() ^ 1);
}

// The 16 planes of four chunks, from row `first` of the stage on: the lane's piece of each.
__device__ inline void store_planes(const Chunk<4> (&slices)[4], Stage* stage, int first) {
  const int piece = static_cast<int>(lane_index()) % kPieces;
#pragma unroll
  for (int high = 0; high < 4; ++high) {
    std::uint32_t upper[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      upper[i] =
          (high & 2 ? slices[i].words[3] : ~slices[i].words[3]) & (high & 1 ? slices[i].words[2] : ~slices[i].words[2]);
#pragma unroll
    for (int low = 0; low < 4; ++low) {
      Piece plane;
#pragma unroll
      for (int i = 0; i < 4; ++i)
        plane.words[i] = upper[i] & (low & 2 ? slices[i].words[1] : ~slices[i].words[1]) &
                         (low & 1 ? slices[i].words[0] : ~slices[i].words[0]);
      const int bin = 4 * high + low;
      store_for_tensor_cores(&stage->rows[first + bin][piece ^ bin % 8], plane);
    }
  }
}

// A builder's columns of every slab: four of them at a time, eight lanes to each.
__device__ void build(Walk walk, int slabs, Shared* shared) {
  constexpr int kAtOnce = kWarp / kPieces, kTimes = kBuilderColumns / kAtOnce;
  const int lane = static_cast<int>(lane_index()), builder = static_cast<int>(warp_index()) - kCounters - 1;
  const int column = builder * kBuilderColumns + lane / kPieces;
  Turn<kStages> turn;
  Turn<kLoadings> loading;
  for (; !walk.ends(); walk.next()) {
#pragma unroll 1
    for (int slab = 0; slab < slabs; ++slab, ++turn.count, ++loading.count) {
      shared->loaded[loading.place()].wait(loading.parity());
      const Loading& from = shared->loadings[loading.place()];
      Chunk<4> slices[kTimes][4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int chunk = i * kPieces + lane % kPieces;  // so that eight lanes read 128 bytes
#pragma unroll
        for (int time = 0; time < kTimes; ++time) {
          slices[time][i] = from.chunks[column + time * kAtOnce][chunk];
        }
      }
      __syncwarp();
      if (lane == 0) shared->taken[loading.place()].arrive();
      shared->empty[turn.place()].wait(turn.parity() ^ 1);  // the first time it is unused
#pragma unroll
      for (int time = 0; time < kTimes; ++time)
        store_planes(slices[time], &shared->stages[turn.place()], (column + time * kAtOnce) * kPlanes);
      show_stores();
      __syncwarp();
      if (lane == 0) shared->full[turn.place()].arrive();
    }
  }
}

// One of two values, plus the same one of the lane that has the other: of b where the lane's bit kOffset is set.
template <int kOffset, typename T>
__device__ inline T halves(T a, T b) {
  const bool upper = (lane_index() & kOffset) != 0;
  return (upper ? b : a) + __shfl_xor_sync(kAllLanes, upper ? a : b, kOffset);
}

// The sums over eight lanes of eight values: of value i in lanes i, i + 8, ...
template <typename T>
__device__ inline T sums_of_eight(const T (&values)[8]) {
  T fours[4], twos[2];
#pragma unroll
  for (int i = 0; i < 4; ++i) fours[i] = halves<4>(values[i], values[i + 4]);
#pragma unroll
  for (int i = 0; i < 2; ++i) twos[i] = halves<2>(fours[i], fours[i + 2]);
  return halves<1>(twos[0], twos[1]);
}

// A lane's 8 cells of a table.
__device__ inline Margin cells_of(const PairJob& job, const int* counts, int excess) {
  Margin cells{0, 0};
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const int count = counts[r] - (r == 0 && lane_index() == 0 ? excess : 0);
    cells.sum += job.terms[count];
    cells.occupied += count != 0;
  }
  return cells;
}

// A warp's 16 rows are one column of x: 16 x 16 cells with each of the 16 columns of y. Lane i has pair i in the end.
__device__ void finish(const PairJob& job, const int (&c)[kAccumulators], std::int64_t x, std::int64_t y, int excess) {
  const std::int64_t partners = partners_of(job);
  long long sums[8] = {};
  unsigned occupied[8] = {};  // of two tables, 16 bits each
#pragma unroll
  for (int n = 0; n < 8; ++n) {
    // Also keeps the loads of one table from being issued with those of all, for whose addresses there is no room.
    if (y + n >= partners) break;
    const Margin a = cells_of(job, c + 8 * n, excess), b = cells_of(job, c + 8 * (n + 8), excess);
    sums[n] = halves<8>(static_cast<long long>(a.sum), static_cast<long long>(b.sum));
    occupied[n] = static_cast<unsigned>(a.occupied | b.occupied << 16);
  }
  long long sum = sums_of_eight(sums);
  sum += __shfl_xor_sync(kAllLanes, sum, 16);
  unsigned both = sums_of_eight(occupied);
  both += __shfl_xor_sync(kAllLanes, both, 8);
  both += __shfl_xor_sync(kAllLanes, both, 16);
  const Margin joint{sum, static_cast<std::int32_t>(lane_index() & 8 ? both >> 16 : both & 0xffff)};
  const std::int64_t i = x - job.first_row, j = y + lane_index() % kYColumns;
  if (lane_index() < kYColumns && i >= 0 && i < job.rows && j < partners && (!job.mirror || j >= i))
    store_information(job, i, j, joint);
}

// A group of warps: its four columns of x with the tile's of y.
__device__ void count_pairs(const PairJob& job, Walk walk, int slabs, Shared* shared) {
  const int warp = static_cast<int>(warp_index());
  const int excess = slabs * kSlab - static_cast<int>(job.pairs.x.samples);
  // The planes of the group's four columns, and of the tile's others.
  const std::uint64_t a = swizzled_rows(shared_address(shared->stages[0].rows[warp / 4 * 4 * kPlanes]));
  const std::uint64_t b = swizzled_rows(shared_address(shared->stages[0].rows[kXColumns * kPlanes]));
  Turn<kStages> turn;
  for (; !walk.ends(); walk.next()) {
    int c[kAccumulators] = {};
    std::uint32_t before = 0;
#pragma unroll 1
    for (int slab = 0; slab < slabs; ++slab, ++turn.count) {
      const std::uint32_t stage = turn.place();
      shared->full[stage].wait(turn.parity());
      begin_products();
#pragma unroll
      for (int step = 0; step < kSlab / kStep; ++step) {
        const std::uint64_t at = stage * (sizeof(Stage) / 16) + step * kNextStep;
        multiply_bits_async(c, a + at, b + at);
      }
      commit_products();
      await_products<1>();
      if (slab > 0 && lane_index() == 0) shared->empty[before].arrive();
      before = stage;
    }
    await_products<0>();
    pin(c);
    if (lane_index() == 0) shared->empty[before].arrive();
    finish(job, c, walk.x() + warp, walk.y(), excess);
  }
}

__global__ void __launch_bounds__(kWarps* kWarp, 1)
    wgmma_kernel(const __grid_constant__ PairJob job, std::int64_t first_column, std::int64_t past_column) {
  PRUNING_EXT_DYNAMIC_SHARED(memory);
  Shared* const shared = reinterpret_cast<Shared*>(memory + (0 - shared_address(memory)) % kStageAlignment);
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      shared->full[stage].expect(kBuilders);
      shared->empty[stage].expect(kCounters);
    }
    for (int loading = 0; loading < kLoadings; ++loading) {
      shared->loaded[loading].expect(kWarp);
      shared->taken[loading].expect(kBuilders);
    }
    fence_barriers();
  }
  __syncthreads();
  const Walk walk(job, first_column, past_column);
  const int slabs = static_cast<int>((job.pairs.x.samples + kSlab - 1) / kSlab);
  if (warp_index() < kCounters) {
    take_registers<kCounterRegisters>();
    count_pairs(job, walk, slabs, shared);
  } else {
    give_registers_back<kOtherRegisters>();
    if (warp_index() > kCounters) {
      build(walk, slabs, shared);
    } else {
      load(job, walk, slabs, shared);
    }
  }
}

}  // namespace

cudaError_t launch_wgmma(const PairJob& job, const CudaContext& context) {
  const std::int64_t first = job.first_row / kXColumns * kXColumns, past = job.first_row + job.rows;
  const std::int64_t tiles =
      (past - first + kXColumns - 1) / kXColumns * ((job.pairs.partners().rows + kYColumns - 1) / kYColumns);
  return launch(wgmma_kernel, blocks_for(std::min<std::int64_t>(tiles, context.multiprocessors)), kWarps * kWarp,
                kSharedBytes, context.stream, job, first, past);
}

}  // namespace pruning_ext::mi
