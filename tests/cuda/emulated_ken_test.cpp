// The CUDA kernel of KEN's selection, run thread by thread on the CPU: the masks of the CPU's own, to the last bit.
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../cpp/check.h"
#include "common/element.h"
#include "ken/cuda/ken_cuda.h"
#include "work.h"

namespace pruning_ext::ken {
namespace {

constexpr std::int64_t kHopper = 227 * 1024, kNone = 0;  // bytes of shared memory

enum class Kind {
  normal,
  bfloat16,
  few_values,
  outlier,
  two_clusters,
  symmetric,
  mostly_zero,
  geometric,
  // Where distances round: to one number for the whole row, for pieces of it, or from some of its points.
  huge_outlier,
  outliers,
  mostly_vanished,
  all_magnitudes
};
constexpr Kind kKinds[] = {Kind::normal,       Kind::bfloat16,  Kind::few_values,      Kind::outlier,
                           Kind::two_clusters, Kind::symmetric, Kind::mostly_zero,     Kind::geometric,
                           Kind::huge_outlier, Kind::outliers,  Kind::mostly_vanished, Kind::all_magnitudes};

double value(Kind kind, std::int64_t i, std::mt19937& random) {
  std::normal_distribution<double> normal;
  switch (kind) {
    case Kind::few_values: return static_cast<int>(random() % 7) - 3;
    case Kind::outlier: return i == 3 ? 900.0 : normal(random);
    case Kind::two_clusters: return normal(random) + (random() % 2 ? 50 : 0);
    case Kind::symmetric: return (i % 2 ? 1.0 : -1.0) * static_cast<double>(i / 2);
    case Kind::mostly_zero: return random() % 10 ? 0.0 : normal(random);
    case Kind::huge_outlier: return i == 3 ? 1e16 : normal(random);
    case Kind::outliers: return i % 100 == 3 ? 3e9 * normal(random) : normal(random);
    case Kind::mostly_vanished: return (random() % 10 ? 1e-18 : 1.0) * normal(random);
    case Kind::all_magnitudes: return std::exp2(static_cast<double>(random() % 80000) * 1e-3 - 20) * normal(random);
    case Kind::geometric: return std::ldexp(1.0, static_cast<int>(i % 200) - 100) * (random() % 2 ? 1 : -1);
    default: return normal(random);
  }
}

// Steps of work (../work.h) for each entry.
template <typename Real>
double compare(Kind kind, std::int64_t rows, std::int64_t n, std::int64_t k, double spread, std::int64_t shared_memory,
               Matching matching = Matching::by_warp) {
  std::mt19937 random(static_cast<unsigned>(n * 31 + k));
  std::vector<Real> weight(rows * n);
  for (std::int64_t i = 0; i < rows * n; ++i) weight[i] = static_cast<Real>(spread * value(kind, i % n, random));
  if (kind == Kind::bfloat16) {
    for (Real& x : weight) {
      const auto bits = __builtin_bit_cast(std::uint32_t, static_cast<float>(x));
      x = static_cast<Real>(bfloat_bits_to_float(static_cast<std::uint16_t>(bits >> 16)));
    }
  }
  const std::uint64_t before = work_done();
  for (const bool keep_ties : {false, true}) {
    const auto expected = std::make_unique<bool[]>(rows * n), found = std::make_unique<bool[]>(rows * n);
    KenParams params;
    params.weight = {weight.data(), sizeof(Real) == 8 ? DType::float64 : DType::float32, rows, n, n, 1};
    params.k = k;
    params.keep_ties = keep_ties;
    params.mask = expected.get();
    ken_mask_cpu(params, serial_for);
    params.mask = found.get();
    std::memset(found.get(), 1, rows * n);
    FaultWord fault = kNoFault;
    CudaContext context;
    context.fault = &fault;
    context.multiprocessors = 1;
    context.shared_memory = shared_memory;
    std::vector<std::byte> workspace(ken_mask_cuda_workspace(params, context));
    context.workspace = workspace.data();
    ken_mask_cuda(params, context, matching);
    CHECK(fault == kNoFault, "a fault where there is none");
    std::int64_t different = 0, kept = 0;
    for (std::int64_t i = 0; i < rows * n; ++i) different += expected[i] != found[i], kept += found[i];
    CHECK(different == 0, "kind %d, n %ld, k %ld, spread %g, ties %d, matching %d: %ld entries differ (%ld kept)",
          static_cast<int>(kind), static_cast<long>(n), static_cast<long>(k), spread, keep_ties,
          static_cast<int>(matching), static_cast<long>(different), static_cast<long>(kept));
  }
  return static_cast<double>(work_done() - before) / static_cast<double>(2 * rows * n);
}

// An entry of a long row costs no more than one of a short row, but for a logarithm (1.15), whatever lies beside it.
void growth() {
  constexpr std::int64_t kShort = 4500, kLong = 16000;  // both by 512 threads
  const auto check = [](Kind kind, double few, double many) {
    CHECK(many <= 1.25 * few, "kind %d: %.0f steps for each of %ld entries, %.0f for each of %ld",
          static_cast<int>(kind), many, static_cast<long>(kLong), few, static_cast<long>(kShort));
  };
  for (const Kind kind : {Kind::few_values, Kind::mostly_zero, Kind::huge_outlier, Kind::mostly_vanished}) {
    const double few = compare<float>(kind, 1, kShort, kShort / 2, 0.05, kHopper);
    check(kind, few, compare<float>(kind, 1, kLong, kLong / 2, 0.05, kHopper));
  }
  const double few = compare<double>(Kind::huge_outlier, 1, kShort, kShort / 2, 0.05, kNone);
  check(Kind::huge_outlier, few, compare<double>(Kind::huge_outlier, 1, kLong, kLong / 2, 0.05, kNone));
}

// Many values at one distance, as far as distances round.
void equal_distances() {
  for (const Kind kind : {Kind::huge_outlier, Kind::outliers, Kind::mostly_vanished, Kind::all_magnitudes}) {
    for (const double density : {0.25, 0.5, 0.97}) {
      const auto k = [density](std::int64_t n) { return static_cast<std::int64_t>(density * static_cast<double>(n)); };
      compare<float>(kind, 2, 768, k(768), 0.02, kHopper);
      compare<double>(kind, 1, 768, k(768), 0.02, kNone);
      compare<float>(kind, 1, 768, k(768), 0.02, kHopper, Matching::one_by_one);
    }
    compare<float>(kind, 1, 4096, 2048, 0.02, kHopper);
    compare<float>(kind, 1, 4096, 300, 0.02, kHopper, Matching::one_by_one);
    compare<float>(kind, 1, 17500, 6000, 0.02, kNone);
  }
}

void faults() {
  std::vector<float> weight(3 * 50);
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i * 7919 % 101);
  weight[50 + 9] = INFINITY;
  const auto mask = std::make_unique<bool[]>(150);
  KenParams params;
  params.weight = {weight.data(), DType::float32, 3, 50, 50, 1};
  params.k = 10;
  params.mask = mask.get();
  FaultWord fault = kNoFault;
  CudaContext context;
  context.fault = &fault;
  context.multiprocessors = 1;
  context.shared_memory = 227 * 1024;
  std::vector<std::byte> workspace(ken_mask_cuda_workspace(params, context));
  context.workspace = workspace.data();
  ken_mask_cuda(params, context);
  CHECK(status_of(fault).fault == Fault::not_finite && status_of(fault).row == 1, "infinity in row 1");
  int kept[3] = {};
  for (int i = 0; i < 150; ++i) kept[i / 50] += mask[i];
  CHECK(kept[0] == 10 && kept[1] == 0 && kept[2] == 10, "%d, %d, %d kept", kept[0], kept[1], kept[2]);
}

void run() {
  for (const std::int64_t n : {1, 2, 31, 32, 33, 64, 127, 129, 768, 1025}) {
    for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, std::int64_t{2}, n / 4, n / 2, n - 1, n}) {
      if (k >= 0) compare<float>(Kind::normal, 2, n, k, 0.05, kHopper);
    }
  }
  for (const Kind kind : kKinds) {
    for (const double spread : {1e-8, 1e-5, 1e-3, 0.05, 10.0}) compare<float>(kind, 1, 700, 351, spread, kHopper);
    compare<float>(kind, 1, 400, 131, 0.05, kHopper, Matching::one_by_one);
    compare<float>(kind, 2, 333, 300, 0.05, kNone);
    compare<double>(kind, 2, 333, 100, 0.05, kNone);
    for (const std::int64_t n : {20, 32, 33, 700, 1100})  // with minima on no, one and two levels
      compare<float>(kind, 1, n, n / 2, 0.05, kHopper, Matching::in_turn);
    compare<double>(kind, 1, 300, 298, 0.05, kNone, Matching::in_turn);
  }
  compare<double>(Kind::normal, 1, 200, 100, 1e-200, kNone);
  for (const double spread : {1e-300, 1e-308, 1e-310, 1e-321}) {  // down to a few of the least numbers
    for (const Kind kind : {Kind::normal, Kind::mostly_zero, Kind::few_values})
      compare<double>(kind, 1, 200, 100, spread, kNone);
  }
  compare<double>(Kind::normal, 1, 200, 100, 1e200, kNone);  // the variance is no float64
  compare<double>(Kind::normal, 1, 200, 100, 4e307, kNone);  // the range is not
  for (const Matching matching : {Matching::one_by_one, Matching::by_warp, Matching::in_turn}) {
    for (const Kind kind : {Kind::normal, Kind::mostly_zero, Kind::mostly_vanished})
      compare<double>(kind, 1, 200, 100, 1e303, kNone, matching);
  }
  compare<float>(Kind::normal, 1, 4096, 2048, 0.02, kHopper);
  compare<float>(Kind::outlier, 1, 11008, 5504, 0.02, kHopper);
  compare<float>(Kind::bfloat16, 1, 16384, 16000, 0.02, kHopper);
  compare<float>(Kind::normal, 1, 17000, 5000, 0.02, kNone);
  compare<float>(Kind::normal, 3, 130, 60, 1e-6, kHopper);  // a block takes two rows from the list
  equal_distances();
  growth();
  faults();
}

}  // namespace
}  // namespace pruning_ext::ken

CHECK_MAIN(pruning_ext::ken::run)
