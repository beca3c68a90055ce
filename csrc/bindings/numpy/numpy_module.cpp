// `pruning_ext._core`: what this build and this CPU can do, and the ops on NumPy arrays: those of rows here, mutual
// information in numpy_mi.cpp. No torch. The public face, with docstrings and broadcasting, is pruning_ext/numpy.py,
// which hands over arrays of two dimensions.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bindings/numpy/numpy_arrays.h"
#include "common/cpu_isa.h"
#include "common/probe_kernels.h"
#include "kde/kde.h"
#include "ken/ken.h"

namespace pruning_ext {
namespace {

using Doubles = py::array_t<double, py::array::c_style>;

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
  params.density_dtype = result_dtype(params.samples);
  py::array density = empty_result(params.density_dtype, {params.samples.rows, params.points.cols});
  params.density = density.mutable_data();
  raise_fault(run(kde::gaussian_kde_cpu, params, num_threads), "samples");
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
  py::array grid = empty_result(params.dtype, {params.samples.rows, num_points});
  py::array density = empty_result(params.dtype, {params.samples.rows, num_points});
  params.grid = grid.mutable_data();
  params.density = density.mutable_data();
  raise_fault(run(kde::gaussian_kde_grid_cpu, params, num_threads), "samples");
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
  raise_fault(run(kde::bandwidth_cpu, params, num_threads), "samples");
  return bandwidth;
}

py::array_t<bool> ken_mask(const py::array& weight, std::int64_t k, bool keep_ties, unsigned num_threads) {
  ken::KenParams params;
  params.weight = matrix_of(weight, "weight");
  check(params.weight.cols <= INT32_MAX,
        "weight must have less than 2^31 entries in a row, has " + std::to_string(params.weight.cols));
  check(k >= 0, "k must not be negative, is " + std::to_string(k));
  params.k = k;
  params.keep_ties = keep_ties;
  py::array_t<bool> mask({params.weight.rows, params.weight.cols});
  params.mask = mask.mutable_data();
  raise_fault(run(ken::ken_mask_cpu, params, num_threads), "weight");
  return mask;
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
  module.def("isa_problem", &isa_problem, "A sentence if PRUNING_EXT_ISA names no instruction set, else empty.");
  module.def("gaussian_kde", &gaussian_kde, arg("samples").noconvert(), arg("points").noconvert(), arg("bandwidth"),
             arg("weights"), arg("log"), arg("leave_one_out"), arg("rtol"), arg("num_threads"));
  module.def("gaussian_kde_grid", &gaussian_kde_grid, arg("samples").noconvert(), arg("num_points"), arg("bandwidth"),
             arg("rtol"), arg("num_threads"));
  module.def("kde_bandwidth", &kde_bandwidth, arg("samples").noconvert(), arg("weights"), arg("rule"),
             arg("num_threads"));
  module.def("ken_mask", &ken_mask, arg("weight").noconvert(), arg("k"), arg("keep_ties"), arg("num_threads"));
  define_mutual_information(module);
  module.def("probe_steps", &probe_steps, arg("name"), arg("repeats"),
             "Runs `and_popcount` or `carry_save` for pruning_ext.bench; the number of bits it went through.");
}
