// Three ways to count, by what a sample in a column costs:
//
//   planes (plane_kernels.h)   a bit addition for each bin but one, in as many columns at once as a register has bits
//   ranks (byte_kernels.h)     sorting exchanges, more of them the longer the run of samples with one code of the row;
//                              no table, so that cells cost nothing: for T / bins up to about 150
//   tables (byte_kernels.h)    a store of the only one that a processor has in a cycle, and a look at each cell
//
// The first needs bit planes and the others bytes, so a call has either, whichever the rows' margins make cheaper; with
// bytes, every run is ranked or tabled for itself.
//
// 1e9 pair-samples a second of 512 columns (at T = 65536 of 192) of equally frequent codes, one thread of a busy EPYC
// with AVX-512 (64 bins and AVX2 at T = 4096, 16384: 3.9, 2.1), and the method chosen there:
//
//   bins     T = 1024      4096          16384         65536
//   17       2.1 ranks     5.4 planes    8.1 planes
//   24       3.2 ranks     3.6 planes    4.9 planes
//   32       3.3 ranks     2.7 ranks     4.0 planes
//   64       5.5 ranks     3.5 ranks     1.8 tables    1.6 tables
//   128      4.2 ranks     4.6 ranks     2.2 ranks     1.7 tables
//   256      3.4 ranks     4.3 ranks     3.7 ranks     1.1 both
//
// Columns with a spike, as ReLU makes them, take less by either way. Tables are the weak place: from 64 bins and runs
// of 256 samples on, a plain loop over the codes is nearly as fast.
#include "mi/cpu/pair_costs.h"

#include <algorithm>

#include "mi/cpu/byte_kernels.h"
#include "mi/cpu/plane_kernels.h"

namespace pruning_ext::mi {
namespace {

// Nanoseconds on one core of an EPYC 9004 at 3.5 GHz. What matters are their ratios.
struct Costs {
  double addition;      // planes: one submask of one sample in one column,
  double narrow;        // and with the narrow words
  double plane_cell;    // planes: one cell read and scored
  double sorted;        // ranks: one sample in one column,
  double sorted_again;  // and as much more for each sample of its run
  double stored;        // tables: one sample in one column
  double table_cell;    // tables: one cell scored and cleared
  std::int64_t ranked;  // ranks: the longest run, to which half the bins are added
};

constexpr Costs kBaseline{0.013, 0.013, 0.6, 0.2, 0.0035, 0.35, 0.35, 64};
constexpr Costs kAvx2{0.005, 0.01, 0.5, 0.15, 0.0018, 0.35, 0.35, 128};
constexpr Costs kAvx512{0.0033, 0.009, 0.5, 0.15, 0.0018, 0.35, 0.35, 128};

const Costs& costs() {
  switch (cpu_isa()) {
    case Isa::avx512: return kAvx512;
    case Isa::avx2: return kAvx2;
    default: return kBaseline;
  }
}

// Columns that a row is counted against on average, padding columns of the last block included.
double columns_met(const Pairs& pairs, std::int64_t columns) {
  const std::int64_t rows = pairs.x.rows, blocks = (pairs.partners().rows + columns - 1) / columns;
  std::int64_t met = 0;
  for (std::int64_t row = 0; row < rows; ++row) met += blocks - (pairs.symmetric ? row / columns : 0);
  return static_cast<double>(met * columns) / static_cast<double>(rows);
}

}  // namespace

std::int64_t longest_ranked(std::int64_t bins, Want want) {
  return want == Want::tables ? 0 : std::min(bytes::kMaxRanked, costs().ranked + bins / 2);
}

bool bytes_are_cheaper(const Pairs& pairs, const Margins& x_margins, Want want) {
  constexpr std::int64_t kFewBins = 16;  // up to which planes always were
  if (pairs.bins <= kFewBins || pairs.x.rows == 0 || pairs.partners().rows == 0) return false;
  const Costs& cost = costs();
  const auto bins = static_cast<double>(pairs.bins), samples = static_cast<double>(pairs.x.samples);
  const std::int64_t longest = longest_ranked(pairs.bins, want);
  const Kernels& planes = active_kernels();
  const bool narrow = pairs.partners().rows <= planes.narrow.columns;
  const double addition = narrow ? cost.narrow : cost.addition;
  double by_planes = 0, by_bytes = 0;
  for (std::int64_t row = 0; row < pairs.x.rows; ++row) {
    const std::int32_t* counts = x_margins.counts(row);
    const std::int64_t mode = std::max_element(counts, counts + pairs.bins) - counts;
    for (std::int64_t bin = 0; bin < pairs.bins; ++bin) {
      if (counts[bin] == 0) continue;
      const auto size = static_cast<double>(counts[bin]);
      by_planes += bins * cost.plane_cell + (bin == mode ? 0 : size * (bins - 1) * addition);
      const bool rest = bin == mode && 2 * size > samples;
      by_bytes += counts[bin] <= longest && !rest
                      ? size * (cost.sorted + size * cost.sorted_again)
                      : bins * cost.table_cell + (rest ? samples - size : size) * cost.stored;
    }
  }
  return by_bytes * columns_met(pairs, bytes::kColumns) <
         by_planes * columns_met(pairs, narrow ? planes.narrow.columns : planes.wide.columns);
}

}  // namespace pruning_ext::mi
