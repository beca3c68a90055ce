// ken_mask_cpu against the selection step by step (truth.h): sizes, ties, spreads, threads, faults.
#include "ken/ken.h"

#include <memory>

#include "check.h"
#include "common/threads.h"
#include "truth.h"

using namespace pruning_ext;
using truth::Row;

namespace {

// `row` times 2^-exponent is to have the mask of `row`.
void same_mask(const char* name, const Row& row, std::int64_t k, int exponent = 0) {
  const std::int64_t n = static_cast<std::int64_t>(row.size());
  Row weight = row;
  for (double& x : weight) x = std::ldexp(x, -exponent);
  for (const bool keep_ties : {false, true}) {
    const auto mask = std::make_unique<bool[]>(row.size());
    ken::KenParams params;
    params.weight = {weight.data(), DType::float64, 1, n, n, 1};
    params.k = k;
    params.keep_ties = keep_ties;
    params.mask = mask.get();
    const Status status = ken::ken_mask_cpu(params, serial_for);
    CHECK(static_cast<bool>(status), "%s: %s", name, fault_sentence(status, "weight").c_str());
    const std::vector<bool> expected = truth::ken_mask(row, k, keep_ties);
    std::int64_t kept = 0, wrong = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      kept += mask[i];
      wrong += mask[i] != expected[i];
    }
    CHECK(wrong == 0, "%s, n %lld, k %lld, keep_ties %d: %lld entries differ", name, static_cast<long long>(n),
          static_cast<long long>(k), keep_ties, static_cast<long long>(wrong));
    CHECK(keep_ties ? kept >= std::min(k, n) : kept == std::min(k, n), "%s, n %lld, k %lld: %lld kept", name,
          static_cast<long long>(n), static_cast<long long>(k), static_cast<long long>(kept));
  }
}

Row rounded(Row row, double step) {
  for (double& x : row) x = std::nearbyint(x / step) * step;
  return row;
}

void every_size() {
  for (std::int64_t n = 1; n <= 70; ++n) {
    const Row row = truth::normal(n, 0, 0.03);
    for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, std::int64_t{2}, n / 4, n / 2, n - 1, n, n + 3}) {
      same_mask("normal", row, k);
      same_mask("few values", rounded(row, 0.02), k);  // ties in value, and in distance
      same_mask("symmetric grid", rounded(row, 0.0078125), k);
    }
  }
}

void regimes() {
  for (const double std : {1e-150, 1e-5, 0.03, 1.0, 10.0, 1e150}) {
    same_mask("spread", truth::normal(300, 0, std), 75);
    same_mask("spread, far from 0", truth::normal(300, std * 100, std), 150);
  }
  same_mask("768", truth::normal(768, 0, 0.04), 384);
  same_mask("uniform", truth::uniform(257, -1, 1), 129);
  Row outlier = truth::normal(300);
  outlier[150] = 1e8;
  same_mask("outlier", outlier, 100);
  for (const double huge : {-1e300, 1e300}) {  // far from it, all distances round to one
    outlier[7] = huge;
    same_mask("huge outlier", outlier, 100);
    same_mask("huge outlier, few values", rounded(outlier, 0.5), 40);
  }
  Row zeros = truth::normal(300);
  for (double& x : zeros) x = std::max(x, 0.0);
  same_mask("rectified", zeros, 60);
  for (std::size_t i = 0; i < zeros.size(); i += 2) zeros[i] = -zeros[i];  // zeros of both signs are equal
  same_mask("signed zeros", zeros, 200);
  same_mask("constant", Row(33, -0.5), 7);
  same_mask("two values", {1, 1, 0, 1, 0, 0, 1, 0}, 5);
  Row ascending(100);
  std::iota(ascending.begin(), ascending.end(), -50.0);
  same_mask("equal steps", ascending, 34);
  std::reverse(ascending.begin(), ascending.end());
  same_mask("equal steps, descending", ascending, 67);
}

// Many values at one distance, as far as distances round: from an outlier, or where values hardly differ. The earliest
// in the row is found by walks at first, and by a tree once they have become long.
void equal_distances() {
  for (const std::int64_t n : {12, 33, 300, 701}) {
    const auto at = [n](double share) { return static_cast<std::size_t>(share * static_cast<double>(n - 1)); };
    const Row normal = truth::normal(n);
    for (const double size : {1e9, 1e16, -1e17, 1e18, 1e300}) {
      Row row = normal, few = rounded(normal, 0.25);
      row[at(0.4)] = few[at(0.4)] = size;
      Row both = row;
      both[at(0.9)] = -size;
      Row cluster = row;  // beside the outlier
      for (std::size_t i = at(0.6); i < at(0.7); ++i) cluster[i] = size * (1 + 0x1p-40 * normal[i]);
      for (const std::int64_t k : {n / 4, n / 2, n - 2}) {
        same_mask("outlier", row, k);
        same_mask("outlier, few values", few, k);
        same_mask("outliers on both sides", both, k);
        same_mask("cluster far away", cluster, k);
      }
    }
    for (int i = 0; i < 20; ++i) {  // of all magnitudes: ties that end within the row
      const Row power = truth::uniform(n, -20, 60);
      Row row = normal;
      for (std::size_t j = 0; j < row.size(); ++j) row[j] = std::copysign(std::exp2(power[j]), row[j]);
      for (const std::int64_t k : {n / 4, n / 2, n - 2}) same_mask("all magnitudes", row, k);
    }
    for (const double share : {0.5, 0.9, 0.99}) {
      for (const double size : {1e-12, 1e-16, 1e-18, 1e-25}) {  // of what has vanished
        Row row = normal;
        for (std::size_t i = 0; i < at(share); ++i) row[i * 7 % row.size()] *= size;
        same_mask("mostly vanished", row, n / 2);
        same_mask("mostly vanished", row, n / 4);
      }
    }
  }
}

// Bandwidths below the normal numbers, whose inverse is infinite: the mask is that of the same row at 2^-374.
void subnormal() {
  for (const std::int64_t n : {2, 3, 33, 132, 700}) {
    for (const double size : {1.0, 5.0, 300.0, 1e6, 1e13}) {  // in units of the least number
      Row one(static_cast<std::size_t>(n), 0.0);
      one[static_cast<std::size_t>(n / 2)] = std::ldexp(size, -374);
      Row row = rounded(truth::normal(n, 0, size), 1);
      row[0] = size;  // not constant
      for (double& x : row) x = std::ldexp(x, -374);
      for (const std::int64_t k : {std::int64_t{1}, std::int64_t{2}, n / 3, n / 2, n - 1}) {
        same_mask("subnormal", row, k, 700);
        same_mask("one subnormal", one, k, 700);
      }
    }
  }
}

void threads_and_faults() {
  constexpr std::int64_t rows = 50, n = 90, size = rows * n;
  Row weight = truth::normal(size);
  const auto select = [&](unsigned threads, bool* mask) {
    ken::KenParams params;
    params.weight = {weight.data(), DType::float64, rows, n, n, 1};
    params.k = 30;
    params.mask = mask;
    return ken::ken_mask_cpu(params, thread_for(threads));
  };
  const auto first = std::make_unique<bool[]>(size), other = std::make_unique<bool[]>(size);
  select(1, first.get());
  for (const unsigned threads : {2u, 3u, 16u}) {
    select(threads, other.get());
    CHECK(std::equal(first.get(), first.get() + size, other.get()), "masks on %u threads differ", threads);
  }
  weight[45 * n] = INFINITY;
  weight[13 * n + 89] = NAN;
  for (const unsigned threads : {1u, 4u}) {
    const Status status = select(threads, other.get());
    CHECK(status.fault == Fault::not_finite && status.row == 13, "fault %d in row %lld", static_cast<int>(status.fault),
          static_cast<long long>(status.row));
  }
}

void run() {
  every_size();
  regimes();
  equal_distances();
  subnormal();
  threads_and_faults();
}

}  // namespace

CHECK_MAIN(run)
