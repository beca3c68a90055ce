// The CUDA kernels of KDE, run thread by thread on the CPU, against the CPU's own.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "../cpp/check.h"
#include "emulated_kde.h"

namespace pruning_ext::kde {
namespace {

struct Case {
  std::string name;
  std::int64_t rows, n, k;
  double spread, shift, outlier, bandwidth;  // bandwidth relative to the spread
  bool weighted = false, log = false, leave_one_out = false;
  bool ascending = false;  // samples and points
};

template <typename Real>
void compare(const Case& c, Accuracy accuracy, Method method) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<Real> samples(c.rows * c.n), points(c.rows * c.k), weights(c.rows * c.n);
  for (Real& x : samples) x = static_cast<Real>(c.shift + c.spread * normal(random));
  for (std::int64_t r = 0; r < c.rows && c.outlier != 0; ++r) samples[r * c.n] = static_cast<Real>(c.shift + c.outlier);
  for (Real& w : weights) w = static_cast<Real>(std::fabs(normal(random)));
  for (std::int64_t j = 0; j < c.rows * c.k; ++j) {
    points[j] =
        c.leave_one_out ? samples[j] : static_cast<Real>(c.shift + (c.log ? 20 : 2) * c.spread * normal(random));
  }
  for (std::int64_t r = 0; r < c.rows && c.ascending; ++r) {
    std::sort(samples.begin() + r * c.n, samples.begin() + (r + 1) * c.n);
    std::sort(points.begin() + r * c.k, points.begin() + (r + 1) * c.k - 1);  // but for the last
  }
  const std::vector<double> bandwidth(c.rows, c.bandwidth * c.spread);
  std::vector<Real> expected(c.rows * c.k), found(c.rows * c.k, Real(-1));
  KdeParams params;
  params.samples = view(samples, c.rows, c.n);
  params.points = view(points, c.rows, c.k);
  if (c.weighted) params.weights = view(weights, c.rows, c.n);
  params.bandwidth = bandwidth.data();
  params.density_dtype = params.samples.dtype;
  params.log = c.log;
  params.leave_one_out = c.leave_one_out;
  params.accuracy = Accuracy::exact;
  params.density = expected.data();
  gaussian_kde_cpu(params, serial_for);

  params.accuracy = accuracy;
  params.density = found.data();
  std::vector<std::byte> workspace(gaussian_kde_cuda_workspace(params, device(), method));
  FaultWord fault;
  const CudaContext context = context_with(workspace, fault);
  CHECK(gaussian_kde_cuda(params, context, method) == cudaSuccess, "%s is not launched", c.name.c_str());
  CHECK(fault == kNoFault, "%s", c.name.c_str());
  const double rounding = sizeof(Real) == 8 ? 4e-15 : 1.2e-7;
  const double bound = (accuracy == Accuracy::relative_1e5 ? 1e-5 : 1e-12) + rounding;
  for (std::int64_t r = 0; r < c.rows; ++r) {
    double peak = 0;
    for (std::int64_t j = 0; j < c.k; ++j) peak = std::max<double>(peak, expected[r * c.k + j]);
    for (std::int64_t j = 0; j < c.k; ++j) {
      const double want = expected[r * c.k + j], got = found[r * c.k + j];
      const double allowed = c.log ? (sizeof(Real) == 8 ? 1e-10 : 1e-4) + rounding * std::fabs(want)
                                   : bound * std::fmax(want, 1e-12 * peak);
      CHECK(got == want || std::fabs(got - want) <= allowed, "%s, method %d: row %ld, point %ld: %.17g, not %.17g",
            c.name.c_str(), static_cast<int>(method), static_cast<long>(r), static_cast<long>(j), got, want);
    }
  }
}

const Case kCases[] = {
    {"one sample, one point", 1, 1, 1, 1, 0, 0, 0.3},
    {"odd sizes", 3, 33, 31, 1, 0, 0, 0.3},
    {"a row of 768", 2, 768, 384, 0.05, 0, 0, 0.28},
    {"far from 0", 1, 300, 200, 1, 1e5, 0, 0.3},
    {"an outlier", 1, 500, 257, 1, 0, 400, 0.3},
    {"an outlier too many bandwidths away for float32", 1, 300, 200, 1, 0, 1e38, 0.1},
    {"narrow bandwidth", 1, 400, 300, 1, 0, 0, 1e-4},
    {"wide bandwidth", 1, 129, 127, 1, 0, 0, 50},
    {"weights", 2, 700, 300, 1, 0, 0, 0.2, true},
    {"in order, or nearly", 2, 700, 300, 1, 0, 0, 0.2, true, false, false, true},
    {"logarithms far away", 1, 200, 70, 1, 0, 0, 0.1, false, true},
    {"logarithms with weights", 1, 200, 70, 1, 0, 0, 0.1, true, true},
    {"leave one out", 1, 600, 600, 1, 0, 0, 0.1, false, false, true},
    {"leave one out, weights, logarithms, an outlier", 1, 300, 300, 1, 0, 90, 0.1, true, true, true},
    {"more samples than a block holds", 1, 9001, 65, 1, 0, 0, 0.2},
    {"shared memory closely below 48 KB", 1, 3584, 335, 1, 0, 0, 0.2},
    {"more points than a block holds", 1, 65, 5001, 1, 0, 0, 0.2},
};

// Points that many bandwidths from 0 leave float32: a sample at the point counts in full, its neighbour in float32 not.
void points_out_of_range() {
  const float far = 1e30f, next = std::nextafter(far, 2 * far);
  const std::vector<float> samples{0, far, far, next}, points{0, far, next, -far};
  const std::vector<double> bandwidth{1e-10};
  std::vector<float> density(points.size());
  KdeParams params;
  params.samples = view(samples, 1, 4);
  params.points = view(points, 1, 4);
  params.bandwidth = bandwidth.data();
  params.density = density.data();
  params.accuracy = Accuracy::relative_1e5;
  std::vector<std::byte> workspace(gaussian_kde_cuda_workspace(params, device(), Method::direct_fast));
  FaultWord fault;
  gaussian_kde_cuda(params, context_with(workspace, fault), Method::direct_fast);
  const double one = 0.3989422804014327 / bandwidth[0] / 4;
  const double expected[] = {one, 2 * one, one, 0};
  for (int j = 0; j < 4; ++j) CHECK(std::fabs(density[j] - expected[j]) <= 1e-5 * one, "%d: %g", j, density[j]);
}

void ascending_grid() {
  const std::int64_t rows = 3, n = 500, k = 301;
  std::mt19937 random(9);
  std::normal_distribution<double> normal;
  std::vector<float> samples(rows * n);
  for (float& x : samples) x = static_cast<float>(normal(random));
  const std::vector<double> bandwidth(rows, 0.3);
  std::vector<float> grid(rows * k), density(rows * k), other_grid(rows * k), other_density(rows * k);
  GridParams params;
  params.samples = view(samples, rows, n);
  params.num_points = k;
  params.bandwidth = bandwidth.data();
  params.grid = grid.data(), params.density = density.data();
  gaussian_kde_grid_cpu(params, serial_for);
  params.grid = other_grid.data(), params.density = other_density.data();
  std::vector<std::byte> workspace(gaussian_kde_grid_cuda_workspace(params, device(), Method::lattice));
  FaultWord fault;
  gaussian_kde_grid_cuda(params, context_with(workspace, fault), Method::lattice);
  CHECK(grid == other_grid, "grids differ");
  for (std::size_t j = 0; j < density.size(); ++j)
    CHECK(std::fabs(density[j] - other_density[j]) <= 1e-5 * density[j], "%g, not %g", other_density[j], density[j]);
}

void rules_and_faults() {
  const std::int64_t rows = 4, n = 100;
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  std::vector<float> samples(rows * n);
  for (float& x : samples) x = static_cast<float>(normal(random));
  for (const BandwidthRule rule : {BandwidthRule::scott, BandwidthRule::silverman, BandwidthRule::ken}) {
    std::vector<double> tiny(n), expected_tiny(1), found_tiny(1);
    for (double& x : tiny) x = 1e-170 * normal(random);  // its variance is no float64
    BandwidthParams extreme{view(tiny, 1, n), {}, rule, expected_tiny.data()};
    bandwidth_cpu(extreme, serial_for);
    extreme.bandwidth = found_tiny.data();
    std::vector<std::byte> memory(bandwidth_cuda_workspace(extreme));
    FaultWord none;
    bandwidth_cuda(extreme, context_with(memory, none));
    CHECK(found_tiny[0] > 0 && std::fabs(found_tiny[0] / expected_tiny[0] - 1) <= 1e-14, "%g", found_tiny[0]);

    std::vector<double> expected(rows), found(rows);
    BandwidthParams params{view(samples, rows, n), {}, rule, expected.data()};
    bandwidth_cpu(params, serial_for);
    params.bandwidth = found.data();
    std::vector<std::byte> workspace(bandwidth_cuda_workspace(params));
    FaultWord fault;
    bandwidth_cuda(params, context_with(workspace, fault));
    for (int r = 0; r < rows; ++r)
      CHECK(std::fabs(found[r] - expected[r]) <= 1e-14 * expected[r], "%.17g, not %.17g", found[r], expected[r]);
  }
  for (int i = 0; i < n; ++i) samples[2 * n + i] = 5;  // constant
  std::vector<double> found(rows);
  BandwidthParams params{view(samples, rows, n), {}, BandwidthRule::scott, found.data()};
  std::vector<std::byte> workspace(bandwidth_cuda_workspace(params));
  FaultWord fault;
  bandwidth_cuda(params, context_with(workspace, fault));
  CHECK(status_of(fault).fault == Fault::constant_row && status_of(fault).row == 2, "constant row");
  samples[n + 7] = NAN;
  bandwidth_cuda(params, context_with(workspace, fault));
  CHECK(status_of(fault).fault == Fault::not_finite && status_of(fault).row == 1, "NaN in row 1");

  std::vector<float> points{0, NAN, 1}, density(rows * 3);
  const std::vector<double> bandwidth(rows, 0.3);
  for (const Method method : {Method::direct, Method::direct_fast, Method::lattice}) {
    samples[n + 7] = 0;
    KdeParams kde;
    kde.samples = view(samples, rows, n);
    kde.points = {points.data(), DType::float32, rows, 3, 0, 1};
    kde.bandwidth = bandwidth.data();
    kde.density = density.data();
    std::vector<std::byte> memory(gaussian_kde_cuda_workspace(kde, device(), method));
    gaussian_kde_cuda(kde, context_with(memory, fault), method);
    CHECK(status_of(fault).fault == Fault::bad_points && status_of(fault).row == 0, "NaN among the points");
    CHECK(density[0] > 0 && std::isnan(density[1]), "only the point at fault is lost");
  }
}

void run() {
  for (const Case& c : kCases) {
    for (const Method method : {Method::direct, Method::lattice, Method::automatic}) {
      compare<float>(c, Accuracy::relative_1e5, method);
      compare<double>(c, Accuracy::relative_1e12, method);
    }
    compare<float>(c, Accuracy::relative_1e12, Method::lattice);
    if (!c.leave_one_out) compare<float>(c, Accuracy::relative_1e5, Method::direct_fast);
  }
  points_out_of_range();
  ascending_grid();
  rules_and_faults();
}

}  // namespace
}  // namespace pruning_ext::kde

CHECK_MAIN(pruning_ext::kde::run)
