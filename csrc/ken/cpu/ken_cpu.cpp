// KEN's row selection, steps as in the paper's code:
//   1. h = 1.06 std n^(-1/5);  2. k equal steps over the row's range;  3. the density there, rounded half to even;
//   4. steps in descending order of it, equal ones ascending;  5. each takes the nearest entry not yet taken.
// The density only orders the steps, so an approximate one serves wherever it is not within its error of a
// half-integer; there it is summed again by the definition. Masks are those of exact arithmetic, at a hundredth of its
// cost.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kde/cpu/row_bandwidth.h"
#include "kde/cpu/row_sums.h"
#include "kde/kde_math.h"
#include "ken/cpu/matching.h"
#include "ken/cpu/sorted_groups.h"
#include "ken/ken.h"
#include "ken/ken_math.h"

namespace pruning_ext::ken {
namespace {

using kde::Accuracy;

class RowSelector {
 public:
  explicit RowSelector(const KenParams& params) : params_(params) {}

  Fault select(std::int64_t r) {
    const std::int64_t n = params_.weight.cols;
    bool* mask = params_.mask + r * n;
    row_ = row_buffer_.reserve(n);
    range_ = load_row(params_.weight, r, row_);
    if (!range_.finite) return Fault::not_finite;
    if (params_.k >= n || params_.k == 0 || range_.low == range_.high) {
      // A constant row has no bandwidth; all its entries are ties of the first k.
      const bool all = params_.k >= n || (params_.k > 0 && params_.keep_ties);
      std::fill(mask, mask + n, all);
      std::fill(mask, mask + std::min(params_.k, n), true);
      return Fault::none;
    }
    rescale(n);
    make_grid();
    order_points(n);
    groups_.assign(row_, n, params_.weight.dtype != DType::float64);
    matcher_.reset(groups_, grid_, params_.k);
    std::fill(mask, mask + n, false);
    for (std::int64_t j = 0; j < params_.k; ++j) mask[matcher_.take(groups_, point_order_[j])] = true;
    if (params_.keep_ties) keep_ties(mask);
    return Fault::none;
  }

 private:
  void rescale(std::int64_t n) {
    const double factor = row_factor(range_.high - range_.low);
    if (factor == 1) return;
    for (std::int64_t i = 0; i < n; ++i) row_[i] *= factor;
    range_.low *= factor;
    range_.high *= factor;
  }

  void make_grid() {
    const std::int64_t k = params_.k;
    grid_ = grid_buffer_.reserve(k);
    const double step = kde::grid_step(range_.low, range_.high, k);
    for (std::int64_t j = 0; j < k; ++j) grid_[j] = kde::grid_point(range_.low, range_.high, step, j, k);
  }

  // buckets_[j] = density at grid[j], rounded.
  void round_densities(std::int64_t n) {
    const std::int64_t k = params_.k;
    const double h = kde::row_bandwidth(kde::BandwidthRule::ken, row_, nullptr, n, range_, scratch_);
    const double scale = kde::kInvSqrt2Pi / (h * static_cast<double>(n));
    const double highest = kde::kInvSqrt2Pi / h;  // no density exceeds it
    const bool coarse = coarse_serves(highest);
    const bool fine = fine_serves(highest);
    const Accuracy accuracy = coarse ? Accuracy::relative_1e5 : fine ? Accuracy::relative_1e12 : Accuracy::exact;
    const double error = coarse ? kCoarseError : fine ? kFineError : 0;
    kde::RowSums sums{row_, nullptr, n, grid_, k, range_.low, h, buckets_};
    solver_.solve(sums, range_, {grid_[0], grid_[k - 1], true}, accuracy);
    for (std::int64_t j = 0; j < k; ++j) {
      double density = buckets_[j] * scale;
      if (error > 0 && is_undecided(density, error, highest)) {
        double exact;
        kde::active_kernels().direct({row_, nullptr, n, grid_ + j, 1, range_.low, h, &exact});
        density = exact * scale;
      }
      buckets_[j] = std::nearbyint(density);
    }
  }

  void order_points(std::int64_t n) {
    const std::int64_t k = params_.k;
    buckets_ = bucket_buffer_.reserve(k);
    point_order_ = order_buffer_.reserve(k);
    round_densities(n);
    const auto [low, high] = std::minmax_element(buckets_, buckets_ + k);
    const double lowest = *low, highest = *high;
    if (!(highest - lowest < 4096)) {  // too many buckets to count
      std::iota(point_order_, point_order_ + k, std::int64_t{0});
      std::stable_sort(point_order_, point_order_ + k,
                       [&](std::int64_t a, std::int64_t b) { return buckets_[a] > buckets_[b]; });
      return;
    }
    // Counting sort, descending.
    const auto bucket = [&](std::int64_t j) { return static_cast<std::int64_t>(highest - buckets_[j]); };
    const std::int64_t buckets = static_cast<std::int64_t>(highest - lowest) + 1;
    std::int64_t* begin = begin_buffer_.reserve(buckets + 1);
    std::fill(begin, begin + buckets + 1, std::int64_t{0});
    for (std::int64_t j = 0; j < k; ++j) ++begin[bucket(j) + 1];
    for (std::int64_t b = 0; b < buckets; ++b) begin[b + 1] += begin[b];
    for (std::int64_t j = 0; j < k; ++j) point_order_[begin[bucket(j)]++] = j;
  }

  void keep_ties(bool* mask) const {
    for (std::int32_t group = 0; group < groups_.count(); ++group) {
      if (matcher_.taken_in(groups_, group) == 0) continue;
      for (std::int32_t position = groups_.begin(group); position < groups_.end(group); ++position)
        mask[groups_.entry(position)] = true;
    }
  }

  const KenParams& params_;
  kde::RowSolver solver_;
  SortedGroups groups_;
  GreedyMatcher matcher_;
  RowRange range_{};
  double *row_ = nullptr, *grid_ = nullptr, *buckets_ = nullptr;
  std::int64_t* point_order_ = nullptr;
  AlignedBuffer<double> row_buffer_, grid_buffer_, bucket_buffer_, scratch_;
  AlignedBuffer<std::int64_t> order_buffer_, begin_buffer_;
};

}  // namespace

Status ken_mask_cpu(const KenParams& params, const ParallelFor& parallel_for) {
  if (params.k < 0) return {Fault::negative_k};
  FirstFault fault;
  const std::int64_t grain = std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(params.weight.cols, 1));
  parallel_for(0, params.weight.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    RowSelector selector(params);
    for (std::int64_t r = begin; r < end; ++r) {
      const Fault found = selector.select(r);
      if (found != Fault::none) fault.report(found, r);
    }
  });
  return fault.status();
}

}  // namespace pruning_ext::ken
