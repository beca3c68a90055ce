// The CUDA kernels of KDE, run thread by thread on the CPU, against the CPU's own.
#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "../cpp/check.h"
#include "kde/kde_cuda.h"

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
Matrix view(const std::vector<Real>& data, std::int64_t rows, std::int64_t cols) {
  return {data.data(), sizeof(Real) == 8 ? DType::float64 : DType::float32, rows, cols, cols, 1};
}

CudaContext device() {
  CudaContext context;
  context.multiprocessors = 2;
  context.shared_memory = 227 * 1024;
  return context;
}

CudaContext context_with(std::vector<std::byte>& workspace, FaultWord& fault) {
  fault = kNoFault;
  CudaContext context = device();
  context.fault = &fault;
  context.workspace = workspace.data();
  return context;
}

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
    for (std::int64_t j = 0; j < c.k; ++j) peak = std::fmax(peak, expected[r * c.k + j]);
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

// What docs/gpu.md says of the memory: sums of 256 MB at most, 64 bytes a row and some for rows in pieces.
void workspaces() {
  const auto workspace = [](std::int64_t rows, std::int64_t n, std::int64_t k, Method method) {
    KdeParams params;
    params.samples = {nullptr, DType::float32, rows, n, n, 1};
    params.points = {nullptr, DType::float32, rows, k, k, 1};
    CudaContext context = device();
    context.multiprocessors = 132;
    return gaussian_kde_cuda_workspace(params, context, method);
  };
  constexpr std::int64_t kMost = std::int64_t{256} << 20, kLong = 1'000'000;
  for (const Method method : {Method::automatic, Method::direct, Method::direct_fast, Method::lattice}) {
    for (const auto& [rows, n, k] : {std::array{std::int64_t{1}, kLong, kLong},
                                     {3, kLong, kLong},
                                     {2, 100 * kLong, 10},
                                     {kLong, 768, 384},
                                     {1, 768, 100 * kLong}}) {
      const std::int64_t bytes = workspace(rows, n, k, method), beside = 64 * rows + n / 128 * rows + 4096;
      CHECK(bytes <= kMost + beside, "%ld x %ld, %ld points: %ld bytes", static_cast<long>(rows), static_cast<long>(n),
            static_cast<long>(k), static_cast<long>(bytes));
    }
  }
  // And no more than there are sums.
  CHECK(workspace(3, 768, 384, Method::lattice) <= 8 * 3 * 384 + 1024, "a small call");
}

// Long rows take their points in parts; here each part by hand, in two launches.
void points_in_parts() {
  const std::int64_t rows = 2, n = 600, k = 500, first_part = 300;
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  std::vector<float> samples(rows * n), points(rows * k), whole(rows * k), parts(rows * k);
  for (float& x : samples) x = static_cast<float>(normal(random));
  for (float& p : points) p = static_cast<float>(normal(random));
  const std::vector<double> bandwidth(rows, 0.3);
  KdeParams params;
  params.samples = view(samples, rows, n);
  params.points = view(points, rows, k);
  params.bandwidth = bandwidth.data();
  for (const Method method : {Method::direct, Method::direct_fast, Method::lattice}) {
    params.density = whole.data();
    std::vector<std::byte> workspace(gaussian_kde_cuda_workspace(params, device(), method));
    FaultWord fault;
    const CudaContext context = context_with(workspace, fault);
    gaussian_kde_cuda(params, context, method);

    params.density = parts.data();
    std::vector<RowFacts> facts(rows);
    std::vector<double> sums(2 * rows * first_part);
    launch_row_facts(params.samples, params.weights, params.bandwidth, facts.data(), nullptr, context);
    SumsJob job{params, facts.data(), 0, rows, 0, first_part, 2, n / 2, sums.data()};
    for (; job.first_point < k; job.first_point += first_part) {
      job.points = std::min(first_part, k - job.first_point);
      if (method == Method::lattice) {
        launch_lattice(job, context);
      } else {
        launch_direct(job, method == Method::direct_fast, context);
      }
      launch_finish(job, 1e-12, context);
    }
    for (std::size_t j = 0; j < whole.size(); ++j)
      CHECK(std::fabs(parts[j] - whole[j]) <= 1e-5 * whole[j], "method %d, %zu: %g, not %g", static_cast<int>(method),
            j, parts[j], whole[j]);
  }
}

// NaN of either sign is first or last among sorted points. While a graph is captured nothing is raised, and all other
// points keep their densities.
void points_that_are_no_numbers() {
  const std::int64_t n = 300, k = 200;
  std::mt19937 random(17);
  std::normal_distribution<double> normal;
  std::vector<float> samples(n), points(k), density(k), expected(k);
  for (float& x : samples) x = static_cast<float>(100 * normal(random));  // several tiles of the lattice
  for (float& p : points) p = static_cast<float>(100 * normal(random));
  const std::vector<double> bandwidth{0.9};
  KdeParams params;
  params.samples = view(samples, 1, n);
  params.points = view(points, 1, k);
  params.bandwidth = bandwidth.data();
  params.density = expected.data();
  params.accuracy = Accuracy::exact;
  gaussian_kde_cpu(params, serial_for);
  params.density = density.data();
  params.accuracy = Accuracy::relative_1e5;
  points[0] = -NAN, points[1] = points[k - 1] = NAN, points[2] = INFINITY, points[3] = -INFINITY;
  std::vector<std::byte> workspace(gaussian_kde_cuda_workspace(params, device(), Method::lattice));
  FaultWord fault;
  gaussian_kde_cuda(params, context_with(workspace, fault), Method::lattice);
  CHECK(status_of(fault).fault == Fault::bad_points, "NaN among the points");
  for (int j = 0; j < k; ++j) {
    if (!std::isfinite(points[j])) {
      CHECK(std::isnan(density[j]), "%d: %g", j, density[j]);
    } else {
      CHECK(std::fabs(density[j] - expected[j]) <= 1.1e-5 * expected[j] + 1e-16, "%d: %g, not %g", j, density[j],
            expected[j]);
    }
  }
}

// Rows that several blocks share, against the CPU's bandwidth; every dtype has a kernel of its own.
template <typename Real>
void long_rows(std::int64_t n, bool weighted, double scale) {
  const std::int64_t rows = 2;
  std::mt19937 random(13);
  std::normal_distribution<double> normal;
  std::vector<Real> samples(rows * n), weights(rows * n);
  for (Real& x : samples) x = static_cast<Real>(scale * (1000 + normal(random)));
  for (Real& w : weights) w = static_cast<Real>(std::fabs(normal(random)));
  std::vector<double> expected(rows), found(rows);
  BandwidthParams params{view(samples, rows, n), weighted ? view(weights, rows, n) : Matrix{}, BandwidthRule::scott,
                         expected.data()};
  bandwidth_cpu(params, serial_for);
  params.bandwidth = found.data();
  std::vector<std::byte> workspace(bandwidth_cuda_workspace(params));
  FaultWord fault;
  bandwidth_cuda(params, context_with(workspace, fault));
  CHECK(fault == kNoFault, "a fault where there is none");
  for (int r = 0; r < rows; ++r)
    CHECK(std::fabs(found[r] - expected[r]) <= 1e-12 * expected[r], "%.17g, not %.17g", found[r], expected[r]);

  samples[2 * n - 1] = static_cast<Real>(INFINITY);  // in the last piece of the last row
  bandwidth_cuda(params, context_with(workspace, fault));
  CHECK(status_of(fault).fault == Fault::not_finite && status_of(fault).row == 1, "infinity in row 1");
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
  workspaces();
  points_in_parts();
  points_that_are_no_numbers();
  for (const bool weighted : {false, true}) {
    for (const std::int64_t n : {16'384, 16'385, 50'000}) {
      long_rows<float>(n, weighted, 1);
      long_rows<double>(n, weighted, 1);
    }
    long_rows<double>(40'000, weighted, 1e-170);  // the variance is no float64
  }
  ascending_grid();
  rules_and_faults();
}

}  // namespace
}  // namespace pruning_ext::kde

CHECK_MAIN(pruning_ext::kde::run)
