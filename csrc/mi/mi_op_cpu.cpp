#include <tuple>

#include "mi/mi_op.h"

namespace pruning_ext::mi {
namespace {

using MaybeTensor = std::optional<Tensor>;

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
  raise_fault(discretize_cpu(params, torch_parallel_for), "x", "column");
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
  raise_fault(encode_cpu(params, torch_parallel_for), "x", "column");
  return codes;
}

Tensor contingency(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins) {
  ContingencyParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  Tensor counts = torch::stable::new_empty(codes_x, {params.pairs.x.rows, params.pairs.partners().rows, bins, bins},
                                           ScalarType::Int);
  params.counts = static_cast<std::int32_t*>(counts.mutable_data_ptr());
  raise_code_fault(contingency_cpu(params, torch_parallel_for), params.pairs);
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
  raise_code_fault(mutual_information_cpu(params, torch_parallel_for), params.pairs);
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
  raise_code_fault(top_k_cpu(params, torch_parallel_for), params.pairs);
  return {values, indices};
}

Tensor mutual_information_sum(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                              const std::string& correction, const std::string& normalize, const std::string& unit) {
  SumParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator_of(correction, normalize, unit);
  Tensor sums = torch::stable::new_empty(codes_x, {params.pairs.x.rows}, ScalarType::Double);
  params.sums = static_cast<double*>(sums.mutable_data_ptr());
  raise_code_fault(sum_cpu(params, torch_parallel_for), params.pairs);
  return sums;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CPU, library) {
  library.impl("discretize", TORCH_BOX(&discretize));
  library.impl("encode", TORCH_BOX(&encode));
  library.impl("contingency", TORCH_BOX(&contingency));
  library.impl("mutual_information", TORCH_BOX(&mutual_information));
  library.impl("mutual_information_topk", TORCH_BOX(&mutual_information_topk));
  library.impl("mutual_information_sum", TORCH_BOX(&mutual_information_sum));
}

}  // namespace pruning_ext::mi
