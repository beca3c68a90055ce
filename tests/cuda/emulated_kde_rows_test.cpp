// The CUDA kernels of KDE, run thread by thread on the CPU: long rows, their memory, and points that are no numbers.
#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "../cpp/check.h"
#include "emulated_kde.h"

namespace pruning_ext::kde {
namespace {

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
    std::vector<RowStatistics> statistics(rows);
    std::vector<double> sums(2 * rows * first_part);
    launch_row_statistics(params.samples, params.weights, params.bandwidth, statistics.data(), nullptr, context);
    SumsJob job{params, statistics.data(), 0, rows, 0, first_part, 2, n / 2, sums.data()};
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

// Rows that several blocks share, against the CPU's bandwidth.
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

// The same of 16 bits each, whose loops are of their own: numbers between 1 and 2.
void long_rows_of_16_bits(DType dtype, int one, int infinity) {
  const std::int64_t n = 20'000;
  std::mt19937 random(19);
  std::vector<std::uint16_t> samples(n);
  for (std::uint16_t& x : samples) x = static_cast<std::uint16_t>(one + static_cast<int>(random() % 128));
  double expected = 0, found = 0;
  BandwidthParams params{{samples.data(), dtype, 1, n, n, 1}, {}, BandwidthRule::ken, &expected};
  bandwidth_cpu(params, serial_for);
  params.bandwidth = &found;
  std::vector<std::byte> workspace(bandwidth_cuda_workspace(params));
  FaultWord fault;
  bandwidth_cuda(params, context_with(workspace, fault));
  CHECK(fault == kNoFault, "a fault where there is none");
  CHECK(expected > 0 && std::fabs(found - expected) <= 1e-12 * expected, "%.17g, not %.17g", found, expected);
  samples[17'000] = static_cast<std::uint16_t>(infinity);
  bandwidth_cuda(params, context_with(workspace, fault));
  CHECK(status_of(fault).fault == Fault::not_finite, "infinity");
}

// Weights whose sums, squares or products are no numbers; in one piece and in several, by every method, as on the CPU.
template <typename Real>
void extreme_weights(std::int64_t n, double size) {
  const std::int64_t k = 60;
  std::mt19937 random(23);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(0.1, 1);
  std::vector<Real> samples(n), weights(n), points(k), expected(k), found(k);
  for (Real& x : samples) x = static_cast<Real>(normal(random));
  for (Real& w : weights) w = static_cast<Real>(size * uniform(random));
  for (Real& p : points) p = static_cast<Real>(normal(random));
  double expected_bandwidth = 0, bandwidth = 0;
  BandwidthParams rule{view(samples, 1, n), view(weights, 1, n), BandwidthRule::scott, &expected_bandwidth};
  bandwidth_cpu(rule, serial_for);
  rule.bandwidth = &bandwidth;
  std::vector<std::byte> memory(bandwidth_cuda_workspace(rule));
  FaultWord fault;
  bandwidth_cuda(rule, context_with(memory, fault));
  CHECK(fault == kNoFault && std::fabs(bandwidth - expected_bandwidth) <= 1e-12 * expected_bandwidth,
        "weights of %g: bandwidth %.17g, not %.17g", size, bandwidth, expected_bandwidth);
  for (const Method method : {Method::direct, Method::direct_fast, Method::lattice}) {
    if (method == Method::direct_fast && sizeof(Real) == 8) continue;
    for (const bool log : {false, true}) {
      KdeParams params;
      params.samples = view(samples, 1, n);
      params.points = view(points, 1, k);
      params.weights = view(weights, 1, n);
      params.bandwidth = &expected_bandwidth;
      params.log = log;
      params.density_dtype = sizeof(Real) == 8 ? DType::float64 : DType::float32;
      params.density = expected.data();
      gaussian_kde_cpu(params, serial_for);
      params.density = found.data();
      std::vector<std::byte> workspace(gaussian_kde_cuda_workspace(params, device(), method));
      gaussian_kde_cuda(params, context_with(workspace, fault), method);
      for (int j = 0; j < k; ++j)
        CHECK(std::fabs(found[j] - expected[j]) <= 3e-5 * std::fmax(std::fabs(expected[j]), log),
              "weights of %g, method %d: %g, not %g", size, static_cast<int>(method), double{found[j]},
              double{expected[j]});
    }
  }
}

void weights_at_one_value() {
  const std::vector<double> samples{1, 2, 2, 3}, weights{0, 3, 5, 0};
  double bandwidth = 0;
  for (const BandwidthRule rule : {BandwidthRule::scott, BandwidthRule::silverman, BandwidthRule::ken}) {
    BandwidthParams params{view(samples, 1, 4), view(weights, 1, 4), rule, &bandwidth};
    std::vector<std::byte> workspace(bandwidth_cuda_workspace(params));
    FaultWord fault;
    bandwidth_cuda(params, context_with(workspace, fault));
    CHECK(status_of(fault).fault == Fault::one_value && status_of(fault).row == 0, "all weight at one value");
  }
}

// Of a bandwidth whose inverse is none, as on the CPU.
void subnormal_bandwidth() {
  const std::vector<double> samples{0, 1e-310, -2e-310, 3e-310}, points{0, 4e-309, -3e-309, 1e-309};
  const double bandwidth = 1.1e-310;
  for (const bool log : {false, true}) {
    std::vector<double> expected(4), found(4);
    KdeParams params;
    params.samples = view(samples, 1, 4);
    params.points = view(points, 1, 4);
    params.bandwidth = &bandwidth;
    params.log = log;
    params.density_dtype = DType::float64;
    params.density = expected.data();
    gaussian_kde_cpu(params, serial_for);
    params.density = found.data();
    for (const Method method : {Method::direct, Method::lattice}) {
      std::vector<std::byte> workspace(gaussian_kde_cuda_workspace(params, device(), method));
      FaultWord fault;
      gaussian_kde_cuda(params, context_with(workspace, fault), method);
      for (int j = 0; j < 4; ++j)
        CHECK(found[j] == expected[j] || std::fabs(found[j] - expected[j]) <= 1e-12 * std::fabs(expected[j]),
              "log %d, %d: %.17g, not %.17g", log, j, found[j], expected[j]);
    }
  }
}

void run() {
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
  long_rows_of_16_bits(DType::float16, 0x3c00, 0x7c00);
  long_rows_of_16_bits(DType::bfloat16, 0x3f80, 0x7f80);
  for (const std::int64_t n : {400, 20'000}) {
    for (const double size : {1e308, 1e-300, 1e-320}) extreme_weights<double>(n, size);
    for (const double size : {3e38, 1e-30, 1e-43}) extreme_weights<float>(n, size);
  }
  weights_at_one_value();
  subnormal_bandwidth();
}

}  // namespace
}  // namespace pruning_ext::kde

CHECK_MAIN(pruning_ext::kde::run)
