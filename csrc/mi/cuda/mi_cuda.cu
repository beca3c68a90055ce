// Terms and margins, then pairs by one of the counting kernels, then what is asked of them: everything, the best
// partners of each row, or their sums. The last two go through [rows, M] of information at a time, at most 64 MB.
#include "common/block.cuh"
#include "mi/cuda/mi_cuda.h"

namespace pruning_ext::mi {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostTerms = std::int64_t{1} << 22;        // 32 MB; beyond, atomics take logarithms instead
constexpr std::int64_t kMostInformation = std::int64_t{1} << 23;  // of float64

__global__ void __launch_bounds__(kThreads, 2) terms_kernel(std::int64_t* terms, std::int64_t samples, int shift) {
  for (std::int64_t c = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; c <= samples;
       c += std::int64_t{gridDim.x} * kThreads)
    terms[c] = count_term(c, shift);
}

// sums[first_row + i] = sum of row i without its own place; a block for each row, in a fixed order.
__global__ void __launch_bounds__(kThreads, 2)
    sum_kernel(const double* information, std::int64_t rows, std::int64_t partners, std::int64_t first_row,
               bool symmetric, double* sums) {
  for (std::int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    double sum = 0;
    for (std::int64_t j = threadIdx.x; j < partners; j += kThreads)
      sum += symmetric && j == first_row + i ? 0.0 : information[i * partners + j];
    sum = block_reduce(sum, Add{});
    if (threadIdx.x == 0) sums[first_row + i] = sum;
  }
}

// The k best of each row, one after the other: of equal values the lower index. A block for each row.
template <typename Value>
__global__ void __launch_bounds__(kThreads, 2)
    top_k_kernel(const Value* information, std::int64_t rows, std::int64_t partners, std::int64_t first_row,
                 bool symmetric, std::int64_t k, Value* values, std::int64_t* indices) {
  for (std::int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    double last = __builtin_inf();  // what came before: larger, or as large with a lower index
    long long last_index = -1;
    for (std::int64_t rank = 0; rank < k; ++rank) {
      double best = -1;
      long long best_index = partners;
      for (std::int64_t j = threadIdx.x; j < partners; j += kThreads) {
        if (symmetric && j == first_row + i) continue;
        const double value = information[i * partners + j];
        const bool is_left = value < last || (value == last && j > last_index);
        if (is_left && value > best) best = value, best_index = j;
      }
      last = block_reduce(best, Max{});
      last_index = block_reduce(best == last ? best_index : static_cast<long long>(partners), Min{});
      if (threadIdx.x == 0) {
        values[(first_row + i) * k + rank] = static_cast<Value>(last);
        indices[(first_row + i) * k + rank] = last_index;
      }
    }
  }
}

struct Memory {
  std::int64_t* terms;
  Margin *x_margins, *y_margins;
  std::uint32_t *x_packed, *y_packed, *x_planes, *y_planes;
  double* information;  // for the reductions
};

bool has_terms(std::int64_t samples) { return samples < kMostTerms; }

std::int64_t rows_at_once(const Pairs& pairs) {
  return std::clamp<std::int64_t>(kMostInformation / std::max<std::int64_t>(pairs.partners().rows, 1), 1,
                                  std::max<std::int64_t>(pairs.x.rows, 1));
}

std::int64_t allocate(const Pairs& pairs, Counting counting, bool packed, std::byte* workspace, Memory* memory) {
  BumpAllocator allocator(workspace);
  const std::int64_t samples = pairs.x.samples, bins = pairs.bins;
  const auto both = [&](std::int64_t (*words)(std::int64_t, std::int64_t, std::int64_t), bool needed, auto** x,
                        auto** y) {
    *x = allocator.take<std::uint32_t>(needed ? words(pairs.x.rows, samples, bins) : 0);
    *y = pairs.symmetric ? *x : allocator.take<std::uint32_t>(needed ? words(pairs.y.rows, samples, bins) : 0);
  };
  memory->terms = has_terms(samples) ? allocator.take<std::int64_t>(samples + 1) : nullptr;
  memory->x_margins = allocator.take<Margin>(pairs.x.rows);
  memory->y_margins = pairs.symmetric ? memory->x_margins : allocator.take<Margin>(pairs.y.rows);
  both(packed_words, counting != Counting::atomics && !packed, &memory->x_packed, &memory->y_packed);
  both(plane_words, counting == Counting::planes, &memory->x_planes, &memory->y_planes);
  memory->information = allocator.take<double>(rows_at_once(pairs) * pairs.partners().rows);
  return allocator.used();
}

bool reads_slices(Counting counting) { return counting == Counting::slices || counting == Counting::wgmma; }

// Margins of codes, and what the kernel that counts reads of them.
cudaError_t prepare_codes(const Codes& codes, std::int64_t bins, int shift, Margin* margins, std::int64_t first_row,
                          std::uint32_t* packed_words, bool packed_before, std::uint32_t* planes, Counting counting,
                          const CudaContext& context) {
  const PackedCodes packed = packed_codes(packed_words, codes.rows, codes.samples, bins);
  if (packed_before) {
    PRUNING_EXT_TRY_CUDA(launch_packed_margins(packed, bins, shift, margins, context));
  } else {
    const PackedCodes target = counting == Counting::atomics ? PackedCodes{} : packed;
    PRUNING_EXT_TRY_CUDA(launch_margins(codes, bins, shift, margins, first_row, target, context));
  }
  if (counting == Counting::planes) return launch_build_planes(packed, bins, planes, context);
  return reads_slices(counting) ? launch_transpose(packed, bins, context) : cudaSuccess;
}

// Everything before the pairs; leaves the job without an output.
cudaError_t prepare(const Pairs& pairs, const Estimator& estimator, const CudaContext& context, Counting counting,
                    const PackedPairs& given, PairJob* job, Memory* memory) {
  const bool packed = given.x != nullptr;
  if (!counting_problem(counting, pairs, context).empty() || (packed && counting == Counting::atomics))
    return cudaErrorInvalidValue;
  allocate(pairs, counting, packed, context.workspace, memory);
  if (packed) memory->x_packed = given.x, memory->y_packed = pairs.symmetric ? given.x : given.y;
  const std::int64_t samples = pairs.x.samples;
  const int shift = term_shift(samples);
  *job = {.pairs = pairs,
          .scale = scale_for(estimator, samples),
          .shift = shift,
          .terms = memory->terms,
          .x_margins = memory->x_margins,
          .y_margins = memory->y_margins,
          .first_row = 0,
          .rows = pairs.x.rows,
          .mirror = pairs.symmetric,
          .information = nullptr,
          .dtype = DType::float64,
          .counts = nullptr,
          .x_packed = memory->x_packed,
          .y_packed = memory->y_packed,
          .x_planes = memory->x_planes,
          .y_planes = memory->y_planes};
  if (memory->terms != nullptr) {
    PRUNING_EXT_TRY_CUDA(launch(terms_kernel, blocks_for((samples + kThreads) / kThreads), kThreads, 0, context.stream,
                                memory->terms, samples, shift));
  }
  PRUNING_EXT_TRY_CUDA(prepare_codes(pairs.x, pairs.bins, shift, memory->x_margins, 0, memory->x_packed, packed,
                                     memory->x_planes, counting, context));
  if (pairs.symmetric) return cudaSuccess;
  return prepare_codes(pairs.y, pairs.bins, shift, memory->y_margins, pairs.x.rows, memory->y_packed, packed,
                       memory->y_planes, counting, context);
}

cudaError_t count(const PairJob& job, Counting counting, const CudaContext& context) {
  switch (counting) {
    case Counting::planes: return launch_planes(job, context);
    case Counting::one_hot: return launch_one_hot(job, context);
    case Counting::slices: return launch_slices(job, context);
    case Counting::wgmma: return launch_wgmma(job, context);
    default: return launch_atomics(job, context);
  }
}

// reduce(job) after each stretch of rows.
template <typename Reduce>
cudaError_t by_rows(const Pairs& pairs, const Estimator& estimator, DType dtype, const CudaContext& context,
                    Counting counting, const Reduce& reduce) {
  PairJob job;
  Memory memory;
  PRUNING_EXT_TRY_CUDA(prepare(pairs, estimator, context, counting, {}, &job, &memory));
  job.mirror = false;
  job.information = memory.information;
  job.dtype = dtype;
  const std::int64_t most = rows_at_once(pairs);
  for (job.first_row = 0; job.first_row < pairs.x.rows; job.first_row += job.rows) {
    job.rows = std::min(most, pairs.x.rows - job.first_row);
    PRUNING_EXT_TRY_CUDA(count(job, counting, context));
    PRUNING_EXT_TRY_CUDA(reduce(job));
  }
  return cudaSuccess;
}

}  // namespace

Counting chosen_counting(const Pairs& pairs, const CudaContext& context, Counting wanted) {
  if (wanted != Counting::automatic) return wanted;
  // From sm_100 on the binary tensor cores are emulated, and beyond 16 bins there are no others.
  const Counting best = context.architecture >= 100 && pairs.bins <= 16 ? Counting::one_hot : Counting::planes;
  return counting_problem(best, pairs, context).empty() ? best : Counting::atomics;
}

std::string counting_problem(Counting counting, const Pairs& pairs, const CudaContext& context) {
  const int number = static_cast<int>(counting);
  if (number < 1 || number > static_cast<int>(Counting::wgmma)) return "counting must be 0 to 5";
  const std::int64_t most = counting == Counting::atomics ? 256 : counting == Counting::planes ? 32 : 16;
  const std::int64_t least = reads_slices(counting) ? 9 : 2;
  if (pairs.bins < least || pairs.bins > most) {
    return "counting must be another than " + std::to_string(number) + " for " + std::to_string(pairs.bins) +
           " bins: it takes " + std::to_string(least) + " to " + std::to_string(most);
  }
  if (counting != Counting::atomics && !has_terms(pairs.x.samples)) {
    return "counting must be 1 for " + std::to_string(kMostTerms) + " samples and more";
  }
  if (counting == Counting::wgmma && context.architecture != 90) {
    return "counting 5 is by instructions that only sm_90 has; this GPU is sm_" + std::to_string(context.architecture);
  }
  return "";
}

bool takes_packed(std::int64_t bins, std::int64_t samples) { return bins <= 16 && has_terms(samples); }

std::int64_t pairs_cuda_workspace(const Pairs& pairs, Counting counting, bool packed) {
  Memory memory;
  return allocate(pairs, counting, packed, nullptr, &memory);
}

cudaError_t contingency_cuda(const ContingencyParams& params, const CudaContext& context) {
  PairJob job;
  Memory memory;
  PRUNING_EXT_TRY_CUDA(prepare(params.pairs, {}, context, Counting::atomics, {}, &job, &memory));
  job.mirror = false;
  job.counts = params.counts;
  return count(job, Counting::atomics, context);
}

cudaError_t mutual_information_cuda(const InformationParams& params, const CudaContext& context, Counting counting,
                                    const PackedPairs& packed) {
  PairJob job;
  Memory memory;
  PRUNING_EXT_TRY_CUDA(prepare(params.pairs, params.estimator, context, counting, packed, &job, &memory));
  job.information = params.information;
  job.dtype = params.dtype;
  return count(job, counting, context);
}

cudaError_t top_k_cuda(const TopKParams& params, const CudaContext& context, Counting counting) {
  const Pairs& pairs = params.pairs;
  const std::int64_t partners = pairs.partners().rows;
  return by_rows(pairs, params.estimator, params.dtype, context, counting, [&](const PairJob& job) {
    const dim3 blocks = blocks_for(job.rows);
    if (params.dtype == DType::float64) {
      return launch(top_k_kernel<double>, blocks, kThreads, 0, context.stream,
                    static_cast<const double*>(job.information), job.rows, partners, job.first_row, pairs.symmetric,
                    params.k, static_cast<double*>(params.values), params.indices);
    }
    return launch(top_k_kernel<float>, blocks, kThreads, 0, context.stream, static_cast<const float*>(job.information),
                  job.rows, partners, job.first_row, pairs.symmetric, params.k, static_cast<float*>(params.values),
                  params.indices);
  });
}

cudaError_t sum_cuda(const SumParams& params, const CudaContext& context, Counting counting) {
  const Pairs& pairs = params.pairs;
  return by_rows(pairs, params.estimator, DType::float64, context, counting, [&](const PairJob& job) {
    return launch(sum_kernel, blocks_for(job.rows), kThreads, 0, context.stream,
                  static_cast<const double*>(job.information), job.rows, pairs.partners().rows, job.first_row,
                  pairs.symmetric, params.sums);
  });
}

}  // namespace pruning_ext::mi
