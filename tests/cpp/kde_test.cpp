// gaussian_kde_cpu and its kin keep the bounds of kde.h in every regime, by every method, whatever the threads.
#include "kde/kde.h"

#include "check.h"
#include "common/threads.h"
#include "truth.h"

using namespace pruning_ext;
using truth::Row;

namespace {

struct Regime {
  const char* name;
  Row samples, weights, points;
  double h;
};

Matrix matrix_of(const Row& row) {
  const std::int64_t cols = static_cast<std::int64_t>(row.size());
  return {row.empty() ? nullptr : row.data(), DType::float64, 1, cols, cols, 1};
}

kde::KdeParams params_of(const Regime& regime, kde::Accuracy accuracy, Row& density) {
  kde::KdeParams params;
  params.samples = matrix_of(regime.samples);
  params.points = matrix_of(regime.points);
  if (!regime.weights.empty()) params.weights = matrix_of(regime.weights);
  params.bandwidth = &regime.h;
  params.accuracy = accuracy;
  density.assign(regime.points.size(), NAN);
  params.density = density.data();
  params.density_dtype = DType::float64;
  return params;
}

double rtol_of(kde::Accuracy accuracy) { return accuracy == kde::Accuracy::relative_1e5 ? 1e-5 : 1e-12; }

Row found(const Regime& regime, kde::Accuracy accuracy, bool log, bool leave_one_out) {
  Row density;
  kde::KdeParams params = params_of(regime, accuracy, density);
  params.log = log;
  params.leave_one_out = leave_one_out;
  const Status status = kde::gaussian_kde_cpu(params, serial_for);
  CHECK(static_cast<bool>(status), "%s: %s", regime.name, fault_sentence(status, "samples").c_str());
  return density;
}

// The density wherever it is at least 1e-12 of the peak, 1e-12 of the peak's share below; exact sums have no floor.
void density_keeps_its_bound(const Regime& regime, bool leave_one_out, const std::vector<long double>& exact,
                             long double peak, kde::Accuracy accuracy) {
  const Row density = found(regime, accuracy, false, leave_one_out);
  const long double floor = accuracy == kde::Accuracy::exact ? 1e-290L : 1e-12L;
  for (std::size_t j = 0; j < density.size(); ++j) {
    const long double truth = std::exp(exact[j]);
    const long double allowed = rtol_of(accuracy) * std::max(truth, floor * peak);
    CHECK(std::fabs(density[j] - truth) <= allowed + 5e-324L,
          "%s, method %d, leave_one_out %d, point %zu: %.17g, not %.17Lg", regime.name, static_cast<int>(accuracy),
          leave_one_out, j, density[j], truth);
  }
}

// The logarithm is finite wherever the truth is, however far a point lies.
void log_density_keeps_its_bound(const Regime& regime, bool leave_one_out, const std::vector<long double>& exact,
                                 kde::Accuracy accuracy) {
  const Row density = found(regime, accuracy, true, leave_one_out);
  const long double allowed = accuracy == kde::Accuracy::relative_1e5 ? 1e-5L : 1e-10L;
  for (std::size_t j = 0; j < density.size(); ++j) {
    const bool representable = exact[j] > -1e307L;  // else the square of the distance leaves float64
    CHECK(representable ? std::fabs(density[j] - exact[j]) <= allowed + 4e-15L * std::fabs(exact[j])
                        : density[j] < -1e300,
          "%s, method %d, leave_one_out %d, point %zu: log %.17g, not %.17Lg", regime.name, static_cast<int>(accuracy),
          leave_one_out, j, density[j], exact[j]);
  }
}

void every_method(const Regime& regime) {
  const auto at_samples = truth::log_density(regime.samples, regime.weights, regime.samples, regime.h);
  const long double peak = std::exp(*std::max_element(at_samples.begin(), at_samples.end()));
  for (const bool leave_one_out : {false, true}) {
    if (leave_one_out && regime.points.size() != regime.samples.size()) continue;
    const auto exact = truth::log_density(regime.samples, regime.weights, regime.points, regime.h, leave_one_out);
    for (const kde::Accuracy accuracy :
         {kde::Accuracy::relative_1e5, kde::Accuracy::relative_1e12, kde::Accuracy::exact}) {
      density_keeps_its_bound(regime, leave_one_out, exact, peak, accuracy);
      log_density_keeps_its_bound(regime, leave_one_out, exact, accuracy);
    }
  }
}

Row joined(Row a, const Row& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void regimes() {
  every_method({"one sample, one point", {1.5}, {}, {1.75}, 0.5});
  every_method({"one sample, many points", {1.5}, {}, truth::uniform(900, -3, 6), 0.5});
  every_method({"many samples, one point", truth::normal(900), {}, {0.1}, 0.2});
  every_method({"many points, few samples", truth::normal(20), {}, truth::uniform(3000, -5, 5), 0.3});
  every_method({"lattice", truth::normal(700), {}, truth::uniform(500, -4, 4), 0.3});
  every_method({"lattice, weights", truth::normal(700), truth::uniform(700, 0, 1), truth::uniform(500, -4, 4), 0.3});
  const Row own = truth::normal(500);
  every_method({"at its own samples", own, {}, own, 0.25});
  every_method({"at its own samples, weights", own, truth::uniform(500, 0.1, 1), own, 0.25});
  Row heavy(500, 1e-6);
  heavy[123] = 1;
  every_method({"one heavy sample", own, heavy, own, 0.25});
  every_method({"duplicates", Row(400, 0.5), {}, truth::uniform(400, -2, 3), 0.3});
  every_method({"far from 0", truth::normal(600, 1e6, 1e-3), {}, truth::normal(400, 1e6, 1e-3), 2e-4});
  const Row far{50, -50, 1e3, -1e6, 1e12, 1e150, -1e150};
  every_method({"far points", truth::normal(600), {}, joined(truth::normal(300), far), 0.2});
  const Row islands = joined(joined(truth::normal(300), truth::normal(300, 1e7)), {-1e9, 4e8, 4e8 + 1});
  every_method({"islands", islands, {}, joined(truth::normal(250, 1e7), truth::normal(250)), 0.2});
  every_method({"islands at their own samples", islands, {}, islands, 0.2});
  every_method({"one huge outlier", joined(truth::normal(500), {1e30}), {}, joined(truth::normal(300), {1e30}), 0.2});
  for (const double size : {1e308, 1e-300, 1e-310, 5e-324}) {  // of sums or squares that are no numbers
    Row weights = truth::uniform(500, 0, 1);
    for (double& w : weights) w = size < 1e-323 ? size : w * size;
    every_method({"extreme weights", own, weights, truth::uniform(500, -4, 4), 0.25});
    every_method({"extreme weights at their own samples", own, weights, own, 0.25});
  }
  const Row spread = truth::normal(500);
  every_method({"tiny bandwidth", spread, {}, joined(spread, truth::uniform(100, -3, 3)), 1e-7});
  every_method({"bandwidth near the smallest number", spread, {}, spread, 1e-300});
  const Row subnormal = truth::normal(300, 0, 1e-310);
  every_method({"samples below the normal numbers", subnormal, {}, subnormal, 1e-300});
  // Densities overflow but far from the samples: only logarithms are looked at.
  const Row outwards = truth::uniform(300, -4e-309, 4e-309);
  for (const bool leave_one_out : {false, true}) {
    const Regime regime{"bandwidth below the normal numbers", subnormal, {}, outwards, 1e-310};
    log_density_keeps_its_bound(regime, leave_one_out,
                                truth::log_density(subnormal, {}, outwards, regime.h, leave_one_out),
                                kde::Accuracy::relative_1e5);
  }
  const Row tails{4e-309, -4.1e-309};  // exp(-z^2 / 2) brings them back
  every_method({"one sample, bandwidth below the normal numbers", {0}, {}, tails, 1.2e-310});
  every_method({"huge bandwidth", spread, {}, truth::uniform(400, -3, 3), 1e6});
  every_method({"bandwidth beyond all squares", spread, {}, truth::uniform(400, -3, 3), 1e200});
}

void every_size() {
  for (int n = 1; n <= 70; ++n) {
    for (const int k : {1, 2, 7, 8, 9, 31, 64, 65, n}) {
      const Row samples = truth::normal(n);
      every_method({"sizes", samples, {}, k == n ? samples : truth::normal(k, 0, 2), 0.4});
    }
  }
}

void rules() {
  for (const int n : {2, 3, 8, 33, 700}) {
    const Row row = truth::normal(n, -2, 3), share = truth::uniform(n, 0.5, 1);
    for (const double size : {0.0, 1.0, 1e308, 1e-308, 1e-200}) {  // of the weights
      const bool weighted = size > 0;
      Row weights = share;
      for (double& w : weights) w *= size;
      long double total = 0, squares = 0, mean = 0, variance = 0;
      const auto weight = [&](std::size_t i) { return weighted ? static_cast<long double>(weights[i]) : 1.0L; };
      for (std::size_t i = 0; i < row.size(); ++i) total += weight(i), squares += weight(i) * weight(i);
      for (std::size_t i = 0; i < row.size(); ++i) mean += weight(i) * row[i] / total;
      for (std::size_t i = 0; i < row.size(); ++i) variance += weight(i) * (row[i] - mean) * (row[i] - mean) / total;
      const long double n_eff = total * total / squares, unbiased = variance / (1 - 1 / n_eff);
      const long double expected[] = {std::pow(n_eff, -0.2L) * std::sqrt(unbiased),
                                      std::pow(n_eff * 3 / 4, -0.2L) * std::sqrt(unbiased),
                                      1.06L * std::pow(n_eff, -0.2L) * std::sqrt(variance)};
      for (const char* name : {"scott", "silverman", "ken"}) {
        kde::BandwidthParams params;
        params.samples = matrix_of(row);
        if (weighted) params.weights = matrix_of(weights);
        params.rule = kde::rule_named(name).value();
        double found = NAN;
        params.bandwidth = &found;
        kde::bandwidth_cpu(params, serial_for);
        const long double exact = expected[static_cast<int>(params.rule)];
        CHECK(std::fabs(found - exact) <= 1e-13L * exact, "%s, n %d: %.17g, not %.17Lg", name, n, found, exact);
      }
    }
  }
}

// What has no bandwidth by a rule, and why.
void rules_without_an_answer() {
  const auto fault_of = [](const Row& samples, const Row& weights, const char* rule) {
    kde::BandwidthParams params;
    params.samples = matrix_of(samples);
    if (!weights.empty()) params.weights = matrix_of(weights);
    params.rule = kde::rule_named(rule).value();
    double bandwidth = NAN;
    params.bandwidth = &bandwidth;
    return kde::bandwidth_cpu(params, serial_for).fault;
  };
  for (const char* rule : {"scott", "silverman", "ken"}) {
    CHECK(fault_of({2, 2, 2}, {}, rule) == Fault::constant_row, "%s: constant", rule);
    CHECK(fault_of({2, 2, 2}, {1, 0, 0}, rule) == Fault::constant_row, "%s: constant, weights", rule);
    CHECK(fault_of({1, 2, 3}, {0, 5, 0}, rule) == Fault::one_value, "%s: one weight", rule);
    CHECK(fault_of({2, 1, 2}, {3, 0, 5}, rule) == Fault::one_value, "%s: two weights at one value", rule);
    CHECK(fault_of({1, 2, 3}, {1e308, 1e308, 0}, rule) == Fault::none, "%s: huge weights", rule);
  }
  CHECK(fault_of({1, 2, 3}, {1, 1e-300, 0}, "scott") == Fault::one_value, "as far as float64 can tell");
}

// Up to where the range is no number, and so its bandwidth times the number of samples.
void grid_over_all_numbers() {
  constexpr double kLargest = 1.7e308;
  const Row row{-kLargest, kLargest, 0, kLargest / 3};
  Row points(3), density(3);
  kde::GridParams params;
  params.samples = matrix_of(row);
  params.num_points = 3;
  const double h = 1e308;
  params.bandwidth = &h;
  params.grid = points.data();
  params.density = density.data();
  params.dtype = DType::float64;
  kde::gaussian_kde_grid_cpu(params, serial_for);
  for (const std::size_t j : {0, 1, 2}) {
    const long double exact = std::exp(truth::log_density(row, {}, {points[j]}, h)[0]);
    CHECK(std::fabs(density[j] - exact) <= 1e-12L * exact, "%.17g, not %.17Lg", density[j], exact);
  }
}

void grid() {
  for (const int k : {1, 2, 3, 65, 400}) {
    const Row row = truth::normal(300);
    const auto [low, high] = std::minmax_element(row.begin(), row.end());
    const double h = 0.3;
    Row points(static_cast<std::size_t>(k)), density(static_cast<std::size_t>(k));
    kde::GridParams params;
    params.samples = matrix_of(row);
    params.num_points = k;
    params.bandwidth = &h;
    params.grid = points.data();
    params.density = density.data();
    params.dtype = DType::float64;
    params.accuracy = kde::Accuracy::relative_1e12;
    kde::gaussian_kde_grid_cpu(params, serial_for);
    CHECK(points.front() == *low && (k == 1 || points.back() == *high), "%d points: ends %.17g and %.17g", k,
          points.front(), points.back());
    const double step = k > 1 ? (*high - *low) / (k - 1) : 0;
    for (int j = 0; j + 1 < k; ++j) {
      CHECK(points[static_cast<std::size_t>(j)] == j * step + *low, "point %d of %d", j, k);
    }
    const auto exact = truth::log_density(row, {}, points, h);
    for (std::size_t j = 0; j < points.size(); ++j) {
      CHECK(std::fabs(density[j] - std::exp(exact[j])) <= 1e-12L * std::exp(exact[j]), "%d points, density %zu", k, j);
    }
  }
}

void same_on_any_threads() {
  constexpr std::int64_t rows = 37, n = 300, k = 200;
  const Row samples = truth::normal(rows * n), points = truth::normal(rows * k), h = truth::uniform(rows, 0.1, 0.5);
  Row serial;
  for (const unsigned threads : {1u, 2u, 3u, 8u, 64u}) {
    Row density(static_cast<std::size_t>(rows * k));
    kde::KdeParams params;
    params.samples = {samples.data(), DType::float64, rows, n, n, 1};
    params.points = {points.data(), DType::float64, rows, k, k, 1};
    params.bandwidth = h.data();
    params.density = density.data();
    params.density_dtype = DType::float64;
    kde::gaussian_kde_cpu(params, thread_for(threads));
    if (serial.empty()) serial = density;
    CHECK(density == serial, "densities on %u threads differ from those on one", threads);
  }
}

void faults_name_the_first_row() {
  constexpr std::int64_t rows = 40, n = 8;
  const auto fault_of = [](const Row& samples, const Row& points, const Row& weights, const Row& h) {
    Row density(static_cast<std::size_t>(rows * n));
    kde::KdeParams params;
    params.samples = {samples.data(), DType::float64, rows, n, n, 1};
    params.points = {points.data(), DType::float64, rows, n, n, 1};
    params.weights = {weights.data(), DType::float64, rows, n, n, 1};
    params.bandwidth = h.data();
    params.density = density.data();
    params.density_dtype = DType::float64;
    return kde::gaussian_kde_cpu(params, thread_for(4));
  };
  const Row good = truth::normal(rows * n), ones(rows * n, 1), h(rows, 0.5);
  const auto spoilt = [](Row row, std::initializer_list<std::pair<std::size_t, double>> changes) {
    for (const auto& [i, value] : changes) row[i] = value;
    return row;
  };
  const auto expect = [](const Status& status, Fault fault, std::int64_t row) {
    CHECK(status.fault == fault && status.row == row, "fault %d in row %lld, not %d in row %lld",
          static_cast<int>(status.fault), static_cast<long long>(status.row), static_cast<int>(fault),
          static_cast<long long>(row));
  };
  expect(fault_of(good, good, ones, h), Fault::none, -1);
  for (const double bad : {double{NAN}, double{INFINITY}, -double{INFINITY}}) {
    expect(fault_of(spoilt(good, {{31 * n, 1 / 0.0}, {11 * n + 7, bad}}), good, ones, h), Fault::not_finite, 11);
    expect(fault_of(good, spoilt(good, {{9 * n + 3, bad}}), ones, h), Fault::bad_points, 9);
    expect(fault_of(good, good, spoilt(ones, {{39 * n, bad}, {2 * n, bad}}), h), Fault::bad_weights, 2);
    expect(fault_of(good, good, ones, spoilt(h, {{5, bad}})), Fault::bad_bandwidth, 5);
  }
  expect(fault_of(good, good, spoilt(ones, {{7 * n, -1e-300}}), h), Fault::bad_weights, 7);
  Row nothing = ones;
  std::fill(nothing.begin() + 3 * n, nothing.begin() + 4 * n, 0);
  expect(fault_of(good, good, nothing, h), Fault::bad_weights, 3);
  for (const double bad : {0.0, -1.0})
    expect(fault_of(good, good, ones, spoilt(h, {{0, bad}})), Fault::bad_bandwidth, 0);
}

void run() {
  regimes();
  every_size();
  rules();
  rules_without_an_answer();
  grid();
  grid_over_all_numbers();
  same_on_any_threads();
  faults_name_the_first_row();
}

}  // namespace

CHECK_MAIN(run)
