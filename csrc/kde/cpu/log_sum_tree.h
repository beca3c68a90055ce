// Sums that the fast methods cannot give: the logarithm far from every sample, and what is left at a sample without
// itself.
//
// From far away the samples that matter are the nearest few, or very many: a spike of equal ones, or a whole row that
// is narrow beside its distance. So a walk outwards from the point comes first; where it does not end soon, a tree over
// the sorted row takes its place, whose nodes stand for all their samples at once (Greengard and Strain, 1991): with
// z = (p - c) / h from the node's centre c, x = c + R v, r = R / h,
//
//   sum_i w_i exp(-(p - x_i)^2 / 2 h^2)  =  exp(-z^2 / 2)  sum_m  b_m  sum_i w_i v_i^m
//   where  sum_m  b_m v^m  =  exp(z r v - r^2 v^2 / 2).
//
// The sums over i are the node's moments, made when it is first used: N log N in all, and a point costs the nodes
// between it and where the terms vanish, a logarithm of N times a few dozen at most.
#pragma once

#include <cstdint>

#include "common/aligned_buffer.h"
#include "kde/cpu/row_sums.h"
#include "kde/kde_math.h"

namespace pruning_ext::kde {

// One per thread; keeps its scratch memory from row to row.
class LogSumTree {
 public:
  // Takes up a row, which must stay until the next one.
  void assign(const SortedRow& row, double bandwidth);

  // log sum_{i != skip} w_i exp(-(point - x_i)^2 / 2 h^2), to 1e-13 beside the rounding of its largest exponent: -inf
  // only if nothing is left, or if it lies below the range of float64. `skip` counts in the row's own order; -1 skips
  // none.
  double log_sum(double point, std::int64_t skip);

  // The cost of the calls since assign(): samples met, and nodes.
  std::int64_t steps() const { return steps_; }

 private:
  static constexpr int kMoments = 14;

  struct Node {
    bool is_made;
    double moments[kMoments];  // sum_i w_i v_i^m; v is -1 at its lowest sample, 1 at its highest
  };

  struct Query {
    double point;
    std::int64_t skip;  // in the sorted row, or -1
    LogSum sum;
  };

  bool walk(Query& query);
  void build();
  void visit(Query& query, std::int64_t index, std::int64_t begin, std::int64_t end);
  void add(Query& query, std::int64_t i, double exponent);
  bool add_node(Query& query, std::int64_t index, std::int64_t begin, std::int64_t end);
  void make(Node& node, std::int64_t begin, std::int64_t end, double centre, double radius);
  double exponent_at(double sample, double point) const;
  bool is_negligible(const Query& query, double exponent) const;

  SortedRow row_{};
  double bandwidth_ = 0, log_count_ = 0, log_weight_ = 0;  // of n, and of n times the heaviest
  bool is_built_ = false;
  std::int64_t steps_ = 0;
  AlignedBuffer<Node> nodes_;              // a heap: the children of node i are 2 i and 2 i + 1
  AlignedBuffer<std::int64_t> positions_;  // the inverse of row_.order
};

}  // namespace pruning_ext::kde
