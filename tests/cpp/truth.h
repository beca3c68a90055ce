// The definitions in long double, and rows to try them on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace truth {

using Row = std::vector<double>;

inline std::mt19937_64& generator() {
  static std::mt19937_64 engine(20240229);
  return engine;
}

inline Row normal(std::int64_t n, double mean = 0, double std = 1) {
  std::normal_distribution<double> distribution(mean, std);
  Row row(static_cast<std::size_t>(n));
  for (double& x : row) x = distribution(generator());
  return row;
}

inline Row uniform(std::int64_t n, double low, double high) {
  std::uniform_real_distribution<double> distribution(low, high);
  Row row(static_cast<std::size_t>(n));
  for (double& x : row) x = distribution(generator());
  return row;
}

// log sum_{i != skip} w_i exp(-(point - x_i)^2 / 2 h^2), -inf if nothing is left. `weights` may be empty: ones.
inline long double log_sum(const Row& samples, const Row& weights, double point, double h, std::int64_t skip = -1) {
  const auto exponent = [&](std::size_t i) {
    const long double z = (static_cast<long double>(point) - samples[i]) / h;
    return weights.empty() ? -z * z / 2 : std::log(static_cast<long double>(weights[i])) - z * z / 2;
  };
  long double largest = -INFINITY;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (static_cast<std::int64_t>(i) != skip) largest = std::max(largest, exponent(i));
  }
  if (std::isinf(largest)) return -INFINITY;
  long double sum = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (static_cast<std::int64_t>(i) != skip) sum += std::exp(exponent(i) - largest);
  }
  return largest + std::log(sum);
}

// The logarithm of the density at each point; with `leave_one_out`, point j without sample j.
inline std::vector<long double> log_density(const Row& samples, const Row& weights, const Row& points, double h,
                                            bool leave_one_out = false) {
  std::vector<long double> result;
  for (std::size_t j = 0; j < points.size(); ++j) {
    const std::int64_t skip = leave_one_out ? static_cast<std::int64_t>(j) : -1;
    long double total = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (static_cast<std::int64_t>(i) != skip) total += weights.empty() ? 1.0L : weights[i];
    }
    const long double scale = std::log(total) + std::log(static_cast<long double>(h)) + std::log(2 * M_PIl) / 2;
    result.push_back(total > 0 ? log_sum(samples, weights, points[j], h, skip) - scale : -INFINITY);
  }
  return result;
}

// KEN's selection as the paper's code has it: every step served in its order takes the nearest entry still free.
inline std::vector<bool> ken_mask(const Row& row, std::int64_t k, bool keep_ties) {
  const std::size_t n = row.size(), steps = static_cast<std::size_t>(k);
  if (steps >= n) return std::vector<bool>(n, true);
  std::vector<bool> mask(n, false);
  const auto [low, high] = std::minmax_element(row.begin(), row.end());
  if (*low == *high) {
    for (std::size_t i = 0; i < n; ++i) mask[i] = i < steps || (keep_ties && k > 0);
    return mask;
  }
  long double mean = 0, variance = 0;
  for (const double x : row) mean += static_cast<long double>(x) / n;
  for (const double x : row) variance += (x - mean) * (x - mean) / n;
  const double h = static_cast<double>(1.06L * std::sqrt(variance) * std::pow(static_cast<long double>(n), -0.2L));
  Row grid(steps), bucket(steps);
  for (std::size_t j = 0; j < steps; ++j) {
    const double step = steps > 1 ? (*high - *low) / static_cast<double>(steps - 1) : 0;
    grid[j] = steps > 1 && j == steps - 1 ? *high : static_cast<double>(j) * step + *low;
    bucket[j] = static_cast<double>(std::nearbyint(std::exp(log_density(row, {}, {grid[j]}, h)[0])));
  }
  std::vector<std::size_t> order(steps);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return bucket[a] > bucket[b]; });
  for (const std::size_t j : order) {
    std::size_t nearest = n;
    for (std::size_t i = 0; i < n; ++i) {
      const bool nearer = nearest == n || std::fabs(row[i] - grid[j]) < std::fabs(row[nearest] - grid[j]);
      if (!mask[i] && nearer) nearest = i;
    }
    mask[nearest] = true;
  }
  const std::vector<bool> taken = mask;
  for (std::size_t i = 0; keep_ties && i < n; ++i) {
    for (std::size_t t = 0; t < n; ++t) mask[i] = mask[i] || (taken[t] && row[t] == row[i]);
  }
  return mask;
}

}  // namespace truth
