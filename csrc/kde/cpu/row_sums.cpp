#include "kde/cpu/row_sums.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kde/kde_math.h"

namespace pruning_ext::kde {
namespace {

// In the time of one exponential of the direct method; measured with AVX2 and AVX-512 on Zen 4.
struct Cost {
  double sample, point, node;
};

// A lattice as the choice of a method sees it.
struct Method {
  double spacing, reach;  // in bandwidths, in nodes
  Cost cost;
};

const Method& method_for(Accuracy accuracy) {
  static constexpr Method coarse{CoarseLattice::kSpacing, CoarseLattice::kReach, {3.5, 4.5, 17}};
  static constexpr Method fine{FineLattice::kSpacing, FineLattice::kReach, {5.5, 7, 33}};
  return accuracy == Accuracy::relative_1e12 ? fine : coarse;
}

// Half a gigabyte of scratch; no row of weights comes near it. Beyond, sums run over the samples within reach of each
// point.
constexpr double kMostNodes = 1 << 22;

constexpr double kMostBoxes = 1 << 30;  // of any lattice: boxes are counted in int32

double node_count(const RowRange& samples, double bandwidth, const Method& method) {
  return (samples.high - samples.low) / (method.spacing * bandwidth) + method.reach;
}

double lattice_cost(const RowSums& row, double nodes, const Cost& cost) {
  return cost.sample * static_cast<double>(row.n) + cost.point * static_cast<double>(row.k) + cost.node * nodes;
}

double direct_cost(const RowSums& row) { return static_cast<double>(row.n) * static_cast<double>(row.k); }

template <typename Shape>
Extent extent_of(const RowRange& samples, const RowRange& points, double bandwidth) {
  const double spacing = Shape::kSpacing * bandwidth;
  const double last = (samples.high - samples.low) / spacing;
  const auto box = [&](double value) {  // of a point, or the first box out of reach
    return static_cast<std::int64_t>(
        std::nearbyint(std::clamp((value - samples.low) / spacing, -1.0 - Shape::kReach, last + 1 + Shape::kReach)));
  };
  // A box to spare on each side, since locate() may round a half the other way; then only those within reach.
  const std::int64_t sample_boxes = static_cast<std::int64_t>(std::nearbyint(last)) + 2;
  const std::int64_t first = std::max<std::int64_t>(box(points.low) - 1, -Shape::kReach);
  const std::int64_t past = std::min<std::int64_t>(box(points.high) + 2, sample_boxes + Shape::kReach);
  return {sample_boxes, first, std::max<std::int64_t>(past - first, 0)};
}

// By the definition, where the bandwidth has no inverse or a distance may be no number: a division for each term.
void solve_by_division(const RowSums& row) {
  for (std::int64_t j = 0; j < row.k; ++j) {
    row.sums[j] = 0;
    for (std::int64_t i = 0; i < row.n; ++i) {
      const double z = distance_in_bandwidths(row.samples[i], row.points[j], row.bandwidth);
      row.sums[j] += (row.weights == nullptr ? 1.0 : row.weights[i]) * std::exp(-0.5 * z * z);
    }
  }
}

// The direct sum over the samples within reach of each point; everything sorted.
void solve_by_windows(const RowSums& row, double reach) {
  const double* end = row.samples + row.n;
  for (std::int64_t j = 0; j < row.k; ++j) {
    const double* first = std::lower_bound(row.samples, end, row.points[j] - reach);
    const double* past = std::upper_bound(first, end, row.points[j] + reach);
    RowSums window = row;
    window.samples = first;
    window.weights = row.weights == nullptr ? nullptr : row.weights + (first - row.samples);
    window.n = past - first;
    window.points = row.points + j;
    window.sums = row.sums + j;
    window.k = 1;
    active_kernels().direct(window);
  }
}

}  // namespace

void RowSolver::solve(const RowSums& row, const RowRange& samples, const RowRange& points, Accuracy accuracy) {
  const Method& method = method_for(accuracy);
  const double nodes = node_count(samples, row.bandwidth, method);
  const double direct = direct_cost(row);
  const bool tiny = row.bandwidth < 0x1p-1000;  // a lattice's spacing would be no normal number
  const double span = std::max(samples.high, points.high) - std::min(samples.low, points.low);
  if (row.bandwidth < std::numeric_limits<double>::min() || (std::isinf(span) && row.bandwidth > 0x1p1000)) {
    solve_by_division(row);
  } else if (accuracy == Accuracy::exact || tiny || direct <= lattice_cost(row, method.reach, method.cost)) {
    active_kernels().direct(row);
  } else if (nodes > std::min(4096 + 4 * static_cast<double>(row.n + row.k), kMostBoxes)) {
    solve_by_islands(row, accuracy);  // a bandwidth far below the row's spread: most of one lattice would be empty
  } else if (direct <= lattice_cost(row, nodes, method.cost)) {
    active_kernels().direct(row);
  } else {
    solve_by_lattice(row, samples, points, accuracy);
  }
}

void RowSolver::solve_by_lattice(const RowSums& row, const RowRange& samples, const RowRange& points,
                                 Accuracy accuracy) {
  const auto& kernels = active_kernels();
  if (accuracy == Accuracy::relative_1e12) {
    const Extent extent = extent_of<FineLattice>(samples, points, row.bandwidth);
    kernels.fine_lattice(row, extent, lattice_tables<FineLattice>(),
                         workspace_.reserve(extent.workspace<FineLattice>()));
  } else {
    const Extent extent = extent_of<CoarseLattice>(samples, points, row.bandwidth);
    kernels.coarse_lattice(row, extent, lattice_tables<CoarseLattice>(),
                           workspace_.reserve(extent.workspace<CoarseLattice>()));
  }
}

SortedRow RowSolver::sort(const RowSums& row) {
  std::int64_t* order = order_.reserve(row.n);
  std::iota(order, order + row.n, std::int64_t{0});
  std::sort(order, order + row.n, [&](std::int64_t a, std::int64_t b) {
    return row.samples[a] != row.samples[b] ? row.samples[a] < row.samples[b] : a < b;
  });
  double* samples = sorted_samples_.reserve(row.n);
  for (std::int64_t i = 0; i < row.n; ++i) samples[i] = row.samples[order[i]];
  double* weights = nullptr;
  double heaviest = 1;
  if (row.weights != nullptr) {
    weights = sorted_weights_.reserve(row.n);
    for (std::int64_t i = 0; i < row.n; ++i) weights[i] = row.weights[order[i]];
    heaviest = *std::max_element(weights, weights + row.n);
  }
  return {samples, weights, order, row.n, heaviest};
}

// Cuts the row where neighbouring samples are further apart than twice the reach: every point then sees one island at
// most, and no island has more nodes than twice the reach for each of its samples.
void RowSolver::solve_by_islands(const RowSums& row, Accuracy accuracy) {
  const Method& method = method_for(accuracy);
  const double reach = (method.reach + 1) * method.spacing * row.bandwidth;
  const SortedRow sorted = sort(row);
  std::int64_t* point_order = point_order_.reserve(row.k);
  std::iota(point_order, point_order + row.k, std::int64_t{0});
  std::sort(point_order, point_order + row.k,
            [&](std::int64_t a, std::int64_t b) { return row.points[a] < row.points[b]; });
  double* points = sorted_points_.reserve(row.k);
  double* sums = sorted_sums_.reserve(row.k);
  for (std::int64_t j = 0; j < row.k; ++j) points[j] = row.points[point_order[j]], sums[j] = 0;

  std::int64_t next_point = 0;
  for (std::int64_t begin = 0, end = 0; begin < row.n && next_point < row.k; begin = end) {
    for (end = begin + 1; end < row.n && sorted.samples[end] - sorted.samples[end - 1] <= 2 * reach; ++end) {
    }
    const RowRange range{sorted.samples[begin], sorted.samples[end - 1], true};
    while (next_point < row.k && points[next_point] < range.low - reach) ++next_point;
    const std::int64_t first_point = next_point;
    while (next_point < row.k && points[next_point] <= range.high + reach) ++next_point;
    if (next_point == first_point) continue;
    const RowSums island{sorted.samples + begin,
                         sorted.weights == nullptr ? nullptr : sorted.weights + begin,
                         end - begin,
                         points + first_point,
                         next_point - first_point,
                         range.low,
                         row.bandwidth,
                         sums + first_point};
    const double nodes = node_count(range, row.bandwidth, method);
    if (nodes > kMostNodes || direct_cost(island) <= lattice_cost(island, nodes, method.cost)) {
      solve_by_windows(island, reach);
    } else {
      solve_by_lattice(island, range, {points[first_point], points[next_point - 1], true}, accuracy);
    }
  }
  for (std::int64_t j = 0; j < row.k; ++j) row.sums[point_order[j]] = sums[j];
}

}  // namespace pruning_ext::kde
