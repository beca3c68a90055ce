#include <tuple>

#include "bindings/torch/mi_op.h"

namespace pruning_ext::mi {
namespace {

std::tuple<Tensor, Tensor> discretize(const Tensor& x, std::int64_t bins, const std::string& strategy) {
  const auto [params, codes, edges] = prepare_discretize(x, bins, strategy);
  raise_fault(discretize_cpu(params, torch_parallel_for), "x", "column");
  return {codes, edges};
}

Tensor encode(const Tensor& x, const Tensor& edges) {
  const auto [params, codes] = prepare_encode(x, edges);
  raise_fault(encode_cpu(params, torch_parallel_for), "x", "column");
  return codes;
}

Tensor contingency(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins) {
  const auto [params, counts] = prepare_contingency(codes_x, codes_y, bins);
  raise_code_fault(contingency_cpu(params, torch_parallel_for), params.pairs);
  return counts;
}

Tensor mutual_information(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                          const std::string& correction, const std::string& normalize, const std::string& unit,
                          bool float64) {
  const auto [params, information] = prepare_information(codes_x, pairs_of(codes_x, codes_y, bins),
                                                         estimator_of(correction, normalize, unit), float64);
  raise_code_fault(mutual_information_cpu(params, torch_parallel_for), params.pairs);
  return information;
}

std::tuple<Tensor, Tensor> mutual_information_topk(const Tensor& codes_x, std::int64_t k, const MaybeTensor& codes_y,
                                                   std::int64_t bins, const std::string& correction,
                                                   const std::string& normalize, const std::string& unit,
                                                   bool float64) {
  const auto [params, values, indices] =
      prepare_topk(codes_x, k, codes_y, bins, estimator_of(correction, normalize, unit), float64);
  raise_code_fault(top_k_cpu(params, torch_parallel_for), params.pairs);
  return {values, indices};
}

Tensor mutual_information_sum(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                              const std::string& correction, const std::string& normalize, const std::string& unit) {
  const auto [params, sums] = prepare_sum(codes_x, codes_y, bins, estimator_of(correction, normalize, unit));
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
