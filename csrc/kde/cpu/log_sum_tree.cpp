#include "kde/cpu/log_sum_tree.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pruning_ext::kde {
namespace {

constexpr std::int64_t kWalk = 64;  // samples that a walk meets before the tree takes its place
constexpr std::int64_t kLeaf = 16;  // samples that are summed up one by one
// All that is left out weighs less than e^-30 of the sum.
constexpr double kNegligible = 30;
// Up to these the first 14 moments give a node's sum to 5e-14: by the coefficients of exp(z r v - r^2 v^2 / 2).
constexpr double kMostSlope = 0.5, kMostRadius = 0.125;  // |z| r, r

}  // namespace

void LogSumTree::assign(const SortedRow& row, double bandwidth) {
  row_ = row;
  bandwidth_ = bandwidth;
  log_count_ = std::log(static_cast<double>(row.n));
  log_weight_ = std::log(row.heaviest) + log_count_;
  is_built_ = false;
  steps_ = 0;
}

double LogSumTree::log_sum(double point, std::int64_t skip) {
  Query query{point, skip, {}};
  if (!walk(query)) {
    build();
    query = {point, skip < 0 ? -1 : positions_.data()[skip], {}};
    visit(query, 1, 0, row_.n);
  }
  return query.sum.value();
}

double LogSumTree::exponent_at(double sample, double point) const {
  const double z = distance_in_bandwidths(sample, point, bandwidth_);
  return -z * z / 2;
}

// Whether all samples at this exponent or below, however many, are nothing to the sum: together they weigh at most
// n * heaviest * exp(exponent). A square that leaves float64 is nothing, too.
bool LogSumTree::is_negligible(const Query& query, double exponent) const {
  if (exponent == -INFINITY) return true;
  const double above = exponent + log_weight_ + kNegligible - query.sum.largest;
  // The sum has its largest term and at most n: mostly that says it without its logarithm.
  if (above < 0 || above >= log_count_) return above < 0;
  return exponent + log_weight_ + kNegligible < query.sum.value();
}

void LogSumTree::add(Query& query, std::int64_t i, double exponent) {
  if (row_.weights == nullptr) {
    query.sum.add(exponent);
  } else if (row_.weights[i] > 0) {
    query.sum.add(exponent + std::log(row_.weights[i]));
  }
}

// Two cursors go outwards from the point, nearest sample first, so the largest equally weighted term comes first. True
// if that was all.
bool LogSumTree::walk(Query& query) {
  const double* middle = std::lower_bound(row_.samples, row_.samples + row_.n, query.point);
  std::int64_t left = middle - row_.samples - 1, right = middle - row_.samples;
  for (std::int64_t step = 0; left >= 0 || right < row_.n; ++step) {
    if (step == kWalk) return false;
    const bool go_left =
        right >= row_.n || (left >= 0 && query.point - row_.samples[left] <= row_.samples[right] - query.point);
    const std::int64_t i = go_left ? left-- : right++;
    const double exponent = exponent_at(row_.samples[i], query.point);
    if (is_negligible(query, exponent)) break;  // and so is all that is further out
    ++steps_;
    if (row_.order[i] != query.skip) add(query, i, exponent);
  }
  return true;
}

void LogSumTree::build() {
  if (is_built_) return;
  is_built_ = true;
  std::int64_t size = 1;
  while (kLeaf * size < row_.n) size *= 2;
  Node* nodes = nodes_.reserve(size);
  for (std::int64_t i = 0; i < size; ++i) nodes[i].is_made = false;
  std::int64_t* positions = positions_.reserve(row_.n);
  for (std::int64_t i = 0; i < row_.n; ++i) positions[row_.order[i]] = i;
}

// Adds the samples begin .. end - 1, which are those of a node of that index, or of a leaf.
void LogSumTree::visit(Query& query, std::int64_t index, std::int64_t begin, std::int64_t end) {
  const double low = row_.samples[begin], high = row_.samples[end - 1];
  if (is_negligible(query, exponent_at(std::clamp(query.point, low, high), query.point))) return;
  if (end - begin <= kLeaf) {
    steps_ += end - begin;
    for (std::int64_t i = begin; i < end; ++i) {
      if (i != query.skip) add(query, i, exponent_at(row_.samples[i], query.point));
    }
    return;
  }
  ++steps_;
  if (add_node(query, index, begin, end)) return;
  const std::int64_t middle = begin + (end - begin) / 2;
  // The nearer half first: its sum may show the other to be negligible.
  if (query.point < row_.samples[middle]) {
    visit(query, 2 * index, begin, middle);
    visit(query, 2 * index + 1, middle, end);
  } else {
    visit(query, 2 * index + 1, middle, end);
    visit(query, 2 * index, begin, middle);
  }
}

// Adds a node by its moments, if they serve: it is narrow enough, and holds all its samples.
bool LogSumTree::add_node(Query& query, std::int64_t index, std::int64_t begin, std::int64_t end) {
  if (begin <= query.skip && query.skip < end) return false;
  const double low = row_.samples[begin], high = row_.samples[end - 1];
  // Halved first, since a range may leave float64; and no subnormal radius, which has too few digits to divide by.
  const double least = std::numeric_limits<double>::min();
  const double centre = low == high ? low : low / 2 + high / 2;
  const double radius = low == high ? 0 : std::max(high / 2 - low / 2, least);
  const double r = radius / bandwidth_, z = distance_in_bandwidths(query.point, centre, bandwidth_);
  if (!(r <= kMostRadius && std::fabs(z) * r <= kMostSlope)) return false;
  Node& node = nodes_.data()[index];
  if (!node.is_made) make(node, begin, end, centre, radius);
  // b_m by the recurrence of Hermite's polynomials.
  double before = 0, coefficient = 1, sum = node.moments[0];
  for (int m = 1; m < kMoments; ++m) {
    const double next = (z * r * coefficient - r * r * before) / m;
    before = coefficient;
    coefficient = next;
    sum += coefficient * node.moments[m];
  }
  if (sum > 0) query.sum.add(std::log(sum) - z * z / 2);
  return true;
}

void LogSumTree::make(Node& node, std::int64_t begin, std::int64_t end, double centre, double radius) {
  steps_ += end - begin;
  node.is_made = true;
  std::fill(node.moments, node.moments + kMoments, 0.0);
  for (std::int64_t i = begin; i < end; ++i) {
    const double v = radius == 0 ? 0 : (row_.samples[i] - centre) / radius;
    double power = row_.weights == nullptr ? 1.0 : row_.weights[i];
    for (int m = 0; m < kMoments; ++m, power *= v) node.moments[m] += power;
  }
}

}  // namespace pruning_ext::kde
