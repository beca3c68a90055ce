// Arguments and results of the mutual information ops: checked, and allocated, once for every device.
#pragma once

#include <optional>
#include <string>

#include "bindings/mi_names.h"
#include "bindings/torch/torch_op.h"

namespace pruning_ext::mi {

using MaybeTensor = std::optional<Tensor>;

// What a kernel takes, and the tensors that it points to and writes.
template <typename Params>
struct Prepared {
  Params params;
  Tensor result;
};

template <typename Params>
struct PreparedPair {
  Params params;
  Tensor first, second;
};

inline void check_bins(std::int64_t bins, std::int64_t least = 2) {
  check(bins >= least && bins <= 256,
        "bins must be between " + std::to_string(least) + " and 256, is " + std::to_string(bins));
}

inline void check_samples(std::int64_t samples, const char* name) {
  check(samples >= 2, std::string(name) + " must have at least 2 samples, has " + std::to_string(samples));
  check(samples <= INT32_MAX, std::string(name) + " must have less than 2^31 samples, has " + std::to_string(samples));
}

inline Strategy strategy_of(const std::string& name) {
  const std::optional<Strategy> known = strategy_named(name);
  check(known.has_value(), "strategy must be 'quantile', 'uniform' or 'zero-quantile', is '" + name + "'");
  return *known;
}

inline Codes codes_of(const Tensor& codes, const char* name) {
  check(codes.scalar_type() == ScalarType::Byte, std::string(name) + " must be uint8");
  check(codes.dim() == 2, std::string(name) + " must have 2 dimensions [N, T], has " + std::to_string(codes.dim()));
  check_samples(codes.size(1), name);
  return {static_cast<const std::uint8_t*>(codes.const_data_ptr()), codes.size(0), codes.size(1), codes.stride(0),
          codes.stride(1)};
}

inline Pairs pairs_of(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins) {
  check_bins(bins);
  Pairs pairs;
  pairs.x = codes_of(codes_x, "codes_x");
  pairs.symmetric = !codes_y.has_value();
  pairs.bins = bins;
  if (codes_y.has_value()) {
    pairs.y = codes_of(*codes_y, "codes_y");
    check(pairs.x.samples == pairs.y.samples, "codes_x and codes_y must have the same number of samples, have " +
                                                  std::to_string(pairs.x.samples) + " and " +
                                                  std::to_string(pairs.y.samples));
  }
  return pairs;
}

inline Estimator estimator_of(const std::string& correction, const std::string& normalize, const std::string& unit) {
  const std::optional<Estimator> known = estimator_named(correction, normalize, unit);
  check(known.has_value(), "correction must be None or 'miller-madow', is '" + correction +
                               "'; normalize None, 'min', 'sqrt', 'max' or 'mean', is '" + normalize +
                               "'; unit 'nats' or 'bits', is '" + unit + "'");
  return *known;
}

inline ScalarType scalar_type(bool float64) { return float64 ? ScalarType::Double : ScalarType::Float; }

inline DType dtype_of_result(bool float64) { return float64 ? DType::float64 : DType::float32; }

// A fault counts the rows of x first, then those of y.
inline void raise_code_fault(Status status, const Pairs& pairs) {
  const bool in_y = status.row >= pairs.x.rows;
  if (in_y) status.row -= pairs.x.rows;
  raise_fault(status, in_y ? "codes_y" : "codes_x");
}

// Codes and edges of the columns of x.
inline PreparedPair<DiscretizeParams> prepare_discretize(const Tensor& x, std::int64_t bins,
                                                         const std::string& strategy) {
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
  return {params, codes, edges};
}

inline Prepared<EncodeParams> prepare_encode(const Tensor& x, const Tensor& edges) {
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
  return {params, codes};
}

inline Prepared<ContingencyParams> prepare_contingency(const Tensor& codes_x, const MaybeTensor& codes_y,
                                                       std::int64_t bins) {
  ContingencyParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  Tensor counts = torch::stable::new_empty(codes_x, {params.pairs.x.rows, params.pairs.partners().rows, bins, bins},
                                           ScalarType::Int);
  params.counts = static_cast<std::int32_t*>(counts.mutable_data_ptr());
  return {params, counts};
}

inline Prepared<InformationParams> prepare_information(const Tensor& like, const Pairs& pairs,
                                                       const Estimator& estimator, bool float64) {
  InformationParams params;
  params.pairs = pairs;
  params.estimator = estimator;
  params.dtype = dtype_of_result(float64);
  Tensor information = torch::stable::new_empty(like, {pairs.x.rows, pairs.partners().rows}, scalar_type(float64));
  params.information = information.mutable_data_ptr();
  return {params, information};
}

// Values and indices of the k best partners of each row.
inline PreparedPair<TopKParams> prepare_topk(const Tensor& codes_x, std::int64_t k, const MaybeTensor& codes_y,
                                             std::int64_t bins, const Estimator& estimator, bool float64) {
  TopKParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator;
  const std::int64_t own = params.pairs.symmetric && params.pairs.x.rows > 0 ? 1 : 0;
  const std::int64_t partners = params.pairs.partners().rows - own;
  check(k >= 0 && k <= partners,
        "k must be between 0 and the number of partners, " + std::to_string(partners) + ", is " + std::to_string(k));
  params.k = k;
  params.dtype = dtype_of_result(float64);
  Tensor values = torch::stable::new_empty(codes_x, {params.pairs.x.rows, k}, scalar_type(float64));
  Tensor indices = torch::stable::new_empty(codes_x, {params.pairs.x.rows, k}, ScalarType::Long);
  params.values = values.mutable_data_ptr();
  params.indices = static_cast<std::int64_t*>(indices.mutable_data_ptr());
  return {params, values, indices};
}

inline Prepared<SumParams> prepare_sum(const Tensor& codes_x, const MaybeTensor& codes_y, std::int64_t bins,
                                       const Estimator& estimator) {
  SumParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator;
  Tensor sums = torch::stable::new_empty(codes_x, {params.pairs.x.rows}, ScalarType::Double);
  params.sums = static_cast<double*>(sums.mutable_data_ptr());
  return {params, sums};
}

}  // namespace pruning_ext::mi
