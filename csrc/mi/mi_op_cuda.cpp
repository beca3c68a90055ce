#include <tuple>

#include "common/cuda_op.h"
#include "mi/discretize_cuda.h"
#include "mi/mi_cuda.h"
#include "mi/mi_op.h"

namespace pruning_ext::mi {
namespace {

using MaybeTensor = std::optional<Tensor>;

// A call, and how it is to count.
struct PairCall {
  PairCall(const Tensor& like, const Pairs& pairs, Counting wanted = Counting::automatic, bool packed = false)
      : call(like),
        counting(chosen_counting(pairs, call.context(), wanted)),
        context(call.with_workspace(pairs_cuda_workspace(pairs, counting, packed))) {}
  CudaCall call;
  Counting counting;
  const CudaContext& context;
};

bool is_empty(const Pairs& pairs) { return pairs.x.rows == 0 || pairs.partners().rows == 0; }

std::tuple<Tensor, Tensor> discretize(const Tensor& x, std::int64_t bins, const std::string& strategy) {
  DiscretizeParams params;
  params.x = matrix_of(x, "x");
  params.bins = bins;
  params.strategy = strategy_of(strategy);
  check_bins(bins, params.strategy == Strategy::zero_quantile ? 3 : 2);
  check_samples(params.x.rows, "x");
  Tensor codes = torch::stable::new_empty(x, {params.x.cols, params.x.rows}, ScalarType::Byte);
  Tensor edges = torch::stable::new_empty(x, {params.x.cols, bins - 1}, result_type(x));
  params.codes = static_cast<std::uint8_t*>(codes.mutable_data_ptr());
  params.edges = edges.mutable_data_ptr();
  params.edges_dtype = result_dtype(x);
  if (params.x.cols == 0) return {codes, edges};
  CudaCall call(x);
  const CudaContext& context = call.with_workspace(discretize_cuda_workspace(params, call.context()));
  call.finish(discretize_cuda(params, context), "x", "column");
  return {codes, edges};
}

Tensor encode(const Tensor& x, const Tensor& edges) {
  EncodeParams params;
  params.x = matrix_of(x, "x");
  check(edges.scalar_type() == result_type(x), "edges must be float64 for float64 x and float32 for every other");
  check(edges.dim() == 2 && edges.size(0) == params.x.cols && edges.size(1) <= 255 && edges.is_contiguous(),
        "edges must be contiguous, one row of at most 255 for each column of x");
  params.edges = edges.const_data_ptr();
  params.num_edges = edges.size(1);
  params.edges_dtype = result_dtype(x);
  Tensor codes = torch::stable::new_empty(x, {params.x.cols, params.x.rows}, ScalarType::Byte);
  params.codes = static_cast<std::uint8_t*>(codes.mutable_data_ptr());
  if (params.x.cols == 0) return codes;
  CudaCall call(x);
  call.finish(encode_cuda(params, call.context()), "x", "column");
  return codes;
}

Tensor contingency(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins) {
  ContingencyParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  Tensor counts = torch::stable::new_empty(codes_x, {params.pairs.x.rows, params.pairs.partners().rows, bins, bins},
                                           ScalarType::Int);
  params.counts = static_cast<std::int32_t*>(counts.mutable_data_ptr());
  if (is_empty(params.pairs)) return counts;
  PairCall pair(codes_x, params.pairs, Counting::atomics);
  raise_code_fault(pair.call.wait(contingency_cuda(params, pair.context)), params.pairs);
  return counts;
}

Tensor mutual_information(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                          const std::string& correction, const std::string& normalize, const std::string& unit,
                          bool float64) {
  InformationParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator_of(correction, normalize, unit);
  params.dtype = dtype_of_result(float64);
  Tensor information =
      torch::stable::new_empty(codes_x, {params.pairs.x.rows, params.pairs.partners().rows}, scalar_type(float64));
  params.information = information.mutable_data_ptr();
  if (is_empty(params.pairs)) return information;
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(mutual_information_cuda(params, pair.context, pair.counting)), params.pairs);
  return information;
}

std::tuple<Tensor, Tensor> mutual_information_topk(const Tensor& codes_x, std::int64_t k, const MaybeTensor& codes_y,
                                                   std::int64_t bins, const std::string& correction,
                                                   const std::string& normalize, const std::string& unit,
                                                   bool float64) {
  TopKParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator_of(correction, normalize, unit);
  const std::int64_t partners =
      params.pairs.partners().rows - (params.pairs.symmetric && params.pairs.x.rows > 0 ? 1 : 0);
  check(k >= 0 && k <= partners,
        "k must be between 0 and the number of partners, " + std::to_string(partners) + ", is " + std::to_string(k));
  params.k = k;
  params.dtype = dtype_of_result(float64);
  Tensor values = torch::stable::new_empty(codes_x, {params.pairs.x.rows, k}, scalar_type(float64));
  Tensor indices = torch::stable::new_empty(codes_x, {params.pairs.x.rows, k}, ScalarType::Long);
  params.values = values.mutable_data_ptr();
  params.indices = static_cast<std::int64_t*>(indices.mutable_data_ptr());
  if (is_empty(params.pairs)) return {values, indices};
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(top_k_cuda(params, pair.context, pair.counting)), params.pairs);
  return {values, indices};
}

Tensor mutual_information_sum(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                              const std::string& correction, const std::string& normalize, const std::string& unit) {
  SumParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator_of(correction, normalize, unit);
  Tensor sums = torch::stable::new_empty(codes_x, {params.pairs.x.rows}, ScalarType::Double);
  params.sums = static_cast<double*>(sums.mutable_data_ptr());
  if (is_empty(params.pairs)) return sums;
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(sum_cuda(params, pair.context, pair.counting)), params.pairs);
  return sums;
}

Tensor mutual_information_by(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                             std::int64_t counting) {
  InformationParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.dtype = DType::float64;
  check(counting >= 0 && counting <= (bins <= 8    ? 3
                                      : bins <= 16 ? 5
                                      : bins <= 32 ? 2
                                                   : 1),
        "counting must be 0 or 1; with at most 32 bins it may be 2, with at most 16 it may be 3, with 9 to 16 4 or 5");
  Tensor information =
      torch::stable::new_empty(codes_x, {params.pairs.x.rows, params.pairs.partners().rows}, ScalarType::Double);
  params.information = information.mutable_data_ptr();
  if (is_empty(params.pairs)) return information;
  PairCall pair(codes_x, params.pairs, static_cast<Counting>(counting));
  check(
      pair.counting != Counting::wgmma || pair.context.architecture == 90,
      "counting 5 is by instructions that only sm_90 has; this GPU is sm_" + std::to_string(pair.context.architecture));
  raise_code_fault(pair.call.wait(mutual_information_cuda(params, pair.context, pair.counting)), params.pairs);
  return information;
}

// Packed codes of the columns of x, as `pairs` will count them.
Tensor packed_codes_of(const Tensor& x, std::int64_t bins, Strategy strategy, const char* name) {
  DiscretizeParams params;
  params.x = matrix_of(x, name);
  params.bins = bins;
  params.strategy = strategy;
  const std::int64_t words = packed_words(params.x.cols, params.x.rows, bins);
  Tensor packed = torch::stable::new_empty(x, {words}, ScalarType::Int);
  Tensor edges = torch::stable::new_empty(x, {params.x.cols, bins - 1}, result_type(x));
  params.edges = edges.mutable_data_ptr();
  params.edges_dtype = result_dtype(x);
  if (params.x.cols == 0) return packed;
  CudaCall call(x);
  const CudaContext& context = call.with_workspace(discretize_cuda_workspace(params, call.context()));
  call.finish(discretize_cuda(params, context, static_cast<std::uint32_t*>(packed.mutable_data_ptr())), name, "column");
  return packed;
}

Tensor mutual_information_of(const Tensor& x, const MaybeTensor& y, std::int64_t bins, const std::string& strategy,
                             const std::string& correction, const std::string& normalize, const std::string& unit) {
  const Strategy chosen = strategy_of(strategy);
  check_bins(bins, chosen == Strategy::zero_quantile ? 3 : 2);
  const Matrix columns = matrix_of(x, "x");
  check_samples(columns.rows, "x");
  check(takes_packed(bins, columns.rows), "only codes of at most 16 bins and less than 2^22 samples can be packed");
  InformationParams params;
  params.estimator = estimator_of(correction, normalize, unit);
  Pairs& pairs = params.pairs;
  pairs.bins = bins;
  pairs.symmetric = !y.has_value();
  pairs.x = {nullptr, columns.cols, columns.rows};
  if (y.has_value()) {
    const Matrix others = matrix_of(*y, "y");
    check(others.rows == columns.rows, "x and y must have the same number of samples, have " +
                                           std::to_string(columns.rows) + " and " + std::to_string(others.rows));
    pairs.y = {nullptr, others.cols, others.rows};
  }
  const bool float64 = result_dtype(x) == DType::float64 || (y.has_value() && result_dtype(*y) == DType::float64);
  params.dtype = dtype_of_result(float64);
  const Tensor packed_x = packed_codes_of(x, bins, chosen, "x");
  const Tensor packed_y = y.has_value() ? packed_codes_of(*y, bins, chosen, "y") : packed_x;
  Tensor information = torch::stable::new_empty(x, {pairs.x.rows, pairs.partners().rows}, scalar_type(float64));
  params.information = information.mutable_data_ptr();
  if (is_empty(pairs)) return information;
  PairCall pair(x, pairs, Counting::automatic, true);
  const PackedPairs packed{static_cast<std::uint32_t*>(packed_x.mutable_data_ptr()),
                           static_cast<std::uint32_t*>(packed_y.mutable_data_ptr())};
  raise_code_fault(pair.call.wait(mutual_information_cuda(params, pair.context, pair.counting, packed)), pairs);
  return information;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(pruning_ext, library) {
  // Float64 nats by one of the numbered ways of counting of mi_cuda.h, for tests and measurements.
  library.def("_mutual_information_by(Tensor codes_x, Tensor? codes_y, int bins, int counting) -> Tensor");
  // Mutual information of columns x [T, N] and y [T, M] of at most 16 bins, whose codes are never more than 4 bits.
  library.def(
      "_mutual_information_of(Tensor x, Tensor? y, int bins, str strategy, str correction, str normalize, str unit) -> "
      "Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CUDA, library) {
  library.impl("discretize", TORCH_BOX(&discretize));
  library.impl("encode", TORCH_BOX(&encode));
  library.impl("contingency", TORCH_BOX(&contingency));
  library.impl("mutual_information", TORCH_BOX(&mutual_information));
  library.impl("_mutual_information_by", TORCH_BOX(&mutual_information_by));
  library.impl("_mutual_information_of", TORCH_BOX(&mutual_information_of));
  library.impl("mutual_information_topk", TORCH_BOX(&mutual_information_topk));
  library.impl("mutual_information_sum", TORCH_BOX(&mutual_information_sum));
}

}  // namespace pruning_ext::mi
