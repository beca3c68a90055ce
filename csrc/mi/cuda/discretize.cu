// Edges, then codes.
//
// Edges: a block for each column of x [T, N] sorts it (block_sort.cuh), in shared memory up to T = 27,000 or so and in
// float32, otherwise in global memory, a few columns at a time; one thread then picks the edges. Codes:
// tiles of 32 samples x 32 columns, read along the columns and written along the samples through shared memory, a byte
// each or four bits.
#include <type_traits>

#include "common/block_sort.cuh"
#include "common/element.h"
#include "mi/cuda/discretize_cuda.h"
#include "mi/cuda/mi_cuda.h"
#include "mi/edges.h"

namespace pruning_ext::mi {
namespace {

constexpr int kSortThreads = 512;
constexpr int kCounters = kDigits * (kSortThreads / kWarp);
constexpr int kTile = 32;
constexpr int kTileThreads = 256;

std::int64_t align16(std::int64_t bytes) { return (bytes + 15) / 16 * 16; }

struct Layout {  // offsets in bytes: keys, two indexes
  std::int64_t index, other, end;
};

template <typename Key, typename Index>
Layout layout_for(std::int64_t samples) {
  const std::int64_t keys = align16(samples * static_cast<std::int64_t>(sizeof(Key)));
  const std::int64_t indexes = align16(samples * static_cast<std::int64_t>(sizeof(Index)));
  return {keys, keys + indexes, keys + 2 * indexes};
}

template <typename Key, typename Index, bool kShared>
__global__ void __launch_bounds__(kSortThreads, 1)
    edges_kernel(DiscretizeParams params, Layout layout, unsigned char* slabs, std::int64_t slab_bytes,
                 FaultWord* fault) {
  using Value = decltype(ordered_value(Key{}));
  __shared__ Index counters[kCounters];  // of the sort: on the chip wherever the column is
  PRUNING_EXT_DYNAMIC_SHARED(shared);
  unsigned char* const memory = kShared ? shared : slabs + blockIdx.x * slab_bytes;
  Key* const keys = reinterpret_cast<Key*>(memory);
  Index* const index = reinterpret_cast<Index*>(memory + layout.index);
  const unsigned n = static_cast<unsigned>(params.x.rows), slots = static_cast<unsigned>(params.bins) - 1;
  for (std::int64_t column = blockIdx.x; column < params.x.cols; column += gridDim.x) {
    Value* const edges = static_cast<Value*>(params.edges) + column * slots;
    __syncthreads();
    int finite = 1;
    for (unsigned t = threadIdx.x; t < n; t += blockDim.x) {
      const Value value = element<Value>(params.x, t, column);
      finite &= isfinite(value);
      keys[t] = ordered_bits(value);
      index[t] = static_cast<Index>(t);
    }
    finite = block_reduce(finite, Min{});
    const Index* const sorted = block_argsort<8 * sizeof(Key)>(
        [keys](unsigned t) { return keys[t]; }, n, index, reinterpret_cast<Index*>(memory + layout.other), counters);
    if (threadIdx.x != 0) continue;
    unsigned used = 0;
    if (finite) {
      used =
          place_edges([&](unsigned i) { return ordered_value(keys[sorted[i]]); }, n, slots + 1, params.strategy, edges);
    } else {
      report(fault, Fault::not_finite, column);
    }
    for (unsigned e = used; e < slots; ++e) edges[e] = static_cast<Value>(__builtin_inf());
  }
}

// Blocks: tiles of samples x tiles of columns. kPacked: to `packed`, whose padding is zeros already.
template <typename Value, bool kPacked>
__global__ void __launch_bounds__(kTileThreads, 2)
    encode_kernel(EncodeParams params, PackedCodes packed, FaultWord* fault) {
  __shared__ std::uint8_t tile[kTile][kTile + 4];
  const Matrix& x = params.x;
  const unsigned slots = static_cast<unsigned>(params.num_edges);
  const unsigned lane = lane_index(), first = warp_index(), warps = kTileThreads / kWarp;
  const std::int64_t begin = std::int64_t{blockIdx.x} * kTile;
  for (std::int64_t column_begin = std::int64_t{blockIdx.y} * kTile; column_begin < x.cols;
       column_begin += std::int64_t{gridDim.y} * kTile) {
    __syncthreads();
    const std::int64_t column = column_begin + lane;
    const Value* const edges = static_cast<const Value*>(params.edges) + column * slots;
    for (unsigned s = first; s < kTile && column < x.cols; s += warps) {
      if (begin + s >= x.rows) {
        tile[lane][s] = 0;
        continue;
      }
      const Value value = element<Value>(x, begin + s, column);
      if (!isfinite(value)) report(fault, Fault::not_finite, column);
      tile[lane][s] =
          static_cast<std::uint8_t>(partition_point(0, slots, [&](unsigned e) { return edges[e] <= value; }));
    }
    __syncthreads();
    if constexpr (kPacked) {
      // Four words a column; consecutive threads write them.
      const unsigned c = threadIdx.x / 4, word = threadIdx.x % 4;
      if (c >= kTile || column_begin + c >= x.cols) continue;
      std::uint32_t bits = 0;
      for (unsigned i = 0; i < 8; ++i) bits |= static_cast<std::uint32_t>(tile[c][8 * word + i] & 15) << (4 * i);
      packed.words[(column_begin + c) * packed.row_words + begin / 8 + word] = bits;
    } else {
      for (unsigned c = first; c < kTile && column_begin + c < x.cols; c += warps) {
        if (begin + lane < x.rows) params.codes[(column_begin + c) * x.rows + begin + lane] = tile[c][lane];
      }
    }
  }
}

// Edges must not decrease nor be NaN; a thread for each column.
template <typename Value>
__global__ void __launch_bounds__(kTileThreads, 2) check_edges_kernel(EncodeParams params, FaultWord* fault) {
  for (std::int64_t column = std::int64_t{blockIdx.x} * kTileThreads + threadIdx.x; column < params.x.cols;
       column += std::int64_t{gridDim.x} * kTileThreads) {
    const Value* const edges = static_cast<const Value*>(params.edges) + column * params.num_edges;
    if (!are_edges(edges, params.num_edges)) report(fault, Fault::bad_edges, column);
  }
}

bool in_shared_memory(const DiscretizeParams& params, const CudaContext& context) {
  constexpr std::int64_t kStatic = kCounters * sizeof(std::uint16_t) + 1024;  // counters, and what reductions take
  return params.edges_dtype == DType::float32 && params.x.rows <= 0xffff &&
         layout_for<std::uint32_t, std::uint16_t>(params.x.rows).end + kStatic <= context.shared_memory;
}

std::int64_t slab_bytes(const DiscretizeParams& params) {
  return (layout_for<std::uint64_t, unsigned>(params.x.rows).end + 255) / 256 * 256;
}

std::int64_t slab_blocks(const DiscretizeParams& params, const CudaContext& context) {
  return std::min<std::int64_t>(params.x.cols, 2 * context.multiprocessors);
}

cudaError_t launch_encode(const EncodeParams& params, const PackedCodes& packed, const CudaContext& context) {
  const dim3 blocks = blocks_for((params.x.rows + kTile - 1) / kTile, (params.x.cols + kTile - 1) / kTile);
  const bool wide = params.edges_dtype == DType::float64;
  const auto kernel = packed.words == nullptr ? (wide ? encode_kernel<double, false> : encode_kernel<float, false>)
                                              : (wide ? encode_kernel<double, true> : encode_kernel<float, true>);
  return launch(kernel, blocks, kTileThreads, 0, context.stream, params, packed, context.fault);
}

}  // namespace

std::int64_t discretize_cuda_workspace(const DiscretizeParams& params, const CudaContext& context) {
  return in_shared_memory(params, context) ? 0 : slab_bytes(params) * slab_blocks(params, context);
}

cudaError_t discretize_cuda(const DiscretizeParams& params, const CudaContext& context, std::uint32_t* packed) {
  PackedCodes target;
  if (packed != nullptr) {
    target = packed_codes(packed, params.x.cols, params.x.rows, params.bins);
    const std::int64_t bytes = 4 * packed_words(params.x.cols, params.x.rows, params.bins);
    PRUNING_EXT_TRY_CUDA(cudaMemsetAsync(packed, 0, static_cast<std::size_t>(bytes), context.stream));
  }
  unsigned char* const slabs = reinterpret_cast<unsigned char*>(context.workspace);
  if (in_shared_memory(params, context)) {
    const Layout layout = layout_for<std::uint32_t, std::uint16_t>(params.x.rows);
    PRUNING_EXT_TRY_CUDA(launch(edges_kernel<std::uint32_t, std::uint16_t, true>, blocks_for(params.x.cols),
                                kSortThreads, layout.end, context.stream, params, layout, nullptr, 0, context.fault));
  } else {
    const auto kernel = params.edges_dtype == DType::float64 ? edges_kernel<std::uint64_t, unsigned, false>
                                                             : edges_kernel<std::uint32_t, unsigned, false>;
    const Layout layout = layout_for<std::uint64_t, unsigned>(params.x.rows);
    PRUNING_EXT_TRY_CUDA(launch(kernel, blocks_for(slab_blocks(params, context)), kSortThreads, 0, context.stream,
                                params, layout, slabs, slab_bytes(params), context.fault));
  }
  return launch_encode({params.x, params.edges, params.bins - 1, params.edges_dtype, params.codes}, target, context);
}

cudaError_t encode_cuda(const EncodeParams& params, const CudaContext& context) {
  if (params.x.rows == 0) return cudaSuccess;
  PRUNING_EXT_TRY_CUDA(
      launch(params.edges_dtype == DType::float64 ? check_edges_kernel<double> : check_edges_kernel<float>,
             blocks_for((params.x.cols + kTileThreads - 1) / kTileThreads), kTileThreads, 0, context.stream, params,
             context.fault));
  return launch_encode(params, {}, context);
}

}  // namespace pruning_ext::mi
