// `pruning_ext._core`: what this build and this CPU can do, and the ops on NumPy arrays. No torch here. The public
// face, with docstrings and broadcasting, is pruning_ext/numpy.py, which hands over arrays of two dimensions.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/cpu_isa.h"
#include "common/probe_kernels.h"
#include "common/threads.h"
#include "kde/kde.h"
#include "ken/ken.h"
#include "mi/mi_names.h"

namespace py = pybind11;

namespace pruning_ext {
namespace {

using Doubles = py::array_t<double, py::array::c_style>;

void check(bool condition, const std::string& sentence) {
  if (!condition) throw py::value_error(sentence);
}

void raise_fault(const Status& status, const char* subject) {
  check(static_cast<bool>(status), fault_sentence(status, subject));
}

Matrix matrix_of(const py::array& array, const char* name) {
  check(array.ndim() == 2, std::string(name) + " must have 2 dimensions, has " + std::to_string(array.ndim()));
  const py::ssize_t size = array.itemsize();
  const bool is_float = array.dtype().kind() == 'f' && array.dtype().byteorder() != '>' && size <= 8;
  if (!is_float) throw py::type_error(std::string(name) + " must be float64, float32 or float16 in native byte order");
  check(array.strides(0) % size == 0 && array.strides(1) % size == 0,
        std::string(name) + " must have strides that are whole elements; copy it first");
  const DType dtype = size == 8 ? DType::float64 : size == 4 ? DType::float32 : DType::float16;
  return {array.data(), dtype, array.shape(0), array.shape(1), array.strides(0) / size, array.strides(1) / size};
}

Matrix rows_of(const py::array& array, const char* name) {
  const Matrix matrix = matrix_of(array, name);
  check(matrix.cols > 0 || matrix.rows == 0, std::string(name) + " has rows without entries");
  return matrix;
}

Matrix weights_of(const std::optional<py::array>& weights, const Matrix& samples) {
  if (!weights.has_value()) return {};
  const Matrix w = matrix_of(*weights, "weights");
  check(w.rows == samples.rows && w.cols == samples.cols, "weights must have the shape of samples");
  return w;
}

const double* bandwidth_of(const Doubles& bandwidth, const Matrix& samples) {
  check(bandwidth.ndim() == 1 && bandwidth.shape(0) == samples.rows, "bandwidth must have one entry for each row");
  return bandwidth.data();
}

kde::Accuracy accuracy_for(std::optional<double> rtol, DType dtype) {
  return kde::accuracy_for(rtol.value_or(dtype == DType::float64 ? 1e-12 : 1e-5));
}

py::array empty_like_result(const Matrix& samples, py::ssize_t cols) {
  const char* dtype = samples.dtype == DType::float64 ? "float64" : "float32";
  return py::array(py::dtype(dtype), {static_cast<py::ssize_t>(samples.rows), cols});
}

DType result_dtype(const Matrix& samples) { return samples.dtype == DType::float64 ? DType::float64 : DType::float32; }

py::array gaussian_kde(const py::array& samples, const py::array& points, const Doubles& bandwidth,
                       const std::optional<py::array>& weights, bool log, bool leave_one_out,
                       std::optional<double> rtol, unsigned num_threads) {
  kde::KdeParams params;
  params.samples = rows_of(samples, "samples");
  params.points = matrix_of(points, "points");
  check(params.points.rows == params.samples.rows, "points must have a row for each row of samples");
  check(!leave_one_out || params.points.cols == params.samples.cols, "leave_one_out needs a point for each sample");
  params.bandwidth = bandwidth_of(bandwidth, params.samples);
  params.weights = weights_of(weights, params.samples);
  params.accuracy = accuracy_for(rtol, params.samples.dtype);
  params.log = log;
  params.leave_one_out = leave_one_out;
  py::array density = empty_like_result(params.samples, params.points.cols);
  params.density = density.mutable_data();
  params.density_dtype = result_dtype(params.samples);
  Status status;
  {
    py::gil_scoped_release release;
    status = kde::gaussian_kde_cpu(params, thread_for(num_threads));
  }
  raise_fault(status, "samples");
  return density;
}

py::tuple gaussian_kde_grid(const py::array& samples, std::int64_t num_points, const Doubles& bandwidth,
                            std::optional<double> rtol, unsigned num_threads) {
  kde::GridParams params;
  params.samples = rows_of(samples, "samples");
  check(num_points >= 1, "num_points must be at least 1");
  params.num_points = num_points;
  params.bandwidth = bandwidth_of(bandwidth, params.samples);
  params.accuracy = accuracy_for(rtol, params.samples.dtype);
  params.dtype = result_dtype(params.samples);
  py::array grid = empty_like_result(params.samples, num_points),
            density = empty_like_result(params.samples, num_points);
  params.grid = grid.mutable_data();
  params.density = density.mutable_data();
  Status status;
  {
    py::gil_scoped_release release;
    status = kde::gaussian_kde_grid_cpu(params, thread_for(num_threads));
  }
  raise_fault(status, "samples");
  return py::make_tuple(grid, density);
}

Doubles kde_bandwidth(const py::array& samples, const std::optional<py::array>& weights, const std::string& rule,
                      unsigned num_threads) {
  kde::BandwidthParams params;
  params.samples = rows_of(samples, "samples");
  params.weights = weights_of(weights, params.samples);
  const std::optional<kde::BandwidthRule> known = kde::rule_named(rule);
  check(known.has_value(), kde::unknown_rule(rule));
  params.rule = *known;
  Doubles bandwidth(params.samples.rows);
  params.bandwidth = bandwidth.mutable_data();
  Status status;
  {
    py::gil_scoped_release release;
    status = kde::bandwidth_cpu(params, thread_for(num_threads));
  }
  raise_fault(status, "samples");
  return bandwidth;
}

py::array_t<bool> ken_mask(const py::array& weight, std::int64_t k, bool keep_ties, unsigned num_threads) {
  ken::KenParams params;
  params.weight = matrix_of(weight, "weight");
  check(k >= 0, "k must not be negative, is " + std::to_string(k));
  params.k = k;
  params.keep_ties = keep_ties;
  py::array_t<bool> mask({params.weight.rows, params.weight.cols});
  params.mask = mask.mutable_data();
  Status status;
  {
    py::gil_scoped_release release;
    status = ken::ken_mask_cpu(params, thread_for(num_threads));
  }
  raise_fault(status, "weight");
  return mask;
}

using Bytes = py::array_t<std::uint8_t>;
using MaybeBytes = std::optional<Bytes>;

py::array empty_result(bool float64, std::vector<py::ssize_t> shape) {
  return py::array(py::dtype(float64 ? "float64" : "float32"), std::move(shape));
}

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

// Runs `work(threads)` without the interpreter's lock; a fault in codes counts the rows of x first, then those of y.
template <typename Work>
void count_pairs(const mi::Pairs& pairs, unsigned num_threads, Work work) {
  Status status;
  {
    py::gil_scoped_release release;
    status = work(thread_for(num_threads));
  }
  const bool in_y = status.row >= pairs.x.rows;
  if (in_y) status.row -= pairs.x.rows;
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
  Bytes codes({params.x.cols, params.x.rows});
  py::array edges = empty_result(params.x.dtype == DType::float64, {params.x.cols, bins - 1});
  params.codes = codes.mutable_data();
  params.edges = edges.mutable_data();
  params.edges_dtype = result_dtype(params.x);
  Status status;
  {
    py::gil_scoped_release release;
    status = mi::discretize_cpu(params, thread_for(num_threads));
  }
  check(static_cast<bool>(status), fault_sentence(status, "x", "column"));
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
  Status status;
  {
    py::gil_scoped_release release;
    status = mi::encode_cpu(params, thread_for(num_threads));
  }
  check(static_cast<bool>(status), fault_sentence(status, "x", "column"));
  return codes;
}

py::array_t<std::int32_t> contingency(const Bytes& codes_x, const MaybeBytes& codes_y, std::int64_t bins,
                                      unsigned num_threads) {
  const mi::Pairs pairs = pairs_of(codes_x, codes_y, bins);
  py::array_t<std::int32_t> counts({pairs.x.rows, pairs.partners().rows, bins, bins});
  const mi::ContingencyParams params{pairs, counts.mutable_data()};
  count_pairs(pairs, num_threads, [&](const ParallelFor& threads) { return mi::contingency_cpu(params, threads); });
  return counts;
}

py::array mutual_information(const Bytes& codes_x, const MaybeBytes& codes_y, std::int64_t bins,
                             const std::string& correction, const std::string& normalize, const std::string& unit,
                             bool float64, unsigned num_threads) {
  mi::InformationParams params;
  params.pairs = pairs_of(codes_x, codes_y, bins);
  params.estimator = estimator_of(correction, normalize, unit);
  params.dtype = float64 ? DType::float64 : DType::float32;
  py::array information = empty_result(float64, {params.pairs.x.rows, params.pairs.partners().rows});
  params.information = information.mutable_data();
  count_pairs(params.pairs, num_threads,
              [&](const ParallelFor& threads) { return mi::mutual_information_cpu(params, threads); });
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
  py::array values = empty_result(float64, {params.pairs.x.rows, k});
  py::array_t<std::int64_t> indices({params.pairs.x.rows, k});
  params.values = values.mutable_data();
  params.indices = indices.mutable_data();
  count_pairs(params.pairs, num_threads, [&](const ParallelFor& threads) { return mi::top_k_cpu(params, threads); });
  return py::make_tuple(values, indices);
}

Doubles mutual_information_sum(const Bytes& codes_x, const MaybeBytes& codes_y, std::int64_t bins,
                               const std::string& correction, const std::string& normalize, const std::string& unit,
                               unsigned num_threads) {
  const mi::Pairs pairs = pairs_of(codes_x, codes_y, bins);
  Doubles sums(pairs.x.rows);
  const mi::SumParams params{pairs, estimator_of(correction, normalize, unit), sums.mutable_data()};
  count_pairs(pairs, num_threads, [&](const ParallelFor& threads) { return mi::sum_cpu(params, threads); });
  return sums;
}

// Runs a probe `repeats` times on this thread; how many elementary steps that were, for the caller to time.
std::int64_t probe_steps(const std::string& name, std::int64_t repeats) {
  const probe::Kernels& kernels = probe::active_kernels();
  constexpr std::size_t words = 1024;  // two of them in the first cache
  const std::vector<std::uint64_t> a(words, 0x5555aaaa3333ccccu), b(words, 0x0ff0f00f0f0ff0f0u);
  check(name == "and_popcount" || name == "carry_save", "no probe is called " + name);
  check(repeats >= 0, "repeats must not be negative, is " + std::to_string(repeats));
  py::gil_scoped_release release;
  if (name == "and_popcount") {
    kernels.and_popcount(a.data(), b.data(), words, repeats);
    return repeats * std::int64_t{words} * 64;
  }
  kernels.carry_save(a[0], repeats);
  return repeats * kernels.additions_per_repeat;
}

}  // namespace
}  // namespace pruning_ext

PYBIND11_MODULE(_core, module) {
  using namespace pruning_ext;
  using py::arg;
  module.doc() = "The torch-free core of pruning_ext; pruning_ext.numpy is its public face.";
  module.def("isa", [] { return std::string(isa_name(cpu_isa())); }, "The instruction set that the kernels use here.");
  module.def("gaussian_kde", &gaussian_kde, arg("samples").noconvert(), arg("points").noconvert(), arg("bandwidth"),
             arg("weights"), arg("log"), arg("leave_one_out"), arg("rtol"), arg("num_threads"));
  module.def("gaussian_kde_grid", &gaussian_kde_grid, arg("samples").noconvert(), arg("num_points"), arg("bandwidth"),
             arg("rtol"), arg("num_threads"));
  module.def("kde_bandwidth", &kde_bandwidth, arg("samples").noconvert(), arg("weights"), arg("rule"),
             arg("num_threads"));
  module.def("ken_mask", &ken_mask, arg("weight").noconvert(), arg("k"), arg("keep_ties"), arg("num_threads"));
  // Mutual information takes its arguments as pruning_ext/_numpy_mi.py hands them over, checked and in order.
  module.def("discretize", &discretize);
  module.def("encode", &encode);
  module.def("contingency", &contingency);
  module.def("mutual_information", &mutual_information);
  module.def("mutual_information_topk", &mutual_information_topk);
  module.def("mutual_information_sum", &mutual_information_sum);
  module.def("probe_steps", &probe_steps, arg("name"), arg("repeats"),
             "Runs `and_popcount` or `carry_save` for pruning_ext.bench; the number of bits it went through.");
}
