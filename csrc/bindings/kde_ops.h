// Gaussian kernel density at both front doors: arguments checked, results allocated, and the ops on the CPU.
#pragma once

#include <tuple>

#include "bindings/arguments.h"
#include "kde/kde.h"

namespace pruning_ext::kde {

inline Accuracy accuracy_of(std::optional<double> rtol, DType dtype) {
  return accuracy_for(rtol.value_or(dtype == DType::float64 ? 1e-12 : 1e-5));
}

inline Matrix samples_of(const View& samples) {
  const Matrix matrix = matrix_of(samples, "samples");
  check(matrix.cols > 0 || matrix.rows == 0, "samples has rows without entries");
  return matrix;
}

inline const double* bandwidth_of(const View& bandwidth, const Matrix& samples) {
  check(bandwidth.element == Element::float64 && bandwidth.dimensions == 1 && bandwidth.sizes[0] == samples.rows &&
            bandwidth.contiguous,
        "bandwidth must be contiguous float64 with one entry for each row");
  return static_cast<const double*>(bandwidth.data);
}

template <typename Door>
Matrix weights_of(const MaybeArray<Door>& weights, const Matrix& samples) {
  if (!weights.has_value()) return {};
  const Matrix w = matrix_of(Door::view(*weights), "weights");
  check(w.rows == samples.rows && w.cols == samples.cols, "weights must have the shape of samples");
  return w;
}

template <typename Door>
Prepared<KdeParams, Door> prepare_density(const Array<Door>& samples, const Array<Door>& points,
                                          const Array<Door>& bandwidth, const MaybeArray<Door>& weights, bool log,
                                          bool leave_one_out, std::optional<double> rtol) {
  KdeParams params;
  params.samples = samples_of(Door::view(samples));
  params.points = matrix_of(Door::view(points), "points");
  check(params.points.rows == params.samples.rows, "points must have a row for each row of samples");
  check(!leave_one_out || params.points.cols == params.samples.cols, "leave_one_out needs a point for each sample");
  params.bandwidth = bandwidth_of(Door::view(bandwidth), params.samples);
  params.weights = weights_of<Door>(weights, params.samples);
  params.density_dtype = result_dtype(params.samples.dtype);
  params.accuracy = accuracy_of(rtol, params.density_dtype);
  params.log = log;
  params.leave_one_out = leave_one_out;
  Array<Door> density = Door::empty(samples, element_of(params.density_dtype), params.samples.rows, params.points.cols);
  params.density = Door::data(density);
  return {params, density};
}

template <typename Door>
PreparedPair<GridParams, Door> prepare_grid(const Array<Door>& samples, std::int64_t num_points,
                                            const Array<Door>& bandwidth, std::optional<double> rtol) {
  GridParams params;
  params.samples = samples_of(Door::view(samples));
  check(num_points >= 1, "num_points must be at least 1");
  params.num_points = num_points;
  params.bandwidth = bandwidth_of(Door::view(bandwidth), params.samples);
  params.dtype = result_dtype(params.samples.dtype);
  params.accuracy = accuracy_of(rtol, params.dtype);
  Array<Door> grid = Door::empty(samples, element_of(params.dtype), params.samples.rows, num_points);
  Array<Door> density = Door::empty(samples, element_of(params.dtype), params.samples.rows, num_points);
  params.grid = Door::data(grid);
  params.density = Door::data(density);
  return {params, grid, density};
}

template <typename Door>
Prepared<BandwidthParams, Door> prepare_bandwidth(const Array<Door>& samples, const MaybeArray<Door>& weights,
                                                  const std::string& rule) {
  BandwidthParams params;
  params.samples = samples_of(Door::view(samples));
  params.weights = weights_of<Door>(weights, params.samples);
  const std::optional<BandwidthRule> known = rule_named(rule);
  check(known.has_value(), unknown_rule(rule));
  params.rule = *known;
  Array<Door> bandwidth = Door::empty(samples, Element::float64, params.samples.rows);
  params.bandwidth = static_cast<double*>(Door::data(bandwidth));
  return {params, bandwidth};
}

template <typename Door>
Array<Door> gaussian_kde(const Door& door, const Array<Door>& samples, const Array<Door>& points,
                         const Array<Door>& bandwidth, const MaybeArray<Door>& weights, bool log, bool leave_one_out,
                         std::optional<double> rtol) {
  const auto [params, density] = prepare_density<Door>(samples, points, bandwidth, weights, log, leave_one_out, rtol);
  raise_fault(door.run(gaussian_kde_cpu, params), "samples");
  return density;
}

template <typename Door>
std::tuple<Array<Door>, Array<Door>> gaussian_kde_grid(const Door& door, const Array<Door>& samples,
                                                       std::int64_t num_points, const Array<Door>& bandwidth,
                                                       std::optional<double> rtol) {
  const auto [params, grid, density] = prepare_grid<Door>(samples, num_points, bandwidth, rtol);
  raise_fault(door.run(gaussian_kde_grid_cpu, params), "samples");
  return {grid, density};
}

template <typename Door>
Array<Door> kde_bandwidth(const Door& door, const Array<Door>& samples, const MaybeArray<Door>& weights,
                          const std::string& rule) {
  const auto [params, bandwidth] = prepare_bandwidth<Door>(samples, weights, rule);
  raise_fault(door.run(bandwidth_cpu, params), "samples");
  return bandwidth;
}

template <typename Door, typename Registry>
void register_ops(Registry& registry) {
  // Densities (or their logarithms) at points [R, K] of samples [R, N]; bandwidth float64 [R].
  registry.template op<&gaussian_kde<Door>>(
      "gaussian_kde",
      "(Tensor samples, Tensor points, Tensor bandwidth, Tensor? weights, bool log, bool leave_one_out, float? rtol) "
      "-> Tensor");
  // (grid, density), both [R, num_points], on equal steps over each row's range.
  registry.template op<&gaussian_kde_grid<Door>>(
      "gaussian_kde_grid", "(Tensor samples, SymInt num_points, Tensor bandwidth, float? rtol) -> (Tensor, Tensor)");
  // Bandwidth float64 [R] by the rule "scott", "silverman" or "ken".
  registry.template op<&kde_bandwidth<Door>>("kde_bandwidth", "(Tensor samples, Tensor? weights, str rule) -> Tensor");
}

}  // namespace pruning_ext::kde
