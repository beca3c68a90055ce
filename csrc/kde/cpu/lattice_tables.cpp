// The constants of the lattice: polynomials by interpolation at Chebyshev's nodes, in long double, once per process.
#include <cmath>

#include "kde/lattice.h"

namespace pruning_ext::kde {
namespace {

// Coefficients in powers of t of the polynomial through (nodes[i], values[i]): Newton's divided differences, expanded.
template <int kTerms>
void interpolate(const long double (&nodes)[kTerms], long double (&values)[kTerms], double* coefficients, int stride) {
  for (int order = 1; order < kTerms; ++order) {
    for (int i = kTerms - 1; i >= order; --i) values[i] = (values[i] - values[i - 1]) / (nodes[i] - nodes[i - order]);
  }
  long double power[kTerms] = {};
  for (int i = kTerms - 1; i >= 0; --i) {  // power = power * (t - nodes[i]) + values[i]
    for (int d = kTerms - 1; d >= 1; --d) power[d] = power[d - 1] - power[d] * nodes[i];
    power[0] = values[i] - power[0] * nodes[i];
  }
  for (int d = 0; d < kTerms; ++d) coefficients[d * stride] = static_cast<double>(power[d]);
}

template <typename Shape>
LatticeTables<Shape> make_tables() {
  constexpr int kTerms = Shape::kTerms;
  const long double pi = std::acos(-1.0L), d = Shape::kSpacing, a = Shape::kWidth;
  const long double b_squared = 1 - 2 * a * a;
  LatticeTables<Shape> tables{};
  long double nodes[kTerms];
  for (int i = 0; i < kTerms; ++i) nodes[i] = std::cos(pi * (i + 0.5L) / kTerms);
  for (int c = 0; c < Shape::kColumns; ++c) {
    long double values[kTerms];
    for (int i = 0; i < kTerms; ++i) {
      const long double u = (nodes[i] / 2 - (c - Shape::kWindow)) * d;
      values[i] = std::exp(-u * u / (2 * a * a));
    }
    interpolate<kTerms>(nodes, values, &tables.spread[0][c], Shape::kPadded);
    for (int m = 0; m < kTerms; ++m) tables.gather[c][m] = tables.spread[m][c];
  }
  const long double scale = d * d / (2 * pi * a * a * std::sqrt(b_squared));
  for (int m = -Shape::kTaps; m <= Shape::kTaps; ++m) {
    tables.taps[m + Shape::kTaps] = static_cast<double>(scale * std::exp(-(m * d) * (m * d) / (2 * b_squared)));
  }
  return tables;
}

}  // namespace

template <typename Shape>
const LatticeTables<Shape>& lattice_tables() {
  static const LatticeTables<Shape> tables = make_tables<Shape>();
  return tables;
}

template const LatticeTables<CoarseLattice>& lattice_tables<CoarseLattice>();
template const LatticeTables<FineLattice>& lattice_tables<FineLattice>();

}  // namespace pruning_ext::kde
