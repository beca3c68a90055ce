// The lattice method (lattice.h: formula, error) for one block and one sorted row.
//
// The lattice is walked in tiles of kBoxes boxes, each with its origin at the first point not yet served; a tile needs
// the samples of its own boxes and of kReach on either side. So the scratch is small and fixed, however long the row's
// range, an empty stretch between an outlier and the rest costs nothing, and no offset loses digits far from the
// origin. Since samples are sorted, a box's are contiguous: its moments are summed in a fixed order, without atomics,
// and run-to-run equal. Everything is float64: at 105,000 operations for 4096 samples and 2048 points this is a few
// microseconds of one multiprocessor's float64 pipes, less than the sort.
//
// The polynomial's coefficients and the taps come as kernel parameters: all threads read the same one at a time, which
// is what the constant bank is for.
#pragma once

#include "common/block.cuh"
#include "kde/cuda/term.cuh"
#include "kde/lattice.h"

namespace pruning_ext::kde {

template <typename Shape>
struct LatticeConstants {
  double polynomial[Shape::kColumns][Shape::kTerms];  // g_a at window column c as a polynomial in the offset
  double taps[2 * Shape::kTaps + 1];                  // C g_b
};

template <typename Shape>
inline LatticeConstants<Shape> lattice_constants() {
  const LatticeTables<Shape>& tables = lattice_tables<Shape>();
  LatticeConstants<Shape> constants;
  for (int c = 0; c < Shape::kColumns; ++c) {
    for (int m = 0; m < Shape::kTerms; ++m) constants.polynomial[c][m] = tables.gather[c][m];
  }
  for (int m = 0; m <= 2 * Shape::kTaps; ++m) constants.taps[m] = tables.taps[m];
  return constants;
}

template <typename Shape>
struct LatticeTile {
  static constexpr int kBoxes = Shape::kTerms <= 8 ? 128 : 32;     // with points
  static constexpr int kSmooth = kBoxes + 2 * Shape::kWindow;      // nodes that these boxes touch
  static constexpr int kNodes = kSmooth + 2 * Shape::kTaps;        // nodes that those are made of
  static constexpr int kSampleBoxes = kBoxes + 2 * Shape::kReach;  // boxes that touch those
  double moments[Shape::kTerms][kSampleBoxes];                     // then the point boxes' polynomials
  double nodes[kNodes];
  double smooth[kSmooth];
  int starts[kSampleBoxes + 1];  // each sample box's first sample
};

struct Place {
  int box;        // from the tile's origin, at most kFar away
  double offset;  // in [-1, 1]
};

template <typename Shape>
struct Locator {
  static constexpr double kFar = 1e9;
  double origin, spacing, per_box;
  __device__ Locator(double origin_, double bandwidth)
      : origin(origin_), spacing(Shape::kSpacing * bandwidth), per_box(1.0 / spacing) {}
  // NaN lies beyond everything, and everything beyond it.
  __device__ int box(double x) const { return static_cast<int>(fmax(fmin(rint((x - origin) * per_box), kFar), -kFar)); }
  // As locate() of kde_kernels.cpp: the distance in two parts, the node subtracted by a fused step.
  __device__ Place place(double x) const {
    const double distance = x - origin;
    const double back = distance + origin;
    const double lost = (x - back) - (origin - (back - distance));
    const int b = box(x);
    return {b, (fma(-static_cast<double>(b), spacing, distance) + lost) * (2 * per_box)};
  }
};

// Samples [begin, end) of boxes [-kReach, kBoxes + kReach): where each box's begin.
template <typename Shape, typename Samples>
__device__ void find_boxes(const Samples& samples, unsigned begin, unsigned end, const Locator<Shape>& locator,
                           LatticeTile<Shape>& tile) {
  constexpr int kAll = LatticeTile<Shape>::kSampleBoxes;
  for (unsigned i = begin + threadIdx.x; i <= end; i += blockDim.x) {
    const int before = i == begin ? -1 : locator.box(samples.value(i - 1)) + Shape::kReach;
    const int here = i == end ? kAll : locator.box(samples.value(i)) + Shape::kReach;
    for (int box = before + 1; box <= here; ++box) tile.starts[box] = static_cast<int>(i);
  }
  __syncthreads();  // also for those that still read the polynomials of the tile before
}

// moments[m][box] = sum w t^m over the box's samples; eight lanes share a box.
template <typename Shape, typename Samples>
__device__ void sum_moments(const Samples& samples, const Locator<Shape>& locator, LatticeTile<Shape>& tile) {
  constexpr int kAll = LatticeTile<Shape>::kSampleBoxes, kTeam = 8;
  const int team = static_cast<int>(threadIdx.x) / kTeam, member = static_cast<int>(threadIdx.x) % kTeam;
  const int teams = static_cast<int>(blockDim.x) / kTeam;
  for (int first = 0; first < kAll; first += teams) {
    const int box = first + team;
    double moments[Shape::kTerms] = {};
    if (box < kAll) {
      for (int i = tile.starts[box] + member; i < tile.starts[box + 1]; i += kTeam) {
        const double t = locator.place(samples.value(i)).offset;
        double power = samples.weight(i);
#pragma unroll
        for (int m = 0; m < Shape::kTerms; ++m) {
          moments[m] += power;
          power *= t;
        }
      }
    }
#pragma unroll
    for (int m = 0; m < Shape::kTerms; ++m) {
      const double sum = warp_reduce<kTeam>(moments[m], Add{});
      if (box < kAll && member == m % kTeam) tile.moments[m][box] = sum;
    }
  }
  __syncthreads();
}

// Moments to nodes, nodes to smooth nodes, those to a polynomial for each point box (in place of the moments).
template <typename Shape>
__device__ void smooth_tile(const LatticeConstants<Shape>& constants, LatticeTile<Shape>& tile) {
  using Tile = LatticeTile<Shape>;
  for (int q = threadIdx.x; q < Tile::kNodes; q += blockDim.x) {
    double sum = 0;
#pragma unroll 1
    for (int c = 0; c < Shape::kColumns; ++c) {
#pragma unroll
      for (int m = 0; m < Shape::kTerms; ++m)
        sum += constants.polynomial[c][m] * tile.moments[m][q + 2 * Shape::kWindow - c];
    }
    tile.nodes[q] = sum;
  }
  __syncthreads();
  for (int j = threadIdx.x; j < Tile::kSmooth; j += blockDim.x) {
    double sum[2] = {};
#pragma unroll 4
    for (int m = 0; m < 2 * Shape::kTaps; m += 2) {
      sum[0] += constants.taps[m] * tile.nodes[j + m];
      sum[1] += constants.taps[m + 1] * tile.nodes[j + m + 1];
    }
    tile.smooth[j] = sum[0] + sum[1] + constants.taps[2 * Shape::kTaps] * tile.nodes[j + 2 * Shape::kTaps];
  }
  __syncthreads();
  for (int b = threadIdx.x; b < Tile::kBoxes; b += blockDim.x) {
    double polynomial[Shape::kTerms] = {};
#pragma unroll 1
    for (int c = 0; c < Shape::kColumns; ++c) {
#pragma unroll
      for (int m = 0; m < Shape::kTerms; ++m) polynomial[m] += constants.polynomial[c][m] * tile.smooth[b + c];
    }
#pragma unroll
    for (int m = 0; m < Shape::kTerms; ++m) tile.moments[m][b] = polynomial[m];
  }
  __syncthreads();
}

// By the definition: sum over samples [begin, end) at one point; all lanes of a warp together, the result in each.
template <typename Samples>
__device__ double direct_sum(const Samples& samples, unsigned begin, unsigned end, double point, double bandwidth) {
  const double scale = inverse_of(bandwidth);
  double sum = 0;
  for (unsigned i = begin + lane_index(); i < end; i += kWarp) {
    const double z = (samples.value(i) - point) * scale;
    sum += samples.weight(i) * exp(-0.5 * z * z);
  }
  return warp_reduce(sum, Add{});
}

// store(j, sum_i w_i exp(-(p_j - x_i)^2 / 2 h^2)) for every point j, by one thread each. `samples` and `points` have
// .count and .value(i), ascending; samples also .weight(i). A point that is NaN, first or last, gets 0, and no other
// point notices; finish.cu reports it.
template <typename Shape, typename Samples, typename Points, typename Store>
__device__ void gaussian_sums(const LatticeConstants<Shape>& constants, const Samples& samples, const Points& points,
                              double bandwidth, LatticeTile<Shape>& tile, const Store& store) {
  constexpr int kBoxes = LatticeTile<Shape>::kBoxes, kReach = Shape::kReach;
  // In pairs: what smooth_tile costs, as exponentials of the direct sum.
  constexpr unsigned kTileCost = 300u * Shape::kTerms;
  // Of a subnormal bandwidth the spacing would be no number.
  unsigned past = bandwidth < 0x1p-1000 ? points.count : 0;
  for (unsigned p = warp_index(); p < past; p += warp_count()) {
    const double sum = direct_sum(samples, 0, samples.count, points.value(p), bandwidth);
    if (lane_index() == 0) store(p, sum);
  }
  for (unsigned j = past; j < points.count; j = past) {
    const Locator<Shape> locator(points.value(j), bandwidth);
    past = warp_partition_point(j + 1, points.count, [&](unsigned p) { return locator.box(points.value(p)) < kBoxes; });
    const unsigned begin =
        warp_partition_point(0, samples.count, [&](unsigned i) { return locator.box(samples.value(i)) < -kReach; });
    const unsigned end = warp_partition_point(
        begin, samples.count, [&](unsigned i) { return locator.box(samples.value(i)) < kBoxes + kReach; });
    if (begin == end) {
      for (unsigned p = j + threadIdx.x; p < past; p += blockDim.x) store(p, 0.0);
    } else if (static_cast<unsigned long long>(end - begin) * (past - j) <= kTileCost) {
      for (unsigned p = j + warp_index(); p < past; p += warp_count()) {
        const double sum = direct_sum(samples, begin, end, points.value(p), bandwidth);
        if (lane_index() == 0) store(p, sum);
      }
    } else {
      find_boxes(samples, begin, end, locator, tile);
      sum_moments(samples, locator, tile);
      smooth_tile(constants, tile);
      for (unsigned p = j + threadIdx.x; p < past; p += blockDim.x) {
        const Place place = locator.place(points.value(p));
        const int box = min(max(place.box, 0), kBoxes - 1);  // it is, whatever the rounding
        double value = tile.moments[Shape::kTerms - 1][box];
#pragma unroll
        for (int m = Shape::kTerms - 2; m >= 0; --m) value = value * place.offset + tile.moments[m][box];
        store(p, value > 0 ? value : 0.0);
      }
    }
  }
  __syncthreads();
}

}  // namespace pruning_ext::kde
