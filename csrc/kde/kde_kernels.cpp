// One row of Gaussian sums, by the definition and through the lattice (lattice.h says how that works).
#include "kde/kde_kernels.h"

#include "common/simd.h"

namespace pruning_ext::kde::PRUNING_EXT_ISA {
namespace {

constexpr std::int64_t kBlock = 256;  // offsets computed at once: they stay in the first-level cache
constexpr double kRound = 6755399441055744.0;

RowRange load(const void* source, DType dtype, std::int64_t stride, std::int64_t n, double* out) {
  const Range range = load_row(source, dtype, stride, n, out);
  return {range.low, range.high, range.finite};
}

// Mean first, then squared distances from it: no cancellation for rows far from 0.
void moments(const double* x, const double* w, std::int64_t n, RowMoments* out) {
  double lanes[3][8] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    const double weight = w == nullptr ? 1.0 : w[i];
    lanes[0][i & 7] += weight * x[i];
    lanes[1][i & 7] += weight;
    lanes[2][i & 7] += weight * weight;
  }
  double sums[3] = {};
  for (int s = 0; s < 3; ++s) {
    for (int l = 0; l < 8; ++l) sums[s] += lanes[s][l];
  }
  const double mean = sums[0] / sums[1];
  double squares[8] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    const double d = x[i] - mean;
    squares[i & 7] += (w == nullptr ? 1.0 : w[i]) * (d * d);
  }
  double variance = 0;
  for (int l = 0; l < 8; ++l) variance += squares[l];
  *out = {mean, variance / sums[1], sums[1] * sums[1] / sums[2], sums[1]};
}

// 1. The definition. Bound by the exponential: eight at a time, two in flight.
void direct(const RowSums& row) {
  const double scale = 1.0 / row.bandwidth;
  const std::int64_t whole = row.n / 8 * 8;
  for (std::int64_t j = 0; j < row.k; ++j) {
    const double p = row.points[j];
    f64x8 sum{};
    for (std::int64_t i = 0; i < whole; i += 8) {
      const f64x8 z = (PRUNING_EXT_LOAD8(row.samples + i) - p) * scale;
      f64x8 term = z * z * -0.5;
      exp_nonpositive(term);
      if (row.weights != nullptr) term *= PRUNING_EXT_LOAD8(row.weights + i);
      sum += term;
    }
    if (whole < row.n) {
      f64x8 z{}, weight{};
      for (std::int64_t i = whole; i < row.n; ++i) {
        z[i - whole] = (row.samples[i] - p) * scale;
        weight[i - whole] = row.weights == nullptr ? 1.0 : row.weights[i];
      }
      f64x8 term = z * z * -0.5;
      exp_nonpositive(term);
      sum += term * weight;
    }
    row.sums[j] = sum_lanes(sum);
  }
}

// 2. The lattice.
// Box and offset in [-1, 1] of up to kBlock values. The distance from the origin is kept in two parts and the node subtracted by
// a fused step, so that an offset is as exact for a row far from 0, or with many boxes, as for one at 0.
void locate(const double* x, std::int64_t n, double origin, double spacing, std::int32_t* box, double* offset) {
  const double per_box = 1.0 / spacing, twice = 2.0 / spacing;
  for (std::int64_t i = 0; i < n; ++i) {
    const double distance = x[i] - origin;
    const double back = distance + origin;  // Knuth's two-sum: distance + lost == x - origin exactly
    const double lost = (x[i] - back) - (origin - (back - distance));
    const double shifted = distance * per_box + kRound;
    const double nearest = shifted - kRound;
    box[i] = static_cast<std::int32_t>(nearest);
    offset[i] = (__builtin_fma(-nearest, spacing, distance) + lost) * twice;
  }
}

// {1, t, t^2, ... t^7}
inline void first_powers(double t, f64x8& powers) {
  const double t2 = t * t, t4 = t2 * t2;
  const f64x8 by1 = f64x8{0, 1, 0, 1, 0, 1, 0, 1} * t + f64x8{1, 0, 1, 0, 1, 0, 1, 0};
  const f64x8 by2 = f64x8{0, 0, 1, 1, 0, 0, 1, 1} * t2 + f64x8{1, 1, 0, 0, 1, 1, 0, 0};
  const f64x8 by4 = f64x8{0, 0, 0, 0, 1, 1, 1, 1} * t4 + f64x8{1, 1, 1, 1, 0, 0, 0, 0};
  powers = by1 * by2 * by4;
}

template <typename Shape>
void accumulate_moments(const RowSums& row, double spacing, double* moments) {
  constexpr int kVectors = Shape::kTerms / 8;
  alignas(64) double offset[kBlock];
  std::int32_t box[kBlock];
  for (std::int64_t begin = 0; begin < row.n; begin += kBlock) {
    const std::int64_t count = row.n - begin < kBlock ? row.n - begin : kBlock;
    locate(row.samples + begin, count, row.origin, spacing, box, offset);
    for (std::int64_t i = 0; i < count; ++i) {
      f64x8 powers;
      first_powers(offset[i], powers);
      if (row.weights != nullptr) powers *= row.weights[begin + i];
      f64x8* mine = reinterpret_cast<f64x8*>(moments + box[i] * Shape::kTerms);
      mine[0] += powers;
      if constexpr (kVectors == 2) {
        const double t2 = offset[i] * offset[i], t4 = t2 * t2;
        mine[1] += powers * (t4 * t4);
      }
    }
  }
}

// nodes[i .. i + 2 W] += spread(moments of box i): window column c of box i is node i + c.
template <typename Shape>
void spread_to_nodes(const double* moments, std::int64_t boxes, const LatticeTables<Shape>& tables, double* nodes) {
  constexpr int kVectors = Shape::kPadded / 8;
  for (std::int64_t i = 0; i < boxes; ++i) {
    const double* m = moments + i * Shape::kTerms;
    if (m[0] == 0.0) continue;  // an empty box: rows with outliers have many
    f64x8 column[kVectors] = {};
    for (int d = 0; d < Shape::kTerms; ++d) {
      for (int v = 0; v < kVectors; ++v) column[v] += PRUNING_EXT_LOAD8(&tables.spread[d][8 * v]) * m[d];
    }
    for (int v = 0; v < kVectors; ++v) {
      f64x8_any* target = reinterpret_cast<f64x8_any*>(nodes + i + 8 * v);
      *target += column[v];
    }
  }
}

// smooth[j] = sum_m taps[m] nodes[j + m], j < count in whole vectors of 16; nodes are padded accordingly.
template <typename Shape>
void convolve(const double* nodes, std::int64_t count, const double* taps, double* smooth) {
  constexpr int kAll = 2 * Shape::kTaps + 1;
  for (std::int64_t j = 0; j < count; j += 16) {
    f64x8 first{}, second{};
    for (int m = 0; m < kAll; ++m) {
      first += PRUNING_EXT_LOAD8(nodes + j + m) * taps[m];
      second += PRUNING_EXT_LOAD8(nodes + j + m + 8) * taps[m];
    }
    *reinterpret_cast<f64x8_any*>(smooth + j) = first;
    *reinterpret_cast<f64x8_any*>(smooth + j + 8) = second;
  }
}

template <typename Shape>
void gather_to_boxes(const double* smooth, std::int64_t boxes, const LatticeTables<Shape>& tables, double* local) {
  constexpr int kVectors = Shape::kTerms / 8;
  for (std::int64_t b = 0; b < boxes; ++b) {
    f64x8 polynomial[kVectors] = {};
    for (int c = 0; c < Shape::kColumns; ++c) {
      for (int v = 0; v < kVectors; ++v) polynomial[v] += PRUNING_EXT_LOAD8(&tables.gather[c][8 * v]) * smooth[b + c];
    }
    for (int v = 0; v < kVectors; ++v) *reinterpret_cast<f64x8*>(local + b * Shape::kTerms + 8 * v) = polynomial[v];
  }
}

template <typename Shape>
void evaluate(const RowSums& row, const Extent& extent, double spacing, const double* local) {
  alignas(64) double offset[kBlock];
  std::int32_t box[kBlock];
  // A point beyond the reach of all samples is moved to the edge of what an int32 holds; its sum is 0 either way.
  const double furthest = spacing * 1e9;
  double near[kBlock];
  for (std::int64_t begin = 0; begin < row.k; begin += kBlock) {
    const std::int64_t count = row.k - begin < kBlock ? row.k - begin : kBlock;
    for (std::int64_t j = 0; j < count; ++j) {
      const double p = row.points[begin + j], low = row.origin - furthest, high = row.origin + furthest;
      near[j] = p < low ? low : p > high ? high : p;
    }
    locate(near, count, row.origin, spacing, box, offset);
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t b = box[j] - extent.first_point_box;
      double value = 0;
      if (b >= 0 && b < extent.point_boxes) {
        const double* c = local + b * Shape::kTerms;
        value = c[Shape::kTerms - 1];
        for (int d = Shape::kTerms - 2; d >= 0; --d) value = value * offset[j] + c[d];
      }
      row.sums[begin + j] = value > 0 ? value : 0;
    }
  }
}

template <typename Shape>
void lattice(const RowSums& row, const Extent& extent, const LatticeTables<Shape>& tables, double* workspace) {
  constexpr int kWindow = Shape::kWindow;
  const double spacing = Shape::kSpacing * row.bandwidth;
  // Nodes are numbered so that node index 0 is lattice position `first_node`; the convolution's input starts kTaps before its output.
  const std::int64_t first_output = extent.first_point_box - kWindow;
  const std::int64_t outputs = extent.point_boxes + 2 * kWindow;
  const std::int64_t first_input = first_output - Shape::kTaps < -kWindow ? first_output - Shape::kTaps : -kWindow;
  const std::int64_t size = extent.nodes<Shape>() + 32;
  double* moments = workspace;
  double* local = moments + extent.sample_boxes * Shape::kTerms;
  double* nodes = local + extent.point_boxes * Shape::kTerms;
  double* smooth = nodes + size;
  for (std::int64_t i = 0; i < extent.sample_boxes * Shape::kTerms; ++i) moments[i] = 0;
  for (std::int64_t i = 0; i < size; ++i) nodes[i] = 0;
  accumulate_moments<Shape>(row, spacing, moments);
  spread_to_nodes<Shape>(moments, extent.sample_boxes, tables, nodes + (-kWindow - first_input));
  convolve<Shape>(nodes + (first_output - Shape::kTaps - first_input), outputs, tables.taps, smooth);
  gather_to_boxes<Shape>(smooth, extent.point_boxes, tables, local);
  evaluate<Shape>(row, extent, spacing, local);
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table{load, moments, direct, lattice<CoarseLattice>, lattice<FineLattice>};
  return table;
}

}  // namespace pruning_ext::kde::PRUNING_EXT_ISA
