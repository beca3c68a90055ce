// LogSumTree against the definition in long double: near, far, weighted, with a sample left out; and that
// crowds of samples cost little.
#include "kde/cpu/log_sum_tree.h"

#include "check.h"
#include "truth.h"

using namespace pruning_ext;
using truth::Row;

namespace {

// A row as RowSolver::sort() makes it.
struct Sorted {
  Row samples, weights;
  std::vector<std::int64_t> order;
  kde::SortedRow row;

  Sorted(const Row& row_samples, const Row& row_weights) : order(row_samples.size()) {
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return row_samples[static_cast<std::size_t>(a)] < row_samples[static_cast<std::size_t>(b)];
    });
    for (const std::int64_t i : order) {
      samples.push_back(row_samples[static_cast<std::size_t>(i)]);
      if (!row_weights.empty()) weights.push_back(row_weights[static_cast<std::size_t>(i)]);
    }
    const double heaviest = weights.empty() ? 1 : *std::max_element(weights.begin(), weights.end());
    row = {samples.data(), weights.empty() ? nullptr : weights.data(), order.data(),
           static_cast<std::int64_t>(order.size()), heaviest};
  }
};

// The logarithm is exact to 1e-12, or to float64's rounding of a large exponent and of the distance it comes from.
void agrees(const Row& samples, const Row& weights, const Row& points, double h) {
  const std::int64_t n = static_cast<std::int64_t>(samples.size());
  const Sorted sorted(samples, weights);
  kde::LogSumTree tree;
  tree.assign(sorted.row, h);
  for (const double point : points) {
    for (const std::int64_t skip : {std::int64_t{-1}, std::int64_t{0}, n / 2, n - 1}) {
      const double found = tree.log_sum(point, skip);
      const long double exact = truth::log_sum(samples, weights, point, h, skip);
      const bool below = std::isinf(static_cast<double>(exact));  // the range of float64
      const bool same = below ? found == -INFINITY : std::fabs(found - exact) <= 1e-12L - 2e-15L * exact;
      CHECK(same, "n %lld, point %g, skip %lld: %.17g, not %.17Lg", static_cast<long long>(n), point,
            static_cast<long long>(skip), found, exact);
    }
  }
}

void short_rows() {
  for (std::int64_t n = 1; n <= 70; ++n) {
    const Row samples = truth::normal(n);
    const Row points{0, -0.3, 1, 7.5, -40, 55, 1e3, -1e6, samples[0], samples.back()};
    agrees(samples, {}, points, 0.3);
    Row weights = truth::uniform(n, 0, 1);
    weights[0] = 1e-30;
    weights[static_cast<std::size_t>(n / 2)] = 0;
    weights.back() = 3;
    agrees(samples, weights, points, 0.3);
    agrees(samples, weights, points, 1e-4);
    agrees(Row(static_cast<std::size_t>(n), 0.25), {}, points, 1);  // all equal
  }
  // The heaviest sample decides although a thousand light ones are nearer.
  Row samples = truth::uniform(1000, -1, 1), weights(1000, 1e-250);
  samples.push_back(20);
  weights.push_back(1);
  agrees(samples, weights, {0, -5, 30, 19}, 1);
}

// Rows of which a far point sees more samples than a walk meets.
struct CrowdedRow {
  const char* name;
  Row samples, weights;
  double h;
};

std::vector<CrowdedRow> crowded_rows(std::int64_t n) {
  const Row normal = truth::normal(n), uniform = truth::uniform(n, 0, 1);
  const auto made = [&](auto of) {
    Row row(normal.size());
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = of(i);
    return row;
  };
  const Row zeros = made([&](std::size_t i) { return uniform[i] < 0.7 ? 0 : std::fabs(normal[i]); });
  const Row mask = made([&](std::size_t i) { return uniform[i] < 0.7 ? 0 : 1; });
  Row outlier = normal;
  outlier[3] = 1e5;
  return {
      {"all equal", made([](std::size_t) { return -0.75; }), {}, 0.5},
      {"all equal, masked", made([](std::size_t) { return -0.75; }), mask, 0.5},
      {"70 % zeros", zeros, {}, 0.05},
      {"70 % zeros, weights", zeros, uniform, 0.05},
      {"70 % zeros without weight", zeros, mask, 0.05},
      {"sixteen levels", made([&](std::size_t i) { return std::nearbyint(3 * normal[i]) / 3; }), {}, 0.02},
      {"narrow beside the bandwidth", made([&](std::size_t i) { return 1e-3 * normal[i]; }), uniform, 1},
      {"as wide as the bandwidth", normal, {}, 1},
      {"an outlier far away", outlier, {}, 3e3},
      {"beyond the range of float64", made([&](std::size_t i) { return 1.7e308 * (2 * uniform[i] - 1); }), {}, 1e308},
      {"subnormal", made([&](std::size_t i) { return std::nearbyint(4 * normal[i]) * 5e-324; }), {}, 1e-300},
      {"a bandwidth per sample", made([](std::size_t i) { return static_cast<double>(i); }), {}, 1},
      {"one heavy sample", normal, made([](std::size_t i) { return i == 5 ? 1 : 1e-12; }), 0.4}};
}

void crowds() {
  for (const std::int64_t n : {65, 200, 1999}) {
    for (const CrowdedRow& row : crowded_rows(n)) {
      Row points;
      for (const double z : {-1e160, -1e9, -300.0, -37.0, -12.0, -8.0, -2.0, 0.0, 1.0, 7.5, 9.0, 30.0, 1e4})
        points.push_back(row.samples[0] + z * row.h);
      points.insert(points.end(), row.samples.begin(), row.samples.begin() + 7);
      std::erase_if(points, [](double point) { return std::isinf(point); });
      agrees(row.samples, row.weights, points, row.h);
    }
  }
}

// For as many points as samples, from 60 bandwidths below the row to 60 above, each with a sample left out. A walk to
// the end of a crowd would take thousands of steps for each.
void costs_stay_low() {
  constexpr std::int64_t n = 32000;
  for (const CrowdedRow& row : crowded_rows(n)) {
    const Sorted sorted(row.samples, row.weights);
    const double low = sorted.samples.front() - 60 * row.h, high = sorted.samples.back() + 60 * row.h;
    if (std::isinf(low)) continue;
    kde::LogSumTree tree;
    tree.assign(sorted.row, row.h);
    for (std::int64_t j = 0; j < n; ++j) {
      const double share = static_cast<double>(j) / static_cast<double>(n);
      const double found = tree.log_sum(low * (1 - share) + high * share, j);
      CHECK(std::isfinite(found), "%s, point %lld: %g", row.name, static_cast<long long>(j), found);
    }
    const std::int64_t steps = tree.steps() / n;
    CHECK(steps <= 500, "%s: %lld steps for each point", row.name, static_cast<long long>(steps));
  }
}

void run() {
  short_rows();
  crowds();
  costs_stay_low();
}

}  // namespace

CHECK_MAIN(run)
