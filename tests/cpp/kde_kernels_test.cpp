// The kernels of one row, each at every size around the widths of its vectors, against the definition in long double.
#include "kde/cpu/kde_kernels.h"

#include "check.h"
#include "common/aligned_buffer.h"
#include "truth.h"

using namespace pruning_ext;
using truth::Row;

namespace {

constexpr int kMostEntries = 70;  // four vectors of eight doubles, twice, and a rest

template <typename Shape>
kde::Extent extent_of(const Row& samples, const Row& points, double h) {
  const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
  const auto [first, last] = std::minmax_element(points.begin(), points.end());
  const double origin = *low, spacing = Shape::kSpacing * h;
  const auto box = [&](double value) { return static_cast<std::int64_t>(std::nearbyint((value - origin) / spacing)); };
  const std::int64_t sample_boxes = box(*high) + 2;
  const std::int64_t begin = std::max<std::int64_t>(box(*first) - 1, -Shape::kReach);
  const std::int64_t past = std::min<std::int64_t>(box(*last) + 2, sample_boxes + Shape::kReach);
  return {sample_boxes, begin, std::max<std::int64_t>(past - begin, 0)};
}

// Relative error `allowed` down to 1e-12 of the largest possible sum; below, that much of 1e-12 of it.
void within(const char* kernel, const Row& sums, const kde::RowSums& row, const Row& exact, double allowed,
            double floor) {
  const double most =
      row.weights == nullptr ? static_cast<double>(row.n) : std::accumulate(row.weights, row.weights + row.n, 0.0);
  for (std::size_t j = 0; j < exact.size(); ++j) {
    CHECK(std::fabs(sums[j] - exact[j]) <= allowed * std::max(exact[j], floor * most),
          "%s, n %lld, k %lld, %s: sum %zu is %.17g, not %.17g", kernel, static_cast<long long>(row.n),
          static_cast<long long>(row.k), row.weights == nullptr ? "equal weights" : "weights", j, sums[j], exact[j]);
  }
}

void every_method(const Row& samples, const Row& weights, const Row& points, double h) {
  const auto& kernels = kde::active_kernels();
  const std::int64_t n = static_cast<std::int64_t>(samples.size()), k = static_cast<std::int64_t>(points.size());
  const double origin = *std::min_element(samples.begin(), samples.end());
  const double untouched = -7;
  Row sums(points.size() + 1, untouched);
  const kde::RowSums row{samples.data(), weights.empty() ? nullptr : weights.data(), n, points.data(), k, origin, h,
                         sums.data()};
  AlignedBuffer<double> workspace, exactly_enough;  // AddressSanitizer sees a step beyond what workspace() promises
  Row exact;
  for (const double point : points) {
    exact.push_back(static_cast<double>(std::exp(truth::log_sum(samples, weights, point, h))));
  }

  kernels.direct(row);
  within("direct", sums, row, exact, 1e-12, 1e-290);
  const kde::Extent coarse = extent_of<kde::CoarseLattice>(samples, points, h);
  kernels.coarse_lattice(row, coarse, kde::lattice_tables<kde::CoarseLattice>(),
                         workspace.reserve(coarse.workspace<kde::CoarseLattice>()));
  within("coarse", sums, row, exact, 1e-6, 1e-12);
  const kde::Extent fine = extent_of<kde::FineLattice>(samples, points, h);
  kernels.fine_lattice(row, fine, kde::lattice_tables<kde::FineLattice>(),
                       exactly_enough.reserve(fine.workspace<kde::FineLattice>()));
  within("fine", sums, row, exact, 1e-13, 1e-12);
  CHECK(sums.back() == untouched, "n %zu, k %zu: a sum was written beyond the last", samples.size(), points.size());
}

void moments(const Row& row, const Row& weights) {
  kde::RowMoments found;
  kde::active_kernels().moments(row.data(), weights.empty() ? nullptr : weights.data(),
                                static_cast<std::int64_t>(row.size()), &found);
  long double total = 0, squares = 0, mean = 0, variance = 0;
  const auto weight = [&](std::size_t i) { return weights.empty() ? 1.0L : weights[i]; };
  for (std::size_t i = 0; i < row.size(); ++i) total += weight(i), squares += weight(i) * weight(i);
  for (std::size_t i = 0; i < row.size(); ++i) mean += weight(i) / total * row[i];
  for (std::size_t i = 0; i < row.size(); ++i) variance += weight(i) / total * (row[i] - mean) * (row[i] - mean);
  CHECK(std::fabs(found.mean - mean) <= 1e-14L * (std::fabs(mean) + std::sqrt(variance)),
        "n %zu: mean %.17g, not %.17Lg", row.size(), found.mean, mean);
  // The mean is rounded to its own last bit, and the square of that enters the variance.
  const long double rounding = mean * 2.3e-16L;
  CHECK(std::fabs(found.variance - variance) <= 1e-13L * variance + rounding * rounding,
        "n %zu: variance %.17g, not %.17Lg", row.size(), found.variance, variance);
  CHECK(std::fabs(found.n_eff - total * total / squares) <= 1e-13L * row.size(), "n %zu: n_eff %.17g", row.size(),
        found.n_eff);
  CHECK(std::fabs(found.weight_sum - total) <= 1e-13L * total, "n %zu: weight sum %.17g", row.size(), found.weight_sum);
}

void run() {
  for (int n = 1; n <= kMostEntries; ++n) {
    const Row samples = truth::normal(n, 3);
    Row weights = truth::uniform(n, 0, 2);
    weights[static_cast<std::size_t>(n) / 2] = n > 1 ? 0 : 1;
    moments(samples, {});
    moments(samples, weights);
    moments(truth::normal(n, 1e6, 1e-3), {});
    for (const int k : {1, 2, 3, 5, 8, 31, 33, n, kMostEntries + 1 - n}) {
      every_method(samples, {}, truth::uniform(k, -1, 7), 0.25);
      every_method(samples, weights, truth::uniform(k, -1, 7), 0.25);
    }
    every_method(samples, {}, samples, 1e-3);
    every_method(samples, {}, samples, 1e3);
    every_method(Row(static_cast<std::size_t>(n), -2.5), {}, {-2.5, -2.5 + 1e-3, 0}, 0.1);  // a constant row
    every_method(truth::normal(n, 1e6, 1e-3), {}, truth::normal(9, 1e6, 1e-3), 3e-4);       // far from 0
    every_method(samples, {}, {-50, 60, 1e5, -1e5}, 0.25);                                  // out of reach
  }
  // More than one block of offsets (kBlock), and one more.
  for (const int n : {255, 256, 257, 513})
    every_method(truth::normal(n), truth::uniform(n, 0, 1), truth::normal(n), 0.1);
}

}  // namespace

CHECK_MAIN(run)
