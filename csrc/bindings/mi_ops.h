// Mutual information at both front doors: arguments checked, results allocated, and the ops on the CPU.
#pragma once

#include <tuple>

#include "bindings/arguments.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

inline void check_bins(std::int64_t bins, std::int64_t least = 2) {
  check(bins >= least && bins <= 256,
        "bins must be between " + std::to_string(least) + " and 256, is " + std::to_string(bins));
}

inline void check_samples(std::int64_t samples, const std::string& name) {
  check(samples >= 2, name + " must have at least 2 samples, has " + std::to_string(samples));
  check(samples <= INT32_MAX, name + " must have less than 2^31 samples, has " + std::to_string(samples));
}

inline void check_same_samples(std::int64_t x, std::int64_t y, const std::string& names) {
  check(x == y,
        names + " must have the same number of samples, have " + std::to_string(x) + " and " + std::to_string(y));
}

inline Strategy strategy_of(const std::string& name, std::int64_t bins) {
  const Strategy strategy = choice_of(kStrategies, name, "strategy");
  check_bins(bins, strategy == Strategy::zero_quantile ? 3 : 2);
  return strategy;
}

inline Estimator estimator_of(const std::string& correction, const std::string& normalize, const std::string& unit) {
  return {choice_of(kCorrections, correction, "correction"), choice_of(kNormalizations, normalize, "normalize"),
          choice_of(kUnits, unit, "unit")};
}

inline Matrix columns_of(const View& x, const std::string& name) {
  const Matrix matrix = matrix_of(x, name);
  check_samples(matrix.rows, name);
  return matrix;
}

inline Codes codes_of(const View& codes, const std::string& name) {
  check(codes.element == Element::uint8, name + " must be uint8");
  check_two_dimensions(codes, name);
  check_samples(codes.sizes[1], name);
  return {static_cast<const std::uint8_t*>(codes.data), codes.sizes[0], codes.sizes[1], codes.strides[0],
          codes.strides[1]};
}

template <typename Door>
Pairs pairs_of(const Array<Door>& codes_x, const MaybeArray<Door>& codes_y, std::int64_t bins) {
  check_bins(bins);
  Pairs pairs;
  pairs.x = codes_of(Door::view(codes_x), "codes_x");
  pairs.symmetric = !codes_y.has_value();
  pairs.bins = bins;
  if (codes_y.has_value()) {
    pairs.y = codes_of(Door::view(*codes_y), "codes_y");
    check_same_samples(pairs.x.samples, pairs.y.samples, "codes_x and codes_y");
  }
  return pairs;
}

inline void raise_code_fault(const Status& status, const Pairs& pairs) {
  raise_fault_of_two(status, pairs.x.rows, "codes_x", "codes_y");
}

// Codes and edges of the columns of x.
template <typename Door>
PreparedPair<DiscretizeParams, Door> prepare_discretize(const Array<Door>& x, std::int64_t bins,
                                                        const std::string& strategy, const std::string& name) {
  DiscretizeParams params;
  params.x = columns_of(Door::view(x), name);
  params.bins = bins;
  params.strategy = strategy_of(strategy, bins);
  params.edges_dtype = result_dtype(params.x.dtype);
  Array<Door> codes = Door::empty(x, Element::uint8, params.x.cols, params.x.rows);
  Array<Door> edges = Door::empty(x, element_of(params.edges_dtype), params.x.cols, bins - 1);
  params.codes = static_cast<std::uint8_t*>(Door::data(codes));
  params.edges = Door::data(edges);
  return {params, codes, edges};
}

template <typename Door>
Prepared<EncodeParams, Door> prepare_encode(const Array<Door>& x, const Array<Door>& edges) {
  EncodeParams params;
  params.x = matrix_of(Door::view(x), "x");
  params.edges_dtype = result_dtype(params.x.dtype);
  const View given = Door::view(edges);
  check(given.element == element_of(params.edges_dtype),
        "edges must be float64 for float64 x and float32 for every other");
  check(given.dimensions == 2 && given.sizes[0] == params.x.cols && given.sizes[1] <= 255 && given.contiguous,
        "edges must be contiguous, one row of at most 255 for each column of x");
  params.edges = given.data;
  params.num_edges = given.sizes[1];
  Array<Door> codes = Door::empty(x, Element::uint8, params.x.cols, params.x.rows);
  params.codes = static_cast<std::uint8_t*>(Door::data(codes));
  return {params, codes};
}

template <typename Door>
Prepared<ContingencyParams, Door> prepare_contingency(const Array<Door>& codes_x, const MaybeArray<Door>& codes_y,
                                                      std::int64_t bins) {
  ContingencyParams params;
  params.pairs = pairs_of<Door>(codes_x, codes_y, bins);
  Array<Door> counts =
      Door::empty(codes_x, Element::int32, params.pairs.x.rows, params.pairs.partners().rows, bins, bins);
  params.counts = static_cast<std::int32_t*>(Door::data(counts));
  return {params, counts};
}

template <typename Door>
Prepared<InformationParams, Door> prepare_information(const Array<Door>& codes_x, const MaybeArray<Door>& codes_y,
                                                      std::int64_t bins, const Estimator& estimator, bool float64) {
  InformationParams params;
  params.pairs = pairs_of<Door>(codes_x, codes_y, bins);
  params.estimator = estimator;
  params.dtype = float64 ? DType::float64 : DType::float32;
  Array<Door> information =
      Door::empty(codes_x, element_of(params.dtype), params.pairs.x.rows, params.pairs.partners().rows);
  params.information = Door::data(information);
  return {params, information};
}

template <typename Door>
Prepared<ColumnsParams, Door> prepare_columns(const Array<Door>& x, const MaybeArray<Door>& y, std::int64_t bins,
                                              const std::string& strategy, const Estimator& estimator) {
  ColumnsParams params;
  params.x = columns_of(Door::view(x), "x");
  params.symmetric = !y.has_value();
  if (y.has_value()) {
    params.y = columns_of(Door::view(*y), "y");
    check_same_samples(params.x.rows, params.y.rows, "x and y");
  }
  params.bins = bins;
  params.strategy = strategy_of(strategy, bins);
  params.estimator = estimator;
  const bool float64 = params.x.dtype == DType::float64 || params.partners().dtype == DType::float64;
  params.dtype = float64 ? DType::float64 : DType::float32;
  Array<Door> information = Door::empty(x, element_of(params.dtype), params.x.cols, params.partners().cols);
  params.information = Door::data(information);
  return {params, information};
}

// Values and indices of the k best partners of each row.
template <typename Door>
PreparedPair<TopKParams, Door> prepare_topk(const Array<Door>& codes_x, std::int64_t k, const MaybeArray<Door>& codes_y,
                                            std::int64_t bins, const Estimator& estimator, bool float64) {
  TopKParams params;
  params.pairs = pairs_of<Door>(codes_x, codes_y, bins);
  params.estimator = estimator;
  const std::int64_t own = params.pairs.symmetric && params.pairs.x.rows > 0 ? 1 : 0;
  const std::int64_t partners = params.pairs.partners().rows - own;
  check(k >= 0 && k <= partners,
        "k must be between 0 and the number of partners, " + std::to_string(partners) + ", is " + std::to_string(k));
  params.k = k;
  params.dtype = float64 ? DType::float64 : DType::float32;
  Array<Door> values = Door::empty(codes_x, element_of(params.dtype), params.pairs.x.rows, k);
  Array<Door> indices = Door::empty(codes_x, Element::int64, params.pairs.x.rows, k);
  params.values = Door::data(values);
  params.indices = static_cast<std::int64_t*>(Door::data(indices));
  return {params, values, indices};
}

template <typename Door>
Prepared<SumParams, Door> prepare_sum(const Array<Door>& codes_x, const MaybeArray<Door>& codes_y, std::int64_t bins,
                                      const Estimator& estimator) {
  SumParams params;
  params.pairs = pairs_of<Door>(codes_x, codes_y, bins);
  params.estimator = estimator;
  Array<Door> sums = Door::empty(codes_x, Element::float64, params.pairs.x.rows);
  params.sums = static_cast<double*>(Door::data(sums));
  return {params, sums};
}

template <typename Door>
std::tuple<Array<Door>, Array<Door>> discretize(const Door& door, const Array<Door>& x, std::int64_t bins,
                                                const std::string& strategy, const std::string& name) {
  const auto [params, codes, edges] = prepare_discretize<Door>(x, bins, strategy, name);
  raise_fault(door.run(discretize_cpu, params), name, "column");
  return {codes, edges};
}

template <typename Door>
Array<Door> encode(const Door& door, const Array<Door>& x, const Array<Door>& edges) {
  const auto [params, codes] = prepare_encode<Door>(x, edges);
  raise_fault(door.run(encode_cpu, params), "x", "column");
  return codes;
}

template <typename Door>
Array<Door> contingency(const Door& door, const Array<Door>& codes_x, const MaybeArray<Door>& codes_y,
                        std::int64_t bins) {
  const auto [params, counts] = prepare_contingency<Door>(codes_x, codes_y, bins);
  raise_code_fault(door.run(contingency_cpu, params), params.pairs);
  return counts;
}

template <typename Door>
Array<Door> mutual_information(const Door& door, const Array<Door>& codes_x, const MaybeArray<Door>& codes_y,
                               std::int64_t bins, const std::string& correction, const std::string& normalize,
                               const std::string& unit, bool float64) {
  const auto [params, information] =
      prepare_information<Door>(codes_x, codes_y, bins, estimator_of(correction, normalize, unit), float64);
  raise_code_fault(door.run(mutual_information_cpu, params), params.pairs);
  return information;
}

template <typename Door>
Array<Door> mutual_information_of_columns(const Door& door, const Array<Door>& x, const MaybeArray<Door>& y,
                                          std::int64_t bins, const std::string& strategy, const std::string& correction,
                                          const std::string& normalize, const std::string& unit) {
  const auto [params, information] =
      prepare_columns<Door>(x, y, bins, strategy, estimator_of(correction, normalize, unit));
  raise_fault_of_two(door.run(mutual_information_of_columns_cpu, params), params.x.cols, "x", "y", "column");
  return information;
}

template <typename Door>
std::tuple<Array<Door>, Array<Door>> mutual_information_topk(const Door& door, const Array<Door>& codes_x,
                                                             std::int64_t k, const MaybeArray<Door>& codes_y,
                                                             std::int64_t bins, const std::string& correction,
                                                             const std::string& normalize, const std::string& unit,
                                                             bool float64) {
  const auto [params, values, indices] =
      prepare_topk<Door>(codes_x, k, codes_y, bins, estimator_of(correction, normalize, unit), float64);
  raise_code_fault(door.run(top_k_cpu, params), params.pairs);
  return {values, indices};
}

template <typename Door>
Array<Door> mutual_information_sum(const Door& door, const Array<Door>& codes_x, const MaybeArray<Door>& codes_y,
                                   std::int64_t bins, const std::string& correction, const std::string& normalize,
                                   const std::string& unit) {
  const auto [params, sums] = prepare_sum<Door>(codes_x, codes_y, bins, estimator_of(correction, normalize, unit));
  raise_code_fault(door.run(sum_cpu, params), params.pairs);
  return sums;
}

template <typename Door, typename Registry>
void register_ops(Registry& registry) {
  // (codes uint8 [N, T], edges [N, bins - 1]) of the columns of x [T, N], which faults call `name`.
  registry.template op<&discretize<Door>>(
      "discretize", "(Tensor x, int bins, str strategy, str name='x') -> (Tensor codes, Tensor edges)");
  // Codes uint8 [N, T] of x [T, N] by edges [N, bins - 1] that are already there.
  registry.template op<&encode<Door>>("encode", "(Tensor x, Tensor edges) -> Tensor");
  // Joint counts int32 [N, M, bins, bins] of codes [N, T] and [M, T]; no codes_y: codes_x with itself, here and below.
  registry.template op<&contingency<Door>>("contingency", "(Tensor codes_x, Tensor? codes_y, int bins) -> Tensor");
  // Mutual information [N, M] of all pairs of rows of codes.
  registry.template op<&mutual_information<Door>>(
      "mutual_information",
      "(Tensor codes_x, Tensor? codes_y, int bins, str correction, str normalize, str unit, bool float64) -> Tensor");
  // The same of all pairs of columns of x [T, N] and y [T, M]; no y: of x with itself.
  registry.template op<&mutual_information_of_columns<Door>>(
      "mutual_information_of_columns",
      "(Tensor x, Tensor? y, int bins, str strategy, str correction, str normalize, str unit) -> Tensor");
  // The k best partners of each row, both [N, k], without the [N, M] matrix.
  registry.template op<&mutual_information_topk<Door>>(
      "mutual_information_topk",
      "(Tensor codes_x, int k, Tensor? codes_y, int bins, str correction, str normalize, str unit, bool float64) -> "
      "(Tensor values, Tensor indices)");
  // Each row's sum over its partners, float64 [N], without the [N, M] matrix.
  registry.template op<&mutual_information_sum<Door>>(
      "mutual_information_sum",
      "(Tensor codes_x, Tensor? codes_y, int bins, str correction, str normalize, str unit) -> Tensor");
}

}  // namespace pruning_ext::mi
