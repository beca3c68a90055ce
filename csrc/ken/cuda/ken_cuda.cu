// KEN's row selection (ken_cpu.cpp says what; this is the same, step by step, for one row and one block):
//
//   load    the row [n], its range and standard deviation; keys are the bits of its values in their order
//   sort    radix sort of the row (block_sort.cuh)
//   order   densities at the k grid points through the lattice (kde/cuda/lattice.cuh); those within its error of a
//           half-integer are summed again by the definition, a warp for each; radix sort of the points by bucket
//   match   by one warp, 32 points at a time, or one after the other where distances round (matching.cuh); other
//           blocks of the multiprocessor sort meanwhile
//   write   the mask
//
// Shared memory, in bytes: 6 n for the sorted row, 2 k for the order of the points, and a scratch that the steps take
// in turn, 6 n while the row is sorted: 53 KB for n = 4096, k = 2048 (four blocks to a multiprocessor of an H100), 21
// KB for n = 768. What does not fit (n above 17,000 or so there), and float64, runs the same code over global memory, a
// few blocks for each multiprocessor.
//
// The lattice comes coarse; a row whose densities are too high for its error (a standard deviation below 1e-4 or so) is
// put on a list for a second launch with the fine one. No host decision lies between.
//
// Machine code for sm_90: 64 registers with the coarse lattice, no spills; MATCH.ANY in the sort and the matching, DFMA
// with operands from the constant bank in the lattice.
#include <cmath>

#include "ken/cuda/ken_cuda.h"
#include "ken/cuda/ken_layout.cuh"
#include "ken/cuda/matching.cuh"
#include "ken/cuda/row_steps.cuh"

namespace pruning_ext::ken {
namespace {

constexpr int kMostThreads = 512;

template <typename P>
__device__ void select(const KenJob<P>& job, std::int64_t r, const kde::LatticeConstants<typename P::Shape>& constants,
                       unsigned char* memory, kde::LatticeTile<typename P::Shape>& tile, FaultWord* fault) {
  using Key = typename P::Key;
  using Index = typename P::Index;
  const KenParams& params = job.params;
  const Layout<P>& layout = job.layout;
  const std::int64_t n = params.weight.cols;
  const auto mask = [&](std::int64_t i) -> unsigned char& {
    return reinterpret_cast<unsigned char*>(params.mask)[r * params.weight.cols + i];
  };
  __syncthreads();  // the memory is that of the row before
  const RowShape row = load_row(job, r, memory);
  if (!row.finite || params.k >= n || params.k == 0 || !(row.low < row.high)) {
    if (!row.finite && threadIdx.x == 0) report(fault, Fault::not_finite, r);
    // A constant row has no bandwidth; all its entries are ties of the first k.
    const bool all = row.finite && params.k > 0 && (params.keep_ties || params.k >= n);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) mask(i) = all || (row.finite && i < params.k);
    return;
  }
  if (P::kCoarse && !coarse_serves(kde::kInvSqrt2Pi / row.bandwidth)) {
    if (threadIdx.x == 0) job.list[atomicAdd(job.list_count, 1ull)] = r;
    return;
  }
  const Key* const keys = reinterpret_cast<const Key*>(memory + layout.keys);
  Index* const order = reinterpret_cast<Index*>(memory + layout.order);
  const unsigned k = static_cast<unsigned>(params.k);
  __shared__ GridPoints points;  // these two, not in the registers of every thread
  __shared__ RowScale scale;
  if (threadIdx.x == 0) {
    points = {row.low, row.high, kde::grid_step(row.low, row.high, k), k};
    scale = {row.bandwidth, kde::kInvSqrt2Pi / (row.bandwidth * static_cast<double>(n)),
             kde::kInvSqrt2Pi / row.bandwidth};
  }
  __syncthreads();
  sort_row(static_cast<unsigned>(n), layout, memory);
  order_points<P>({keys, static_cast<unsigned>(n)}, points, scale, constants, layout, memory, tile);
  const Index* const index = reinterpret_cast<const Index*>(memory + layout.index);
  const FreeEntries free{reinterpret_cast<std::uint32_t*>(memory + layout.free),
                         reinterpret_cast<std::uint32_t*>(memory + layout.summary), static_cast<int>(n)};
  using Earliest = EarliestFree<Index>;
  const Earliest earliest{index, free, reinterpret_cast<typename Earliest::Node*>(memory + layout.minima)};
  Index* const place = reinterpret_cast<Index*>(memory + layout.place);
  const MatchingState<Key, Index> state{keys, index, static_cast<int>(n), points, order, place, free, earliest};
  state.free.fill();
  if (job.matching == Matching::one_by_one) {
    match_one_by_one(state);
  } else {
    match_by_warp(state, job.matching == Matching::in_turn);
  }
  Index* const free_before = reinterpret_cast<Index*>(memory + layout.free_before);
  if constexpr (P::kShared) {
    unsigned char* const staged = memory + layout.mask;
    mark(state, free_before, params.keep_ties, staged);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) mask(i) = staged[i];
  } else {
    mark(state, free_before, params.keep_ties, &mask(0));
  }
}

template <typename P>
__global__ void __launch_bounds__(kMostThreads, P::kCoarse ? 2 : 1)
    ken_kernel(const __grid_constant__ KenJob<P> job,
               const __grid_constant__ kde::LatticeConstants<typename P::Shape> constants, FaultWord* fault) {
  PRUNING_EXT_DYNAMIC_SHARED(shared);
  unsigned char* const memory = P::kShared ? shared : job.slabs + blockIdx.x * job.slab_bytes;
  auto& tile = *reinterpret_cast<kde::LatticeTile<typename P::Shape>*>(P::kShared ? shared + job.layout.tile : shared);
  if constexpr (P::kCoarse) {
    select<P>(job, job.first_row + blockIdx.x, constants, memory, tile, fault);
  } else {
    const std::int64_t rows = job.from_list ? static_cast<std::int64_t>(*job.list_count) : job.params.weight.rows;
    for (std::int64_t at = blockIdx.x; at < rows; at += gridDim.x)
      select<P>(job, job.from_list ? job.list[at] : at, constants, memory, tile, fault);
  }
}

using Coarse = Plan<CoarseLattice, std::uint32_t, true>;
using Fine = Plan<FineLattice, std::uint32_t, true>;
using Wide = Plan<FineLattice, std::uint32_t, false>;
using WideDouble = Plan<FineLattice, std::uint64_t, false>;

int threads_for(std::int64_t n) { return n <= 1024 ? 128 : n <= 4096 ? 256 : kMostThreads; }

template <typename P>
KenJob<P> job_for(const KenParams& params, Matching matching, int threads) {
  const std::int64_t n = params.weight.cols, k = params.k < n ? params.k : 0;
  return {params, matching, std::pow(static_cast<double>(n), -0.2), Layout<P>(n, k, threads / kWarp)};
}

template <typename P>
std::int64_t bytes_for(const KenParams& params, int threads) {
  return job_for<P>(params, Matching::by_warp, threads).layout.end;
}

// Whether a row's arrays fit into shared memory, 16-bit indexes included.
template <typename P>
bool fits(const KenParams& params, const CudaContext& context) {
  constexpr std::int64_t kStatic = 2048;  // what reductions and scans take beside the layout
  return params.weight.dtype != DType::float64 && params.weight.cols <= 0xffff &&
         bytes_for<P>(params, threads_for(params.weight.cols)) + kStatic <= context.shared_memory;
}

std::int64_t few_blocks(const KenParams& params, const CudaContext& context) {
  return std::min<std::int64_t>(params.weight.rows, 2 * context.multiprocessors);
}

struct Workspace {
  unsigned long long* list_count = nullptr;  // of the rows that the coarse lattice leaves
  std::int64_t* list = nullptr;
  unsigned char* slabs = nullptr;
  std::int64_t slab_bytes = 0;
  std::int64_t bytes = 0;
  Workspace(const KenParams& params, const CudaContext& context, std::byte* base) {
    BumpAllocator allocator(base);
    if (fits<Coarse>(params, context)) {
      list_count = allocator.take<unsigned long long>(1);
      list = allocator.take<std::int64_t>(params.weight.rows);
    }
    if (!fits<Coarse>(params, context) || !fits<Fine>(params, context)) {
      const std::int64_t slab = params.weight.dtype == DType::float64 ? bytes_for<WideDouble>(params, kMostThreads)
                                                                      : bytes_for<Wide>(params, kMostThreads);
      slab_bytes = (slab + 255) / 256 * 256;
      slabs = allocator.take<unsigned char>(slab_bytes * few_blocks(params, context));
    }
    bytes = allocator.used();
  }
};

template <typename P>
KenJob<P> job_on(const Workspace& workspace, const KenParams& params, Matching matching, int threads) {
  KenJob<P> job = job_for<P>(params, matching, threads);
  job.list = workspace.list, job.list_count = workspace.list_count;
  job.slabs = workspace.slabs, job.slab_bytes = workspace.slab_bytes;
  return job;
}

// All rows, or those of the list, by a few blocks.
template <typename P>
cudaError_t launch_few(KenJob<P> job, bool from_list, const CudaContext& context) {
  job.from_list = from_list;
  const int threads = P::kShared ? threads_for(job.params.weight.cols) : kMostThreads;
  const std::int64_t shared = P::kShared ? job.layout.end : sizeof(kde::LatticeTile<typename P::Shape>);
  return launch(ken_kernel<P>, blocks_for(few_blocks(job.params, context)), threads, shared, context.stream, job,
                kde::lattice_constants<typename P::Shape>(), context.fault);
}

}  // namespace

std::int64_t ken_mask_cuda_workspace(const KenParams& params, const CudaContext& context) {
  return Workspace(params, context, nullptr).bytes;
}

cudaError_t ken_mask_cuda(const KenParams& params, const CudaContext& context, Matching matching) {
  if (params.weight.rows == 0 || params.weight.cols == 0) return cudaSuccess;
  const Workspace workspace(params, context, context.workspace);
  if (!fits<Coarse>(params, context)) {
    return params.weight.dtype == DType::float64
               ? launch_few(job_on<WideDouble>(workspace, params, matching, kMostThreads), false, context)
               : launch_few(job_on<Wide>(workspace, params, matching, kMostThreads), false, context);
  }
  PRUNING_EXT_TRY_CUDA(cudaMemsetAsync(workspace.list_count, 0, sizeof(unsigned long long), context.stream));
  const int threads = threads_for(params.weight.cols);
  KenJob<Coarse> coarse = job_on<Coarse>(workspace, params, matching, threads);
  while (coarse.first_row < params.weight.rows) {
    const dim3 blocks = blocks_for(params.weight.rows - coarse.first_row);
    PRUNING_EXT_TRY_CUDA(launch(ken_kernel<Coarse>, blocks, threads, coarse.layout.end, context.stream, coarse,
                                kde::lattice_constants<CoarseLattice>(), context.fault));
    coarse.first_row += blocks.x;
  }
  return fits<Fine>(params, context)
             ? launch_few(job_on<Fine>(workspace, params, matching, threads), true, context)
             : launch_few(job_on<Wide>(workspace, params, matching, kMostThreads), true, context);
}

}  // namespace pruning_ext::ken
