// Mutual information of columns. Codes have 4 bits, packed as the tensor-core kernels read them, where takes_packed()
// says so, else 8. All pairs are then counted in the way that chosen_counting() gives.
#include "mi/cuda/columns_cuda.h"
#include "mi/cuda/discretize_cuda.h"
#include "mi/cuda/mi_cuda.h"

namespace pruning_ext::mi {
namespace {

struct CodedSide {
  std::byte* edges;
  std::uint32_t* packed;  // nullptr: codes
  std::uint8_t* codes;    // nullptr: packed
};

struct Memory {
  CodedSide x, y;
  std::byte* scratch;  // of one step at a time
};

bool packs(const ColumnsParams& params) { return takes_packed(params.bins, params.x.rows); }

DiscretizeParams discretize_params(const ColumnsParams& params, const Matrix& x, const CodedSide& side) {
  return {x, params.bins, params.strategy, side.edges, result_dtype(x.dtype), side.codes};
}

Pairs pairs_of(const ColumnsParams& params, const Memory& memory) {
  const auto codes = [](const Matrix& x, const CodedSide& side) {
    return Codes{side.codes, x.cols, x.rows, x.rows, 1};
  };
  return {codes(params.x, memory.x), params.symmetric ? Codes{} : codes(params.y, memory.y), params.symmetric,
          params.bins};
}

std::int64_t allocate(const ColumnsParams& params, const CudaContext& context, std::byte* workspace, Memory* memory) {
  BumpAllocator allocator(workspace);
  std::int64_t scratch = 0;
  const auto take = [&](const Matrix& x) {
    const std::int64_t edges = x.cols * (params.bins - 1) * dtype_size(result_dtype(x.dtype));
    const CodedSide side{allocator.take<std::byte>(edges),
                         allocator.take<std::uint32_t>(packs(params) ? packed_words(x.cols, x.rows, params.bins) : 0),
                         allocator.take<std::uint8_t>(packs(params) ? 0 : x.cols * x.rows)};
    scratch = std::max(scratch, discretize_cuda_workspace(discretize_params(params, x, side), context));
    return packs(params) ? CodedSide{side.edges, side.packed, nullptr} : CodedSide{side.edges, nullptr, side.codes};
  };
  memory->x = take(params.x);
  memory->y = params.symmetric ? memory->x : take(params.y);
  const Pairs pairs = pairs_of(params, *memory);
  scratch = std::max(scratch, pairs_cuda_workspace(pairs, chosen_counting(pairs, context), packs(params)));
  memory->scratch = allocator.take<std::byte>(scratch);
  return allocator.used();
}

CudaContext with_scratch(const CudaContext& context, const Memory& memory) {
  CudaContext inner = context;
  inner.workspace = memory.scratch;
  return inner;
}

}  // namespace

std::int64_t columns_cuda_workspace(const ColumnsParams& params, const CudaContext& context) {
  Memory memory;
  return allocate(params, context, nullptr, &memory);
}

cudaError_t discretize_side_cuda(const ColumnsParams& params, Side side, const CudaContext& context) {
  Memory memory;
  allocate(params, context, context.workspace, &memory);
  const Matrix& x = side == Side::x ? params.x : params.y;
  if (x.cols == 0) return cudaSuccess;
  const CodedSide& coded = side == Side::x ? memory.x : memory.y;
  return discretize_cuda(discretize_params(params, x, coded), with_scratch(context, memory), coded.packed);
}

cudaError_t mutual_information_of_columns_cuda(const ColumnsParams& params, const CudaContext& context) {
  Memory memory;
  allocate(params, context, context.workspace, &memory);
  const Pairs pairs = pairs_of(params, memory);
  return mutual_information_cuda({pairs, params.estimator, params.information, params.dtype},
                                 with_scratch(context, memory), chosen_counting(pairs, context),
                                 {memory.x.packed, memory.y.packed});
}

}  // namespace pruning_ext::mi
