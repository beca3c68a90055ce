// Gaussian kernel density of many rows at once.
//
//   density[r, j] = sum_i w[r, i] exp(-(p[r, j] - x[r, i])^2 / 2 h[r]^2) / (h[r] sqrt(2 pi)),   sum_i w[r, i] = 1
#pragma once

#include <optional>
#include <string>

#include "common/matrix.h"
#include "common/parallel.h"
#include "common/status.h"

namespace pruning_ext::kde {

enum class BandwidthRule : std::int8_t { scott, silverman, ken };

// The cheapest method whose relative error, wherever the density is at least 1e-12 of the row's peak, is at most:
enum class Accuracy : std::int8_t { relative_1e5, relative_1e12, exact };

inline Accuracy accuracy_for(double rtol) {
  return rtol >= 1e-5 ? Accuracy::relative_1e5 : rtol >= 1e-12 ? Accuracy::relative_1e12 : Accuracy::exact;
}

inline std::optional<BandwidthRule> rule_named(const std::string& name) {
  if (name == "scott") return BandwidthRule::scott;
  if (name == "silverman") return BandwidthRule::silverman;
  if (name == "ken") return BandwidthRule::ken;
  return std::nullopt;
}

inline std::string unknown_rule(const std::string& name) {
  return "bandwidth must be 'scott', 'silverman', 'ken', a number or one per row, not '" + name + "'";
}

struct KdeParams {
  Matrix samples;                        // [R, N]
  Matrix points;                         // [R, K]; row_stride 0 where all rows share their points
  const double* bandwidth = nullptr;     // [R], positive
  Matrix weights;                        // [R, N], not negative; data == nullptr: all equal
  void* density = nullptr;               // [R, K], contiguous
  DType density_dtype = DType::float32;  // float32 or float64
  Accuracy accuracy = Accuracy::relative_1e5;
  bool log = false;            // the logarithm of the density; finite however far a point lies
  bool leave_one_out = false;  // point j leaves out sample j; K == N
};

struct GridParams {                   // the density on equal steps from each row's minimum to its maximum
  Matrix samples;                     // [R, N]
  std::int64_t num_points = 0;        // K
  const double* bandwidth = nullptr;  // [R]
  void* grid = nullptr;               // [R, K], contiguous
  void* density = nullptr;            // [R, K], contiguous
  DType dtype = DType::float32;       // of grid and density
  Accuracy accuracy = Accuracy::relative_1e5;
};

struct BandwidthParams {
  Matrix samples;  // [R, N]
  Matrix weights;  // [R, N] or data == nullptr
  BandwidthRule rule = BandwidthRule::scott;
  double* bandwidth = nullptr;  // [R]
};

// Rows without samples, and a grid without points, are a Status. Other sizes, and pointers, are the caller's.
Status gaussian_kde_cpu(const KdeParams& params, const ParallelFor& parallel_for);
Status gaussian_kde_grid_cpu(const GridParams& params, const ParallelFor& parallel_for);
Status bandwidth_cpu(const BandwidthParams& params, const ParallelFor& parallel_for);

}  // namespace pruning_ext::kde
