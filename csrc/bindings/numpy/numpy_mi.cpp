// Mutual information on NumPy arrays: pruning_ext/numpy/mi.py hands arguments over, checked and in order.
#include <cstdint>
#include <optional>
#include <string>

#include "bindings/mi_names.h"
#include "bindings/numpy/numpy_arrays.h"

namespace pruning_ext {
namespace {

using Doubles = py::array_t<double>;
using Bytes = py::array_t<std::uint8_t>;
using MaybeBytes = std::optional<Bytes>;

mi::Codes codes_of(const Bytes& codes, const char* name) {
  check(codes.ndim() == 2, std::string(name) + " must have 2 dimensions, has " + std::to_string(codes.ndim()));
  check(codes.shape(1) >= 2 && codes.shape(1) <= INT32_MAX, std::string(name) + " must have 2 to 2^31 - 1 samples");
  return {codes.data(), codes.shape(0), codes.shape(1), codes.strides(0), codes.strides(1)};
}

mi::Pairs pairs_of(const Bytes& codes_x, const MaybeBytes& codes_y, std::int64_t bins) {
  check(bins >= 2 && bins <= 256, "bins must be between 2 and 256, is " + std::to_string(bins));
  mi::Pairs pairs;
  pairs.x = codes_of(codes_x, "codes_x");
  pairs.symmetric = !codes_y.has_value();
  if (codes_y.has_value()) pairs.y = codes_of(*codes_y, "codes_y");
  check(pairs.symmetric || pairs.x.samples == pairs.y.samples, "codes_x and codes_y must have the same samples");
  pairs.bins = bins;
  return pairs;
}

mi::Estimator estimator_of(const std::string& correction, const std::string& normalize, const std::string& unit) {
  const std::optional<mi::Estimator> known = mi::estimator_named(correction, normalize, unit);
  check(known.has_value(), "correction, normalize or unit is unknown: " + correction + ", " + normalize + ", " + unit);
  return *known;
}

// A fault in codes counts the rows of x first, then those of y.
template <typename Params>
void count_pairs(Status (*kernel)(const Params&, const ParallelFor&), const Params& params, unsigned num_threads) {
  Status status = run(kernel, params, num_threads);
  const bool in_y = status.row >= params.pairs.x.rows;
  if (in_y) status.row -= params.pairs.x.rows;
  raise_fault(status, in_y ? "codes_y" : "codes_x");
}

py::tuple discretize(const py::array& x, std::int64_t bins, const std::string& strategy, unsigned num_threads) {
  mi::DiscretizeParams params;
  params.x = matrix_of(x, "x");
  params.bins = bins;
  const std::optional<mi::Strategy> known = mi::strategy_named(strategy);
  check(known.has_value(), "strategy is unknown: " + strategy);
  params.strategy = *known;
  const std::int64_t least = *known == mi::Strategy::zero_quantile ? 3 : 2;
  check(bins >= least && bins <= 256, "bins must be between " + std::to_string(least) + " and 256");
  check(params.x.rows >= 2 && params.x.rows <= INT32_MAX, "x must have 2 to 2^31 - 1 samples");
  params.edges_dtype = result_dtype(params.x);
  Bytes codes({params.x.cols, params.x.rows});
  py::array edges = empty_result(params.edges_dtype, {params.x.cols, bins - 1});
  params.codes = codes.mutable_data();
  params.edges = edges.mutable_data();
  raise_fault(run(mi::discretize_cpu, params, num_threads), "x", "column");
  return py::make_tuple(codes, edges);
}

Bytes encode(const py::array& x, const py::array& edges, unsigned num_threads) {
  mi::EncodeParams params;
  params.x = matrix_of(x, "x");
  const Matrix given = matrix_of(edges, "edges");
  check(given.rows == params.x.cols && given.cols <= 255 && given.dtype == result_dtype(params.x) &&
            (edges.flags() & py::array::c_style) != 0,
        "edges must be contiguous [N, bins - 1], float64 for float64 x and float32 for every other");
  params.edges = given.data;
  params.num_edges = given.cols;
  params.edges_dtype = given.dtype;
  Bytes codes({params.x.cols, params.x.rows});
  params.codes = codes.mutable_data();
  raise_fault(run(mi::encode_cpu, params, num_threads), "x", "column");
  return codes;
}

py::array_t<std::int32_t> contingency(const Bytes& codes_x, const MaybeBytes& codes_y, std::int64_t bins,
                                      unsigned num_threads) {
  const mi::Pairs pairs = pairs_of(codes_x, codes_y, bins);
  py::array_t<std::int32_t> counts({pairs.x.rows, pairs.partners().rows, bins, bins});
  const mi::ContingencyParams params{pairs, counts.mutable_data()};
  count_pairs(mi::contingency_cpu, params, num_threads);
  return counts;
}

py::array mutual_information(const Bytes& codes_x, const MaybeBytes& codes_y, std::int64_t bins,
                             const std::string& correction, const std::string& normalize, const std::string& unit,
                             bool float64, unsigned num_threads) {
  mi::InformationParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator_of(correction, normalize, unit);
  params.dtype = float64 ? DType::float64 : DType::float32;
  py::array information = empty_result(params.dtype, {params.pairs.x.rows, params.pairs.partners().rows});
  params.information = information.mutable_data();
  count_pairs(mi::mutual_information_cpu, params, num_threads);
  return information;
}

py::tuple mutual_information_topk(const Bytes& codes_x, std::int64_t k, const MaybeBytes& codes_y, std::int64_t bins,
                                  const std::string& correction, const std::string& normalize, const std::string& unit,
                                  bool float64, unsigned num_threads) {
  mi::TopKParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator_of(correction, normalize, unit);
  params.dtype = float64 ? DType::float64 : DType::float32;
  const std::int64_t own = params.pairs.symmetric && params.pairs.x.rows > 0 ? 1 : 0;
  check(k >= 0 && k <= params.pairs.partners().rows - own, "k must be between 0 and the number of partners");
  params.k = k;
  py::array values = empty_result(params.dtype, {params.pairs.x.rows, k});
  py::array_t<std::int64_t> indices({params.pairs.x.rows, k});
  params.values = values.mutable_data();
  params.indices = indices.mutable_data();
  count_pairs(mi::top_k_cpu, params, num_threads);
  return py::make_tuple(values, indices);
}

Doubles mutual_information_sum(const Bytes& codes_x, const MaybeBytes& codes_y, std::int64_t bins,
                               const std::string& correction, const std::string& normalize, const std::string& unit,
                               unsigned num_threads) {
  const mi::Pairs pairs = pairs_of(codes_x, codes_y, bins);
  Doubles sums(pairs.x.rows);
  const mi::SumParams params{pairs, estimator_of(correction, normalize, unit), sums.mutable_data()};
  count_pairs(mi::sum_cpu, params, num_threads);
  return sums;
}

}  // namespace

void define_mutual_information(py::module_& module) {
  module.def("discretize", &discretize);
  module.def("encode", &encode);
  module.def("contingency", &contingency);
  module.def("mutual_information", &mutual_information);
  module.def("mutual_information_topk", &mutual_information_topk);
  module.def("mutual_information_sum", &mutual_information_sum);
}

}  // namespace pruning_ext
