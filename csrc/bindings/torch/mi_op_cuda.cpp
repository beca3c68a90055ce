#include <tuple>

#include "bindings/torch/cuda_op.h"
#include "bindings/torch/mi_op.h"
#include "mi/cuda/discretize_cuda.h"
#include "mi/cuda/mi_cuda.h"

namespace pruning_ext::mi {
namespace {

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
  const auto [params, codes, edges] = prepare_discretize(x, bins, strategy);
  if (params.x.cols == 0) return {codes, edges};
  CudaCall call(x);
  const CudaContext& context = call.with_workspace(discretize_cuda_workspace(params, call.context()));
  call.finish(discretize_cuda(params, context), "x", "column");
  return {codes, edges};
}

Tensor encode(const Tensor& x, const Tensor& edges) {
  const auto [params, codes] = prepare_encode(x, edges);
  if (params.x.cols == 0) return codes;
  CudaCall call(x);
  call.finish(encode_cuda(params, call.context()), "x", "column");
  return codes;
}

Tensor contingency(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins) {
  const auto [params, counts] = prepare_contingency(codes_x, codes_y, bins);
  if (is_empty(params.pairs)) return counts;
  PairCall pair(codes_x, params.pairs, Counting::atomics);
  raise_code_fault(pair.call.wait(contingency_cuda(params, pair.context)), params.pairs);
  return counts;
}

Tensor mutual_information(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                          const std::string& correction, const std::string& normalize, const std::string& unit,
                          bool float64) {
  const auto [params, information] = prepare_information(codes_x, pairs_of(codes_x, codes_y, bins),
                                                         estimator_of(correction, normalize, unit), float64);
  if (is_empty(params.pairs)) return information;
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(mutual_information_cuda(params, pair.context, pair.counting)), params.pairs);
  return information;
}

std::tuple<Tensor, Tensor> mutual_information_topk(const Tensor& codes_x, std::int64_t k, const MaybeTensor& codes_y,
                                                   std::int64_t bins, const std::string& correction,
                                                   const std::string& normalize, const std::string& unit,
                                                   bool float64) {
  const auto [params, values, indices] =
      prepare_topk(codes_x, k, codes_y, bins, estimator_of(correction, normalize, unit), float64);
  if (is_empty(params.pairs)) return {values, indices};
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(top_k_cuda(params, pair.context, pair.counting)), params.pairs);
  return {values, indices};
}

Tensor mutual_information_sum(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                              const std::string& correction, const std::string& normalize, const std::string& unit) {
  const auto [params, sums] = prepare_sum(codes_x, codes_y, bins, estimator_of(correction, normalize, unit));
  if (is_empty(params.pairs)) return sums;
  PairCall pair(codes_x, params.pairs);
  raise_code_fault(pair.call.wait(sum_cuda(params, pair.context, pair.counting)), params.pairs);
  return sums;
}

Tensor mutual_information_by(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                             std::int64_t counting) {
  const auto [params, information] = prepare_information(codes_x, pairs_of(codes_x, codes_y, bins), Estimator{}, true);
  check(counting >= 0 && counting <= (bins <= 8    ? 3
                                      : bins <= 16 ? 5
                                      : bins <= 32 ? 2
                                                   : 1),
        "counting must be 0 or 1; with at most 32 bins it may be 2, with at most 16 it may be 3, with 9 to 16 4 or 5");
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
  const Estimator estimator = estimator_of(correction, normalize, unit);
  Pairs pairs;
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
  const Tensor packed_x = packed_codes_of(x, bins, chosen, "x");
  const Tensor packed_y = y.has_value() ? packed_codes_of(*y, bins, chosen, "y") : packed_x;
  const auto [params, information] = prepare_information(x, pairs, estimator, float64);
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
