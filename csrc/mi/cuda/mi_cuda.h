// Mutual information on CUDA: counting kernels behind one interface, information in their epilogue.
#pragma once

#include <string>

#include "common/cuda.h"
#include "mi/mi.h"
#include "mi/mi_math.h"

namespace pruning_ext::mi {

enum class Counting : std::int8_t {
  automatic,
  atomics,  // 1. a table in shared memory, one atomic addition for each sample of a pair: the readable reference
  planes,   // 2. a bit plane for each bin, AND + POPC on the binary tensor cores; at most 32 bins
  one_hot,  // 3. a byte for each bin and sample, made in registers, on the INT8 tensor cores; at most 16 bins
  slices,   // 4. as planes, but made in registers from the bits of the codes; 9 to 16 bins
  wgmma,    // 5. as slices, by Hopper's groups of four warps; sm_90 alone, 9 to 16 bins
};

// Codes as the tensor-core kernels read them, [whole tiles of rows][whole steps of samples]: 4 bits each where there
// are at most 16 bins, else 8, the first in the lowest bits; zeros in rows and samples that are not there.
constexpr int kStep = 256;  // samples to a step
PRUNING_EXT_HOST_DEVICE constexpr int packed_bits(std::int64_t bins) { return bins <= 16 ? 4 : 8; }
struct PackedCodes {
  std::uint32_t* words = nullptr;
  std::int64_t rows = 0;     // without padding
  std::int64_t samples = 0;  // without padding
  std::int64_t row_words = 0;
};

struct PairJob {  // what the counting kernels share
  Pairs pairs;
  Scale scale;
  int shift;                  // of the terms
  const std::int64_t* terms;  // count -> its term, [T + 1]; nullptr: computed where needed
  const Margin* x_margins;    // [N]
  const Margin* y_margins;    // [M]
  std::int64_t first_row;     // rows [first_row, first_row + rows) of x
  std::int64_t rows;
  bool mirror;        // y is x and all rows are wanted: half the pairs, written twice
  void* information;  // [rows, M], row first_row first
  DType dtype;
  std::int32_t* counts;  // [N, M, bins, bins] instead of the information, or nullptr
  // PackedCodes' words (Counting::slices and wgmma: transposed); what the others read is made of them.
  const std::uint32_t* x_packed;
  const std::uint32_t* y_packed;
  const std::uint32_t* x_planes;  // Counting::planes: fragments (count_planes.cu)
  const std::uint32_t* y_planes;
};

// The strategy of counting: `wanted`, and when that is automatic one by bins, samples and the architecture. The other
// functions take the result, never `automatic`.
Counting chosen_counting(const Pairs& pairs, const CudaContext& context, Counting wanted = Counting::automatic);

// Empty where the counting can count these pairs on this GPU, else a sentence that says why not.
std::string counting_problem(Counting counting, const Pairs& pairs, const CudaContext& context);

// Codes that are packed already (discretize_cuda), in place of pairs.x and pairs.y, whose data is not read then.
struct PackedPairs {
  std::uint32_t* x = nullptr;
  std::uint32_t* y = nullptr;
};
// At most 16 bins, and few enough samples for the table of terms: the counting is one that reads them.
bool takes_packed(std::int64_t bins, std::int64_t samples);
std::int64_t packed_words(std::int64_t rows, std::int64_t samples, std::int64_t bins);

// `params` as on the CPU, with pointers to device memory. Launches are asynchronous; faults go to context.fault. The
// workspace is that of the same counting; `packed` codes need less of it, and may be overwritten.
std::int64_t pairs_cuda_workspace(const Pairs& pairs, Counting counting, bool packed = false);
cudaError_t contingency_cuda(const ContingencyParams& params, const CudaContext& context);  // Counting::atomics
cudaError_t mutual_information_cuda(const InformationParams& params, const CudaContext& context, Counting counting,
                                    const PackedPairs& packed = {});
cudaError_t top_k_cuda(const TopKParams& params, const CudaContext& context, Counting counting);
cudaError_t sum_cuda(const SumParams& params, const CudaContext& context, Counting counting);

// The kernels' launchers.
cudaError_t launch_atomics(const PairJob& job, const CudaContext& context);
cudaError_t launch_planes(const PairJob& job, const CudaContext& context);
cudaError_t launch_one_hot(const PairJob& job, const CudaContext& context);
cudaError_t launch_slices(const PairJob& job, const CudaContext& context);
cudaError_t launch_wgmma(const PairJob& job, const CudaContext& context);

// Margins of rows of codes; faults are counted from first_row. With `packed.words` packs the codes as well.
cudaError_t launch_margins(const Codes& codes, std::int64_t bins, int shift, Margin* margins, std::int64_t first_row,
                           const PackedCodes& packed, const CudaContext& context);
cudaError_t launch_packed_margins(const PackedCodes& packed, std::int64_t bins, int shift, Margin* margins,
                                  const CudaContext& context);
PackedCodes packed_codes(std::uint32_t* words, std::int64_t rows, std::int64_t samples, std::int64_t bins);

// The size of the planes in 32-bit words; building them; transposing packed codes in place.
std::int64_t plane_words(std::int64_t rows, std::int64_t samples, std::int64_t bins);
cudaError_t launch_build_planes(const PackedCodes& packed, std::int64_t bins, std::uint32_t* planes,
                                const CudaContext& context);
cudaError_t launch_transpose(const PackedCodes& packed, std::int64_t bins, const CudaContext& context);

}  // namespace pruning_ext::mi
