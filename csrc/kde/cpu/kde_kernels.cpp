// One row of Gaussian sums, by the definition and through the lattice (lattice.h says how that works).
#include "kde/cpu/kde_kernels.h"

#include "common/simd.h"

namespace pruning_ext::kde::PRUNING_EXT_ISA {
namespace {

constexpr std::int64_t kBlock = 256;  // offsets computed at once: they stay in the first-level cache
constexpr double kRound = 6755399441055744.0;

// sum_i term(x[i], w[i]), in two vectors of partial sums.
template <typename Term>
inline double sum_over(const double* x, const double* w, std::int64_t n, Term term) {
  Doubles sums[2] = {};
  double rest = 0;
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    for (int f = 0; f < 2; ++f) {
      const std::int64_t at = i + f * kLanes;
      sums[f] += term(load(x + at), w == nullptr ? Doubles{} + 1.0 : load(w + at));
    }
  }
  for (; i < n; ++i) rest += term(x[i], w == nullptr ? 1.0 : w[i]);
  return sum_lanes(sums[0] + sums[1]) + rest;
}

// Mean first, then squared distances from it: no cancellation for rows far from 0.
void moments(const double* x, const double* w, std::int64_t n, RowMoments* out) {
  double total = static_cast<double>(n), squares = total;
  if (w != nullptr) {
    total = sum_over(x, w, n, [](auto, auto weight) { return weight; });
    squares = sum_over(x, w, n, [](auto, auto weight) { return weight * weight; });
  }
  const double mean = sum_over(x, w, n, [](auto value, auto weight) { return weight * value; }) / total;
  const double spread =
      sum_over(x, w, n, [mean](auto value, auto weight) { return weight * (value - mean) * (value - mean); });
  *out = {mean, spread / total, total * total / squares, total};
}

// 1. The definition. Bound by the exponential; four vectors in flight hide its latency.
constexpr int kInFlight = 4;

template <bool kWeighted>
double direct_sum(const RowSums& row, double p, double scale) {
  Doubles sums[kInFlight] = {};
  std::int64_t i = 0;
  for (; i + kInFlight * kLanes <= row.n; i += kInFlight * kLanes) {
    for (int f = 0; f < kInFlight; ++f) {
      const Doubles z = (load(row.samples + i + f * kLanes) - p) * scale;
      const Doubles term = exp_nonpositive(z * z * -0.5);
      sums[f] += kWeighted ? term * load(row.weights + i + f * kLanes) : term;
    }
  }
  for (; i < row.n; i += kLanes) {  // the rest, padded with weights of 0
    Doubles z{}, weight{};
    for (int l = 0; l < kLanes && i + l < row.n; ++l) {
      z[l] = (row.samples[i + l] - p) * scale;
      weight[l] = kWeighted ? row.weights[i + l] : 1.0;
    }
    sums[0] += exp_nonpositive(z * z * -0.5) * weight;
  }
  return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void direct(const RowSums& row) {
  const double scale = 1.0 / row.bandwidth;
  for (std::int64_t j = 0; j < row.k; ++j) {
    row.sums[j] = row.weights == nullptr ? direct_sum<false>(row, row.points[j], scale)
                                         : direct_sum<true>(row, row.points[j], scale);
  }
}

// 2. The lattice.
// Box and offset in [-1, 1] of up to kBlock values. The distance from the origin is kept in two parts and the node
// subtracted by a fused step, so that an offset is as exact for a row far from 0, or with many boxes, as for one at 0.
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

// {1, t, t^2, ...}, one vector of them: lane l is the product of t, t^2, t^4 wherever l has that bit.
inline Doubles first_powers(double t, double t2, double t4) {
  alignas(64) static constexpr double kBits[3][2][8] = {{{0, 1, 0, 1, 0, 1, 0, 1}, {1, 0, 1, 0, 1, 0, 1, 0}},
                                                        {{0, 0, 1, 1, 0, 0, 1, 1}, {1, 1, 0, 0, 1, 1, 0, 0}},
                                                        {{0, 0, 0, 0, 1, 1, 1, 1}, {1, 1, 1, 1, 0, 0, 0, 0}}};
  Doubles powers = load(kBits[0][0]) * t + load(kBits[0][1]);
  if constexpr (kLanes >= 4) powers *= load(kBits[1][0]) * t2 + load(kBits[1][1]);
  if constexpr (kLanes >= 8) powers *= load(kBits[2][0]) * t4 + load(kBits[2][1]);
  return powers;
}

template <typename Shape>
void accumulate_moments(const RowSums& row, double spacing, double* moments) {
  alignas(64) double offset[kBlock];
  std::int32_t box[kBlock];
  for (std::int64_t begin = 0; begin < row.n; begin += kBlock) {
    const std::int64_t count = row.n - begin < kBlock ? row.n - begin : kBlock;
    locate(row.samples + begin, count, row.origin, spacing, box, offset);
    for (std::int64_t i = 0; i < count; ++i) {
      const double t = offset[i], t2 = t * t, t4 = t2 * t2;
      const double step = kLanes == 2 ? t2 : kLanes == 4 ? t4 : t4 * t4;
      Doubles powers = first_powers(t, t2, t4);
      if (row.weights != nullptr) powers *= row.weights[begin + i];
      double* mine = moments + box[i] * Shape::kTerms;
      for (int v = 0; v < Shape::kTerms; v += kLanes) {
        store(mine + v, load(mine + v) + powers);
        powers *= step;
      }
    }
  }
}

// nodes[i .. i + 2 W] += spread(moments of box i): window column c of box i is node i + c.
template <typename Shape>
void spread_to_nodes(const double* moments, std::int64_t boxes, const LatticeTables<Shape>& tables, double* nodes) {
  constexpr int kVectors = Shape::kPadded / kLanes;
  for (std::int64_t i = 0; i < boxes; ++i) {
    const double* m = moments + i * Shape::kTerms;
    if (m[0] == 0.0) continue;  // an empty box: rows with outliers have many
    Doubles column[kVectors] = {};
    for (int d = 0; d < Shape::kTerms; ++d) {
      for (int v = 0; v < kVectors; ++v) column[v] += load(&tables.spread[d][kLanes * v]) * m[d];
    }
    for (int v = 0; v < kVectors; ++v) store(nodes + i + kLanes * v, load(nodes + i + kLanes * v) + column[v]);
  }
}

// smooth[j] = sum_m taps[m] nodes[j + m], j < count in whole strips; nodes are padded accordingly.
template <typename Shape>
void convolve(const double* nodes, std::int64_t count, const double* taps, double* smooth) {
  constexpr int kAll = 2 * Shape::kTaps + 1;
  constexpr int kVectors = 4;
  for (std::int64_t j = 0; j < count; j += kVectors * kLanes) {
    Doubles strip[kVectors] = {};
    for (int m = 0; m < kAll; ++m) {
      for (int v = 0; v < kVectors; ++v) strip[v] += load(nodes + j + m + kLanes * v) * taps[m];
    }
    for (int v = 0; v < kVectors; ++v) store(smooth + j + kLanes * v, strip[v]);
  }
}

template <typename Shape>
void gather_to_boxes(const double* smooth, std::int64_t boxes, const LatticeTables<Shape>& tables, double* local) {
  constexpr int kVectors = Shape::kTerms / kLanes;
  for (std::int64_t b = 0; b < boxes; ++b) {
    Doubles polynomial[kVectors] = {};
    for (int c = 0; c < Shape::kColumns; ++c) {
      for (int v = 0; v < kVectors; ++v) polynomial[v] += load(&tables.gather[c][kLanes * v]) * smooth[b + c];
    }
    for (int v = 0; v < kVectors; ++v) store(local + b * Shape::kTerms + kLanes * v, polynomial[v]);
  }
}

template <typename Shape>
void evaluate(const RowSums& row, const Extent& extent, double spacing, const double* local) {
  alignas(64) double offset[kBlock];
  std::int32_t box[kBlock];
  // A point beyond the reach of all samples is moved to the edge of what an int32 holds; its sum is 0 either way.
  const double furthest = spacing < 0x1p990 ? spacing * 1e9 : 0x1.fffffffffffffp1023;
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
  // Nodes are numbered so that node index 0 is lattice position `first_node`; the convolution's input starts kTaps
  // before its output.
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
  static constexpr Kernels table{moments, direct, lattice<CoarseLattice>, lattice<FineLattice>};
  return table;
}

}  // namespace pruning_ext::kde::PRUNING_EXT_ISA
