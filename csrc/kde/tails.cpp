#include "kde/tails.h"

#include <algorithm>
#include <cmath>

#include "kde/kde_math.h"

namespace pruning_ext::kde {

double log_sum(const SortedRow& row, double point, double bandwidth, std::int64_t skip) {
  // Two cursors walk outwards from the point, nearest sample first, so the largest equally weighted term comes first.
  const double* middle = std::lower_bound(row.samples, row.samples + row.n, point);
  std::int64_t left = middle - row.samples - 1, right = middle - row.samples;
  double largest = -INFINITY, sum = 0;
  const double log_heaviest_all = std::log(row.heaviest * static_cast<double>(row.n));
  while (left >= 0 || right < row.n) {
    const bool go_left = right >= row.n || (left >= 0 && point - row.samples[left] <= row.samples[right] - point);
    const std::int64_t i = go_left ? left-- : right++;
    const double z = distance_in_bandwidths(row.samples[i], point, bandwidth);
    const double exponent = -z * z / 2;
    if (exponent == -INFINITY) break;  // the square leaves float64, here and further out
    // Every sample still to come is at least this far: together they weigh at most n * heaviest * exp(exponent).
    if (exponent + log_heaviest_all < largest + std::log(sum) - 30) break;
    if (row.order[i] == skip) continue;
    const double weight = row.weights == nullptr ? 1.0 : row.weights[i];
    if (weight == 0) continue;
    const double term = exponent + std::log(weight);
    if (term > largest) {
      sum = sum * std::exp(largest - term) + 1;
      largest = term;
    } else {
      sum += std::exp(term - largest);
    }
  }
  return largest + std::log(sum);
}

}  // namespace pruning_ext::kde
