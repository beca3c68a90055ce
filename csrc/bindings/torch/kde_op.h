// Arguments of the KDE ops, checked once for every device.
#pragma once

#include <optional>
#include <string>

#include "bindings/torch/torch_op.h"
#include "kde/kde.h"

namespace pruning_ext::kde {

inline Accuracy accuracy_of(std::optional<double> rtol, DType dtype) {
  return accuracy_for(rtol.value_or(dtype == DType::float64 ? 1e-12 : 1e-5));
}

inline const double* bandwidth_of(const Tensor& bandwidth, std::int64_t rows) {
  check(bandwidth.scalar_type() == ScalarType::Double && bandwidth.dim() == 1 && bandwidth.size(0) == rows &&
            bandwidth.is_contiguous(),
        "bandwidth must be a contiguous float64 tensor with one entry for each row");
  return static_cast<const double*>(bandwidth.const_data_ptr());
}

inline Matrix weights_of(const std::optional<Tensor>& weights, const Matrix& samples) {
  if (!weights.has_value()) return {};
  const Matrix w = matrix_of(*weights, "weights");
  check(w.rows == samples.rows && w.cols == samples.cols, "weights must have the shape of samples");
  return w;
}

inline Tensor allocate(const Tensor& like, std::int64_t rows, std::int64_t cols) {
  return torch::stable::new_empty(like, {rows, cols}, result_type(like));
}

inline KdeParams density_params(const Tensor& samples, const Tensor& points, const Tensor& bandwidth,
                                const std::optional<Tensor>& weights, bool log, bool leave_one_out,
                                std::optional<double> rtol) {
  KdeParams params;
  params.samples = matrix_of(samples, "samples");
  params.points = matrix_of(points, "points");
  check(params.points.rows == params.samples.rows, "points must have a row for each row of samples");
  check(params.samples.cols > 0 || params.samples.rows == 0, "samples has rows without entries");
  check(!leave_one_out || params.points.cols == params.samples.cols, "leave_one_out needs a point for each sample");
  params.bandwidth = bandwidth_of(bandwidth, params.samples.rows);
  params.weights = weights_of(weights, params.samples);
  params.density_dtype = result_dtype(samples);
  params.accuracy = accuracy_of(rtol, params.density_dtype);
  params.log = log;
  params.leave_one_out = leave_one_out;
  return params;
}

inline GridParams grid_params(const Tensor& samples, std::int64_t num_points, const Tensor& bandwidth,
                              std::optional<double> rtol) {
  GridParams params;
  params.samples = matrix_of(samples, "samples");
  check(num_points >= 1, "num_points must be at least 1");
  check(params.samples.cols > 0 || params.samples.rows == 0, "samples has rows without entries");
  params.num_points = num_points;
  params.bandwidth = bandwidth_of(bandwidth, params.samples.rows);
  params.dtype = result_dtype(samples);
  params.accuracy = accuracy_of(rtol, params.dtype);
  return params;
}

inline BandwidthParams bandwidth_params(const Tensor& samples, const std::optional<Tensor>& weights,
                                        const std::string& rule) {
  BandwidthParams params;
  params.samples = matrix_of(samples, "samples");
  check(params.samples.cols > 0 || params.samples.rows == 0, "samples has rows without entries");
  params.weights = weights_of(weights, params.samples);
  const std::optional<BandwidthRule> known = rule_named(rule);
  check(known.has_value(), unknown_rule(rule));
  params.rule = *known;
  return params;
}

}  // namespace pruning_ext::kde
