// log_sum against the definition in long double: near, far, weighted, with a sample left out.
#include "kde/tails.h"

#include "check.h"
#include "truth.h"

using namespace pruning_ext;
using truth::Row;

namespace {

// The logarithm is exact to 1e-12, or to float64's rounding of a large exponent and of the distance it comes from.
void agrees(const Row& samples, const Row& weights, const Row& points, double h) {
  const std::int64_t n = static_cast<std::int64_t>(samples.size());
  std::vector<std::int64_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return samples[static_cast<std::size_t>(a)] < samples[static_cast<std::size_t>(b)];
  });
  Row sorted, sorted_weights;
  for (const std::int64_t i : order) {
    sorted.push_back(samples[static_cast<std::size_t>(i)]);
    if (!weights.empty()) sorted_weights.push_back(weights[static_cast<std::size_t>(i)]);
  }
  const double heaviest = weights.empty() ? 1 : *std::max_element(weights.begin(), weights.end());
  const kde::SortedRow row{sorted.data(), weights.empty() ? nullptr : sorted_weights.data(), order.data(), n, heaviest};
  for (const double point : points) {
    for (const std::int64_t skip : {std::int64_t{-1}, std::int64_t{0}, n / 2, n - 1}) {
      const double found = kde::log_sum(row, point, h, skip);
      const long double exact = truth::log_sum(samples, weights, point, h, skip);
      const bool same = std::isinf(exact) ? found == -INFINITY : std::fabs(found - exact) <= 1e-12L - 2e-15L * exact;
      CHECK(same, "n %lld, point %g, skip %lld: %.17g, not %.17Lg", static_cast<long long>(n), point,
            static_cast<long long>(skip), found, exact);
    }
  }
}

void run() {
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

}  // namespace

CHECK_MAIN(run)
