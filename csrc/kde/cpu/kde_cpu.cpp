// Rows over threads: load a row, find its sums (row_sums.h), repair what a fast method cannot give (log_sum_tree.h),
// normalise.
#include <algorithm>
#include <cmath>

#include "common/element.h"
#include "kde/cpu/log_sum_tree.h"
#include "kde/cpu/row_bandwidth.h"
#include "kde/cpu/row_sums.h"
#include "kde/kde_math.h"

namespace pruning_ext::kde {
namespace {

bool lacks_samples(const Matrix& samples) { return samples.rows > 0 && samples.cols < 1; }

std::int64_t rows_per_task(std::int64_t n, std::int64_t k) {
  return std::max<std::int64_t>(1, (std::int64_t{1} << 14) / std::max<std::int64_t>(n + k, 1));
}

// Row r of the weights, fit to be summed up; false if they are no weights.
bool load_weights(const Matrix& w, std::int64_t r, double* out) {
  const RowRange range = load_row(w, r, out);
  if (!range.finite || range.low < 0 || range.high <= 0) return false;
  const double factor = weight_factor(range.high);
  for (std::int64_t i = 0; i < w.cols && factor != 1; ++i) out[i] *= factor;
  return true;
}

class RowDensity {
 public:
  explicit RowDensity(const KdeParams& params) : params_(params) {}

  Fault evaluate(std::int64_t r) {
    const Fault fault = load(r);
    if (fault != Fault::none) return fault;
    solver_.solve(row_, samples_, points_, params_.accuracy);
    const double floor = (params_.accuracy == Accuracy::exact ? kDirectFloor : kFastFloor) * weight_sum_;
    const double log_h = std::log(row_.bandwidth) + kLogSqrt2Pi;
    const PerBandwidth density(row_.bandwidth);
    const auto weights = [this](std::int64_t i) { return weight(i); };
    is_sorted_ = false;
    for (std::int64_t j = 0; j < row_.k; ++j) {
      const double total = params_.leave_one_out ? weight_without(weights, row_.n, j, weight_sum_) : weight_sum_;
      double value = row_.sums[j];
      bool trusted = !params_.log || value >= floor;
      if (params_.leave_one_out) {
        const double z = (row_.points[j] - row_.samples[j]) / row_.bandwidth;
        const double rest = value - weight(j) * std::exp(-z * z / 2);
        trusted = trusted && rest >= kLeastRemainder * value && rest >= (params_.log ? floor : 0);
        value = rest;
      }
      double result;
      if (total <= 0) {
        result = params_.log ? -INFINITY : 0;  // the only sample was left out
      } else if (trusted) {
        result = params_.log ? std::log(value / total) - log_h : density(value / total);
      } else {
        const double log_density = repaired(j) - std::log(total) - log_h;
        result = params_.log ? log_density : std::exp(log_density);
      }
      store_element(params_.density, params_.density_dtype, r * row_.k + j, result);
    }
    return Fault::none;
  }

 private:
  Fault load(std::int64_t r) {
    const Matrix &x = params_.samples, &p = params_.points, &w = params_.weights;
    const std::int64_t n = x.cols, k = p.cols;
    double* samples = sample_buffer_.reserve(n);
    double* points = point_buffer_.reserve(k);
    samples_ = load_row(x, r, samples);
    if (!samples_.finite) return Fault::not_finite;
    points_ = load_row(p, r, points);
    if (!points_.finite) return Fault::bad_points;
    double* weights = nullptr;
    weight_sum_ = static_cast<double>(n);
    if (w.data != nullptr) {
      weights = weight_buffer_.reserve(n);
      if (!load_weights(w, r, weights)) return Fault::bad_weights;
      weight_sum_ = 0;
      for (std::int64_t i = 0; i < n; ++i) weight_sum_ += weights[i];
    }
    const double h = params_.bandwidth[r];
    if (!(h > 0) || std::isinf(h)) return Fault::bad_bandwidth;
    row_ = {samples, weights, n, points, k, samples_.low, h, sum_buffer_.reserve(k)};
    return Fault::none;
  }

  double weight(std::int64_t i) const { return row_.weights == nullptr ? 1.0 : row_.weights[i]; }

  double repaired(std::int64_t j) {
    if (!is_sorted_) tree_.assign(solver_.sort(row_), row_.bandwidth);
    is_sorted_ = true;
    return tree_.log_sum(row_.points[j], params_.leave_one_out ? j : -1);
  }

  const KdeParams& params_;
  RowSolver solver_;
  LogSumTree tree_;
  AlignedBuffer<double> sample_buffer_, point_buffer_, weight_buffer_, sum_buffer_;
  RowSums row_{};
  RowRange samples_{}, points_{};
  double weight_sum_ = 0;
  bool is_sorted_ = false;
};

}  // namespace

Status gaussian_kde_cpu(const KdeParams& params, const ParallelFor& parallel_for) {
  if (lacks_samples(params.samples)) return {Fault::no_samples};
  FirstFault fault;
  parallel_for(0, params.samples.rows, rows_per_task(params.samples.cols, params.points.cols),
               [&](std::int64_t begin, std::int64_t end) {
                 RowDensity density(params);
                 for (std::int64_t r = begin; r < end; ++r) {
                   const Fault found = density.evaluate(r);
                   if (found != Fault::none) fault.report(found, r);
                 }
               });
  return fault.status();
}

Status gaussian_kde_grid_cpu(const GridParams& params, const ParallelFor& parallel_for) {
  if (lacks_samples(params.samples)) return {Fault::no_samples};
  if (params.num_points < 1) return {Fault::no_points};
  const std::int64_t n = params.samples.cols, k = params.num_points;
  FirstFault fault;
  parallel_for(0, params.samples.rows, rows_per_task(n, k), [&](std::int64_t begin, std::int64_t end) {
    RowSolver solver;
    AlignedBuffer<double> samples, points, sums;
    samples.reserve(n), points.reserve(k), sums.reserve(k);
    for (std::int64_t r = begin; r < end; ++r) {
      const RowRange range = load_row(params.samples, r, samples.data());
      const double h = params.bandwidth[r];
      if (!range.finite || !(h > 0) || std::isinf(h)) {
        fault.report(range.finite ? Fault::bad_bandwidth : Fault::not_finite, r);
        continue;
      }
      const RowGrid grid(range.low, range.high, k);
      for (std::int64_t j = 0; j < k; ++j) {
        const double point = grid.point(j);
        store_element(params.grid, params.dtype, r * k + j, point);
        // The density belongs to the point as it is returned, rounded to the output's dtype.
        points.data()[j] = params.dtype == DType::float64 ? point : static_cast<double>(static_cast<float>(point));
      }
      const RowSums row{samples.data(), nullptr, n, points.data(), k, range.low, h, sums.data()};
      solver.solve(row, range, {points.data()[0], points.data()[k - 1], true}, params.accuracy);
      const PerBandwidth density(h);
      const double share = 1 / static_cast<double>(n);
      for (std::int64_t j = 0; j < k; ++j)
        store_element(params.density, params.dtype, r * k + j, density(sums.data()[j] * share));
    }
  });
  return fault.status();
}

Status bandwidth_cpu(const BandwidthParams& params, const ParallelFor& parallel_for) {
  if (lacks_samples(params.samples)) return {Fault::no_samples};
  const std::int64_t n = params.samples.cols;
  const Matrix &x = params.samples, &w = params.weights;
  FirstFault fault;
  parallel_for(0, x.rows, rows_per_task(n, 0), [&](std::int64_t begin, std::int64_t end) {
    AlignedBuffer<double> samples, weights, scratch;
    samples.reserve(n);
    for (std::int64_t r = begin; r < end; ++r) {
      Fault found = Fault::none;
      const RowRange range = load_row(x, r, samples.data());
      if (!range.finite) found = Fault::not_finite;
      if (found == Fault::none && w.data != nullptr) {
        if (!load_weights(w, r, weights.reserve(n))) found = Fault::bad_weights;
      }
      if (found == Fault::none && range.low == range.high) found = Fault::constant_row;
      if (found == Fault::none) {
        const double* heavy = w.data == nullptr ? nullptr : weights.data();
        params.bandwidth[r] = row_bandwidth(params.rule, samples.data(), heavy, n, range, scratch);
        if (!(params.bandwidth[r] > 0)) found = Fault::one_value;
      }
      if (found != Fault::none) fault.report(found, r);
    }
  });
  return fault.status();
}

}  // namespace pruning_ext::kde
