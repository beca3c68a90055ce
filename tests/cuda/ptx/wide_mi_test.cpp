// MI's kernels beyond what the emulated tests try: every normalization and estimator by every way of counting, strided
// and transposed codes, and every dtype to be discretized.
#include <algorithm>

#include "../../cpp/check.h"
#include "mi/cuda/discretize_cuda.h"
#include "mi/cuda/mi_cuda.h"
#include "wide_data.h"

namespace pruning_ext::mi {
namespace {

constexpr Counting kWays[] = {Counting::atomics, Counting::planes, Counting::one_hot, Counting::slices,
                              Counting::wgmma};
bool can_count(Counting way, std::int64_t bins) {
  if (way == Counting::slices || way == Counting::wgmma) return bins >= 9 && bins <= 16;
  return bins <= (way == Counting::atomics ? 256 : way == Counting::planes ? 32 : 16);
}

struct Memory {
  std::vector<std::byte> w;
  FaultWord fault = kNoFault;
  CudaContext context;
  Memory(const Pairs& p, Counting c, int processors = 2) : w(pairs_cuda_workspace(p, c) + 256, std::byte{0xa5}) {
    context.fault = &fault, context.multiprocessors = processors, context.shared_memory = 227 * 1024;
    context.workspace = w.data() + (256 - reinterpret_cast<std::uintptr_t>(w.data()) % 256) % 256;
  }
};

struct Coded {
  std::vector<std::uint8_t> data;
  Codes codes;
};

Coded codes(std::int64_t rows, std::int64_t samples, std::int64_t bins, unsigned seed, std::int64_t step,
            bool transposed) {
  std::mt19937 random(seed);
  Coded c;
  const std::int64_t pitch = transposed ? 1 : samples * step + 1, gap = transposed ? rows : step;
  c.data.assign(static_cast<std::size_t>(transposed ? rows * samples : rows * pitch), 0xee);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t t = 0; t < samples; ++t)
      c.data[r * pitch + t * gap] = static_cast<std::uint8_t>(r % 5 == 1                   ? 0
                                                              : r % 5 == 2 && random() % 4 ? 0
                                                              : r % 5 == 3                 ? bins - 1 - random() % 2
                                                                                           : random() % bins);
  c.codes = {c.data.data(), rows, samples, pitch, gap};
  return c;
}

template <typename Real>
void one(Counting way, std::int64_t n, std::int64_t m, std::int64_t samples, std::int64_t bins, const Estimator& e,
         std::int64_t step, bool transposed, bool reductions = true, int processors = 2) {
  if (!can_count(way, bins)) return;
  const DType d = sizeof(Real) == 8 ? DType::float64 : DType::float32;
  Coded x = codes(n, samples, bins, 1, step, transposed), y = codes(m, samples, bins, 2, step, transposed);
  Pairs p;
  p.x = x.codes, p.symmetric = m == 0, p.bins = bins;
  if (m) p.y = y.codes;
  const std::int64_t partners = p.partners().rows, k = std::min<std::int64_t>(3, partners - p.symmetric);
  std::vector<Real> expected(n * partners), found(n * partners, -1), best(n * k), other(n * k, -1);
  std::vector<std::int64_t> at(n * k), other_at(n * k, -1);
  std::vector<double> sums(n), other_sums(n, -1);
  mutual_information_cpu({p, e, expected.data(), d}, serial_for);
  Memory mem(p, way, processors);
  CHECK(mutual_information_cuda({p, e, found.data(), d}, mem.context, way) == cudaSuccess, "launch");
  CHECK(mem.fault == kNoFault, "fault");
  const double tolerance = sizeof(Real) == 8 ? 1e-11 : 2e-7;
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(std::fabs(found[i] - expected[i]) <= tolerance * (1 + expected[i]),
          "way %d bins %ld T %ld norm %d at %zu: %.17g, not %.17g", static_cast<int>(way), static_cast<long>(bins),
          static_cast<long>(samples), static_cast<int>(e.normalization), i, static_cast<double>(found[i]),
          static_cast<double>(expected[i]));
  if (!reductions) return;
  top_k_cpu({p, e, k, best.data(), at.data(), d}, serial_for);
  top_k_cuda({p, e, k, other.data(), other_at.data(), d}, mem.context, way);
  sum_cpu({p, e, sums.data()}, serial_for);
  sum_cuda({p, e, other_sums.data()}, mem.context, way);
  for (std::size_t i = 0; i < best.size(); ++i) {
    CHECK(std::fabs(best[i] - other[i]) <= tolerance * (1 + best[i]), "best %.17g, not %.17g",
          static_cast<double>(other[i]), static_cast<double>(best[i]));
    const std::int64_t r = static_cast<std::int64_t>(i) / k;
    CHECK(
        other_at[i] >= 0 && other_at[i] < partners && std::fabs(found[r * partners + other_at[i]] - other[i]) <= 1e-12,
        "best at %ld", static_cast<long>(other_at[i]));
  }
  for (std::int64_t i = 0; i < n; ++i) CHECK(std::fabs(sums[i] - other_sums[i]) <= 1e-10 * (1 + sums[i]), "sums");
}

void table(std::int64_t n, std::int64_t m, std::int64_t samples, std::int64_t bins, std::int64_t step,
           bool transposed) {
  Coded x = codes(n, samples, bins, 1, step, transposed), y = codes(m, samples, bins, 2, step, transposed);
  Pairs p;
  p.x = x.codes, p.symmetric = m == 0, p.bins = bins;
  if (m) p.y = y.codes;
  std::vector<std::int32_t> a(n * p.partners().rows * bins * bins), b(a.size(), -1);
  contingency_cpu({p, a.data()}, serial_for);
  Memory mem(p, Counting::atomics);
  contingency_cuda({p, b.data()}, mem.context);
  CHECK(a == b, "counts");
}

double value_of_kind(std::int64_t kind, double v, std::mt19937& random) {
  switch (kind % 8) {
    case 0: return std::fmax(v, 0.0);
    case 1: return std::rint(3 * v);
    case 2: return 7.0;
    case 3: return -std::fabs(v);
    case 4: return std::rint(v) * 0.5;
    case 5: return random() % 20 ? 0.0 : v;
    case 6: return v > 0 ? 1.0 : -1.0;
    default: return v;
  }
}

// A device call with what it needs; 16 bytes of packed codes are read at once.
struct Discretization {
  struct alignas(16) Word {
    std::uint32_t words[4];
  };
  std::vector<Word> packed;
  FaultWord fault = kNoFault;

  void run(const DiscretizeParams& p, std::int64_t shared, bool packs) {
    CudaContext context;
    fault = kNoFault;
    context.fault = &fault, context.multiprocessors = 1, context.shared_memory = shared;
    std::vector<std::byte> workspace(discretize_cuda_workspace(p, context), std::byte{0xa5});
    context.workspace = workspace.data();
    if (packs) packed.assign(packed_words(p.x.cols, p.x.rows, p.bins) / 4, Word{{~0u, ~0u, ~0u, ~0u}});
    const cudaError_t error = packs ? discretize_cuda(p, context, packed[0].words) : discretize_cuda(p, context);
    CHECK(error == cudaSuccess, "launch");
  }
};

void check_packed(Discretization& made, const DiscretizeParams& p, const std::vector<std::uint8_t>& expected) {
  const std::int64_t cols = p.x.cols, samples = p.x.rows;
  const PackedCodes packed = packed_codes(made.packed[0].words, cols, samples, p.bins);
  std::int64_t wrong = 0;
  for (std::int64_t c = 0; c < cols; ++c) {
    for (std::int64_t t = 0; t < samples; ++t) {
      const std::uint32_t word = packed.words[c * packed.row_words + t / 8];
      wrong += (word >> (4 * (t % 8)) & 15) != expected[c * samples + t];
    }
  }
  CHECK(wrong == 0, "%ld packed codes", static_cast<long>(wrong));
}

void discretized(DType d, std::int64_t cols, std::int64_t samples, std::int64_t bins, bool transposed,
                 std::int64_t shared, int kind) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  Data x(d, transposed ? cols : samples, transposed ? samples : cols, 1, false,
         [&](auto r, auto c) { return value_of_kind((transposed ? r : c) + kind, normal(random), random); });
  const Matrix m = transposed ? Matrix{x.m.data, d, samples, cols, 1, x.m.row_stride} : x.m;
  const DType edge_dtype = d == DType::float64 ? DType::float64 : DType::float32;
  const std::int64_t slots = cols * (bins - 1);
  std::vector<double> a(slots), b(slots);
  std::vector<std::uint8_t> ca(cols * samples), cb(cols * samples);
  Discretization made;
  for (const Strategy s : {Strategy::quantile, Strategy::uniform, Strategy::zero_quantile}) {
    if (s == Strategy::zero_quantile && bins < 3) continue;
    std::fill(b.begin(), b.end(), -1), std::fill(cb.begin(), cb.end(), 255);
    DiscretizeParams p{m, bins, s, a.data(), edge_dtype, ca.data()};
    discretize_cpu(p, serial_for);
    p.edges = b.data(), p.codes = cb.data();
    for (const bool packs : {false, true}) {
      if (packs && bins > 16) continue;
      made.run(p, shared, packs);
      CHECK(made.fault == kNoFault, "fault");
      CHECK(std::memcmp(a.data(), b.data(), slots * dtype_size(edge_dtype)) == 0,
            "edges: dtype %d bins %ld strategy %d", static_cast<int>(d), static_cast<long>(bins), static_cast<int>(s));
      if (packs) check_packed(made, p, ca);
      if (!packs) CHECK(ca == cb, "codes: dtype %d bins %ld", static_cast<int>(d), static_cast<long>(bins));
    }
  }
  if (d != DType::float32) return;
  put(x.bytes.data() + 4 * 5, NAN);
  for (const bool packs : {false, true}) {
    if (packs && bins > 16) continue;
    made.run({m, bins, Strategy::quantile, b.data(), edge_dtype, cb.data()}, shared, packs);
    CHECK(status_of(made.fault).fault == Fault::not_finite, "NaN");
  }
}

void run() {
  int turn = 0;
  for (const Counting way : kWays) {
    for (const std::int64_t bins : {2, 8, 11, 16, 20, 32, 150}) {
      for (const Normalization norm :
           {Normalization::none, Normalization::min, Normalization::sqrt, Normalization::max, Normalization::mean}) {
        ++turn;
        Estimator e;
        e.normalization = norm, e.bits = turn % 2;
        if (turn % 3 == 0) e.correction = Correction::miller_madow;
        one<float>(way, 6, turn % 2 ? 0 : 4, 130, bins, e, 1 + turn % 3, turn % 4 == 1);
        one<double>(way, 5, turn % 2 ? 3 : 0, 97, bins, e, 1, turn % 4 == 2);
      }
    }
    if (way != Counting::atomics) one<float>(way, 40, 0, 5000, 16, {}, 1, false, false);
    if (way != Counting::atomics)
      one<float>(way, 300, 0, 40, 8, {}, 1, false, false), one<float>(way, 3, 1300, 33, 12, {}, 1, false, true);
  }
  one<float>(Counting::planes, 3, 1300, 33, 3, {}, 1, false, true);
  one<double>(Counting::planes, 3, 1100, 40, 20, {}, 1, false, true);
  one<float>(Counting::planes, 9, 0, 3000, 27, {}, 1, false, true);
  one<double>(Counting::wgmma, 70, 90, 1200, 16, {}, 1, false, false, 132);
  one<double>(Counting::atomics, 2, 0, (1 << 22) + 5, 3, {}, 1, false, false);  // without a table of terms
  one<float>(Counting::atomics, 3, 2, 5000, 200, {}, 1, false, false);
  for (const std::int64_t bins : {2, 16, 105, 106, 107, 200, 256})
    table(3, 0, 400, bins, 1, false), table(3, 2, 333, bins, 2, true);
  for (const DType d : kTypes) {
    for (const std::int64_t bins : {2, 3, 5, 16, 40, 256}) {
      discretized(d, 9, 300, bins, false, 227 * 1024, 0);
      discretized(d, 9, 211, bins, true, 0, static_cast<int>(bins));
    }
    discretized(d, 35, 75, 7, false, 227 * 1024, 3);
    discretized(d, 2, 9000, 12, true, 227 * 1024, 6);
  }
}

}  // namespace
}  // namespace pruning_ext::mi

CHECK_MAIN(pruning_ext::mi::run)
