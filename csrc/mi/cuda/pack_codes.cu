// Codes made ready for counting: the margins of each row, and its codes packed as the tensor-core kernels read them
// (mi_cuda.h), in one pass over the bytes. Bound by the shared-memory atomics of the margins, a thirty-second of one a
// sample: about 1 ms for 8192 x 65,536 codes, beside more than 100 ms for counting their pairs.
#include "common/block.cuh"
#include "mi/cuda/pair_tiles.cuh"

namespace pruning_ext::mi {
namespace {

constexpr int kThreads = 256;  // one for each bin that there may be

// The margin of the block's table of counts, whether a code was beyond the bins, and an empty table again.
__device__ void finish_margin(int* counts, std::int64_t bins, int shift, Margin* margin, bool* bad) {
  __syncthreads();
  const int count = counts[threadIdx.x];
  counts[threadIdx.x] = 0;
  const bool inside = threadIdx.x < bins;
  *bad = block_reduce(static_cast<int>(!inside && count > 0), Max{}) != 0;
  const long long sum = block_reduce(inside ? static_cast<long long>(count_term(count, shift)) : 0ll, Add{});
  const int occupied = block_reduce(static_cast<int>(inside && count > 0), Add{});
  if (threadIdx.x == 0) *margin = {sum, occupied};
}

// A block for each row of codes and, where they are packed to kBits, for each that is padding. kBits 0: not packed.
template <int kBits>
__global__ void __launch_bounds__(kThreads, 2)
    margins_kernel(Codes codes, std::int64_t bins, int shift, Margin* margins, std::int64_t first_row,
                   PackedCodes packed, std::int64_t padded_rows, FaultWord* fault) {
  constexpr int kPerWord = kBits == 0 ? 4 : 32 / kBits;
  __shared__ int counts[kThreads];
  counts[threadIdx.x] = 0;
  __syncthreads();
  const std::int64_t words = kBits == 0 ? (codes.samples + kPerWord - 1) / kPerWord : packed.row_words;
  for (std::int64_t row = blockIdx.x; row < padded_rows; row += gridDim.x) {
    const std::int64_t samples = row < codes.rows ? codes.samples : 0;
    for (std::int64_t word = threadIdx.x; word < words; word += kThreads) {
      int code[kPerWord];  // read before the atomics, which nothing moves across
#pragma unroll
      for (int i = 0; i < kPerWord; ++i) {
        const std::int64_t t = word * kPerWord + i;
        code[i] = t < samples ? codes.data[row * codes.row_stride + t * codes.sample_stride] : -1;
      }
      std::uint32_t bits = 0;
#pragma unroll
      for (int i = 0; i < kPerWord; ++i) {
        if (code[i] < 0) continue;
        atomicAdd(counts + code[i], 1);
        if (kBits != 0) bits |= (static_cast<std::uint32_t>(code[i]) & ((1u << kBits) - 1)) << (kBits * i);
      }
      if (kBits != 0) packed.words[row * packed.row_words + word] = bits;
    }
    if (row >= codes.rows) continue;
    bool bad;
    finish_margin(counts, bins, shift, margins + row, &bad);
    if (threadIdx.x == 0 && bad) report(fault, Fault::bad_code, first_row + row);
  }
}

// A block for each row of codes of 4 bits.
__global__ void __launch_bounds__(kThreads, 2)
    packed_margins_kernel(PackedCodes packed, std::int64_t bins, int shift, Margin* margins) {
  __shared__ int counts[kThreads];
  counts[threadIdx.x] = 0;
  __syncthreads();
  for (std::int64_t row = blockIdx.x; row < packed.rows; row += gridDim.x) {
    for (std::int64_t word = threadIdx.x; word * 8 < packed.samples; word += kThreads) {
      const std::uint32_t bits = packed.words[row * packed.row_words + word];
      const std::int64_t left = packed.samples - word * 8;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (i < left) atomicAdd(counts + (bits >> (4 * i) & 15), 1);
      }
    }
    bool bad;
    finish_margin(counts, bins, shift, margins + row, &bad);
  }
}

}  // namespace

std::int64_t packed_words(std::int64_t rows, std::int64_t samples, std::int64_t bins) {
  return tiles_of(rows, bins) * 16 / padded_bins(bins) * packed_codes(nullptr, rows, samples, bins).row_words;
}

PackedCodes packed_codes(std::uint32_t* words, std::int64_t rows, std::int64_t samples, std::int64_t bins) {
  return {words, rows, samples, steps_of(samples) * kStep * packed_bits(bins) / 32};
}

cudaError_t launch_margins(const Codes& codes, std::int64_t bins, int shift, Margin* margins, std::int64_t first_row,
                           const PackedCodes& packed, const CudaContext& context) {
  const bool packs = packed.words != nullptr;
  const std::int64_t rows = packs ? tiles_of(codes.rows, bins) * 16 / padded_bins(bins) : codes.rows;
  const auto kernel = !packs ? margins_kernel<0> : packed_bits(bins) == 4 ? margins_kernel<4> : margins_kernel<8>;
  return launch(kernel, blocks_for(rows), kThreads, 0, context.stream, codes, bins, shift, margins, first_row, packed,
                rows, context.fault);
}

cudaError_t launch_packed_margins(const PackedCodes& packed, std::int64_t bins, int shift, Margin* margins,
                                  const CudaContext& context) {
  return launch(packed_margins_kernel, blocks_for(packed.rows), kThreads, 0, context.stream, packed, bins, shift,
                margins);
}

}  // namespace pruning_ext::mi
