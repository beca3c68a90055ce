// The lattice rule's worst error, by its tables and the opening comment of kde/lattice.h, against the kernel itself.
#include "kde/lattice.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "check.h"

namespace pruning_ext::kde {
namespace {

constexpr double kSameRelativeError = 7.4;  // bandwidths: there a kernel is 1e-12 of its peak
constexpr double kLeast = 1e-12;
constexpr int kOffsets = 65;  // of a sample and of a point within their boxes: both ends, the middle, and between

double offset(int n) { return 2.0 * n / (kOffsets - 1) - 1; }

// g_a at the nodes of a box's window, for one offset in it.
template <typename Shape>
std::vector<double> window(double t) {
  std::vector<double> values(Shape::kColumns);
  for (int c = 0; c < Shape::kColumns; ++c) {
    for (int m = Shape::kTerms; m-- > 0;) values[c] = values[c] * t + lattice_tables<Shape>().spread[m][c];
  }
  return values;
}

struct Worst {
  double relative = 0;  // up to kSameRelativeError
  double absolute = 0;  // beyond, in units of kLeast
};

// Sample and point `boxes` boxes apart.
template <typename Shape>
Worst worst_at(int boxes, const std::vector<std::vector<double>>& windows) {
  Worst worst;
  for (int s = 0; s < kOffsets; ++s) {
    std::vector<double> convolved(Shape::kColumns);
    for (int to = 0; to < Shape::kColumns; ++to) {
      for (int from = 0; from < Shape::kColumns; ++from) {
        const int step = boxes + to - from;
        if (std::abs(step) <= Shape::kTaps)
          convolved[to] += windows[s][from] * lattice_tables<Shape>().taps[step + Shape::kTaps];
      }
    }
    for (int p = 0; p < kOffsets; ++p) {
      double found = 0;
      for (int c = 0; c < Shape::kColumns; ++c) found += convolved[c] * windows[p][c];
      const double distance = (boxes + (offset(p) - offset(s)) / 2) * Shape::kSpacing;
      const double exact = std::exp(-distance * distance / 2), error = std::fabs(found - exact);
      if (std::fabs(distance) <= kSameRelativeError) {
        worst.relative = std::max(worst.relative, error / exact);
      } else {
        worst.absolute = std::max(worst.absolute, error / kLeast);
      }
    }
  }
  return worst;
}

template <typename Shape>
void test_worst_error(const char* name, double claim) {
  std::vector<std::vector<double>> windows;
  for (int n = 0; n < kOffsets; ++n) windows.push_back(window<Shape>(offset(n)));
  Worst worst;
  for (int boxes = 0; boxes <= Shape::kReach + 1; ++boxes) {
    const Worst here = worst_at<Shape>(boxes, windows);
    worst = {std::max(worst.relative, here.relative), std::max(worst.absolute, here.absolute)};
  }
  std::printf("%s: relative %.2g, beyond %.2g of 1e-12 of the peak\n", name, worst.relative, worst.absolute);
  CHECK(worst.relative <= claim, "%s: %g", name, worst.relative);
  CHECK(worst.relative >= claim / 100, "%s: %g, so that the claim says little", name, worst.relative);
  CHECK(worst.absolute <= claim, "%s: %g", name, worst.absolute);
}

// Taking a density for 0 beyond the taps errs by the kernel there: far below rtol of 1e-12.
template <typename Shape>
void test_reach(const char* name, double rtol) {
  const double last = Shape::kTaps * Shape::kSpacing;
  CHECK(std::exp(-last * last / 2) <= rtol * kLeast, "%s: %g", name, std::exp(-last * last / 2));
  CHECK(Shape::kWindow < Shape::kTaps, "%s", name);
}

// A box's values become a polynomial by the table that spreads a sample, transposed.
template <typename Shape>
void test_gather(const char* name) {
  const auto& tables = lattice_tables<Shape>();
  for (int c = 0; c < Shape::kColumns; ++c) {
    for (int m = 0; m < Shape::kTerms; ++m)
      CHECK(tables.gather[c][m] == tables.spread[m][c], "%s: column %d, term %d", name, c, m);
  }
}

void run_all() {
  test_worst_error<CoarseLattice>("coarse", 5e-7);
  test_worst_error<FineLattice>("fine", 2e-14);
  test_reach<CoarseLattice>("coarse", 1e-5);
  test_reach<FineLattice>("fine", 1e-12);
  test_gather<CoarseLattice>("coarse");
  test_gather<FineLattice>("fine");
}

}  // namespace
}  // namespace pruning_ext::kde

CHECK_MAIN(pruning_ext::kde::run_all)
