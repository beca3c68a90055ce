// The CUDA kernels of mutual information, run thread by thread on the CPU: the counts of the CPU's own, and its
// information to the last bits of a logarithm.
#include <cmath>
#include <random>
#include <vector>

#include "../cpp/check.h"
#include "mi/cuda/discretize_cuda.h"
#include "mi/cuda/mi_cuda.h"

namespace pruning_ext::mi {
namespace {

std::vector<std::uint8_t> codes_of(std::int64_t rows, std::int64_t samples, std::int64_t bins, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> codes(rows * samples);
  for (std::int64_t i = 0; i < rows * samples; ++i) {
    // A constant row, one that is mostly 0, the others even.
    const std::int64_t row = i / samples;
    codes[i] = static_cast<std::uint8_t>(row == 1 ? 0 : row == 2 && random() % 4 ? 0 : random() % bins);
  }
  return codes;
}

struct alignas(16) Word {  // four of packed codes
  std::uint32_t words[4];
};

struct Device {
  explicit Device(const Pairs& pairs, Counting counting, bool packed = false)
      : workspace(pairs_cuda_workspace(pairs, counting, packed) + 256, std::byte{0xa5}) {
    context.fault = &fault;
    context.multiprocessors = 2;
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(workspace.data());
    context.workspace = workspace.data() + (256 - at % 256) % 256;
  }
  std::vector<std::byte> workspace;
  FaultWord fault = kNoFault;
  CudaContext context;
};

void close(const std::vector<double>& found, const std::vector<double>& expected, const char* what,
           const Pairs& pairs) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::fabs(found[i] - expected[i]) <= 1e-11 * (1 + expected[i]),
          "%s, bins %ld, T %ld, at %zu: %.17g, not %.17g", what, static_cast<long>(pairs.bins),
          static_cast<long>(pairs.x.samples), i, found[i], expected[i]);
  }
}

constexpr Counting kWays[] = {Counting::atomics, Counting::planes, Counting::one_hot, Counting::slices,
                              Counting::wgmma};

bool can_count(Counting way, std::int64_t bins) {
  if (way == Counting::slices || way == Counting::wgmma) return bins >= 9 && bins <= 16;
  return bins <= (way == Counting::atomics ? 256 : way == Counting::planes ? 32 : 16);
}

// Codes [n, samples] with codes [m, samples], or with themselves where m is 0.
Pairs pairs_of(const std::vector<std::uint8_t>& x, std::int64_t n, const std::vector<std::uint8_t>& y, std::int64_t m,
               std::int64_t samples, std::int64_t bins) {
  Pairs pairs;
  pairs.x = {x.data(), n, samples, samples, 1};
  pairs.symmetric = m == 0;
  if (m > 0) pairs.y = {y.data(), m, samples, samples, 1};
  pairs.bins = bins;
  return pairs;
}

// One way of counting alone, where all of them would take too long.
void compare_one(Counting counting, std::int64_t n, std::int64_t m, std::int64_t samples, std::int64_t bins) {
  const std::vector<std::uint8_t> x = codes_of(n, samples, bins, 3), y = codes_of(m, samples, bins, 4);
  const Pairs pairs = pairs_of(x, n, y, m, samples, bins);
  std::vector<double> expected(n * pairs.partners().rows), found(expected.size(), -1);
  mutual_information_cpu({pairs, {}, expected.data(), DType::float64}, serial_for);
  Device device(pairs, counting);
  mutual_information_cuda({pairs, {}, found.data(), DType::float64}, device.context, counting);
  close(found, expected, "information", pairs);
}

void compare(std::int64_t n, std::int64_t m, std::int64_t samples, std::int64_t bins, const Estimator& estimator,
             bool reductions = false) {
  const std::vector<std::uint8_t> x = codes_of(n, samples, bins, 1), y = codes_of(m, samples, bins, 2);
  const Pairs pairs = pairs_of(x, n, y, m, samples, bins);
  const std::int64_t partners = pairs.partners().rows;
  std::vector<std::int32_t> counts(n * partners * bins * bins), other_counts(counts.size(), -1);
  contingency_cpu({pairs, counts.data()}, serial_for);
  {
    Device device(pairs, Counting::atomics);
    contingency_cuda({pairs, other_counts.data()}, device.context);
  }
  CHECK(counts == other_counts, "counts differ, bins %ld", static_cast<long>(bins));

  std::vector<double> expected(n * partners), found(n * partners);
  mutual_information_cpu({pairs, estimator, expected.data(), DType::float64}, serial_for);
  const std::int64_t k = std::min<std::int64_t>(3, partners - pairs.symmetric);
  std::vector<double> best(n * k), other_best(n * k), sums(n), other_sums(n);
  std::vector<std::int64_t> places(n * k), other_places(n * k);
  top_k_cpu({pairs, estimator, k, best.data(), places.data(), DType::float64}, serial_for);
  sum_cpu({pairs, estimator, sums.data()}, serial_for);
  for (const Counting counting : kWays) {
    if (!can_count(counting, bins)) continue;
    Device device(pairs, counting);
    found.assign(found.size(), -1);
    mutual_information_cuda({pairs, estimator, found.data(), DType::float64}, device.context, counting);
    close(found, expected, "information", pairs);
    CHECK(device.fault == kNoFault, "a fault where there is none");
    if (!reductions) continue;
    top_k_cuda({pairs, estimator, k, other_best.data(), other_places.data(), DType::float64}, device.context, counting);
    close(other_best, best, "best", pairs);
    sum_cuda({pairs, estimator, other_sums.data()}, device.context, counting);
    close(other_sums, sums, "sums", pairs);
  }
}

template <typename Real>
void discretized(std::int64_t columns, std::int64_t samples, std::int64_t bins, std::int64_t shared_memory) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  std::vector<Real> x(samples * columns);
  for (std::int64_t i = 0; i < samples * columns; ++i) {
    const double value = normal(random);
    // As a ReLU leaves it; few values; constant; any.
    const std::int64_t kind = i % columns % 4;
    x[i] = static_cast<Real>(kind == 0   ? std::fmax(value, 0)
                             : kind == 1 ? std::rint(3 * value)
                             : kind == 2 ? 7
                                         : value);
  }
  for (const Strategy strategy : {Strategy::quantile, Strategy::uniform, Strategy::zero_quantile}) {
    if (strategy == Strategy::zero_quantile && bins < 3) continue;
    std::vector<Real> edges(columns * (bins - 1)), other_edges(edges.size());
    std::vector<std::uint8_t> codes(columns * samples), other_codes(codes.size(), 255);
    const DType dtype = sizeof(Real) == 8 ? DType::float64 : DType::float32;
    DiscretizeParams params{
        {x.data(), dtype, samples, columns, columns, 1}, bins, strategy, edges.data(), dtype, codes.data()};
    discretize_cpu(params, serial_for);
    params.edges = other_edges.data();
    params.codes = other_codes.data();
    FaultWord fault = kNoFault;
    CudaContext context;
    context.fault = &fault;
    context.multiprocessors = 1;
    context.shared_memory = shared_memory;
    std::vector<std::byte> workspace(discretize_cuda_workspace(params, context));
    context.workspace = workspace.data();
    discretize_cuda(params, context);
    CHECK(edges == other_edges, "edges differ: bins %ld, strategy %d", static_cast<long>(bins),
          static_cast<int>(strategy));
    CHECK(codes == other_codes, "codes differ: bins %ld, strategy %d", static_cast<long>(bins),
          static_cast<int>(strategy));
    CHECK(fault == kNoFault, "a fault where there is none");

    other_codes.assign(codes.size(), 255);
    encode_cuda({params.x, edges.data(), bins - 1, dtype, other_codes.data()}, context);
    CHECK(codes == other_codes, "codes by given edges differ");
    std::vector<Real> falling(edges);
    falling[0] = static_cast<Real>(NAN);
    encode_cuda({params.x, falling.data(), bins - 1, dtype, other_codes.data()}, context);
    CHECK(status_of(fault).fault == Fault::bad_edges && status_of(fault).row == 0, "an edge that is no number");
  }
}

// Columns to information by packed codes: what their bytes give.
void packed(std::int64_t n, std::int64_t m, std::int64_t samples, std::int64_t bins) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(samples * (n + m));
  for (std::int64_t i = 0; i < samples * (n + m); ++i)
    values[i] = i % 3 ? normal(random) : std::fmax(normal(random), 0);
  const auto columns_from = [&](std::int64_t first, std::int64_t count, std::vector<float>& edges) {
    edges.assign(count * (bins - 1), 0);
    return DiscretizeParams{{values.data() + first, DType::float32, samples, count, n + m, 1},
                            bins,
                            Strategy::quantile,
                            edges.data(),
                            DType::float32,
                            nullptr};
  };
  Pairs pairs;
  pairs.bins = bins;
  pairs.symmetric = m == 0;
  std::vector<float> edges;
  std::vector<std::uint8_t> codes[2];
  for (const int y : {0, 1}) {
    DiscretizeParams params = columns_from(y ? n : 0, y ? m : n, edges);
    codes[y].resize(params.x.cols * samples);
    params.codes = codes[y].data();
    if (params.x.cols > 0) discretize_cpu(params, serial_for);
    (y ? pairs.y : pairs.x) = Codes{codes[y].data(), params.x.cols, samples, samples, 1};
  }
  const std::int64_t partners = pairs.partners().rows;
  std::vector<double> expected(n * partners), found(n * partners);
  mutual_information_cpu({pairs, {}, expected.data(), DType::float64}, serial_for);
  pairs.x.data = pairs.y.data = nullptr;
  for (const Counting counting : kWays) {
    if (counting == Counting::atomics || !can_count(counting, bins)) continue;
    Device device(pairs, counting, true);
    device.context.shared_memory = 227 * 1024;
    std::vector<Word> words[2];
    for (const int y : {0, 1}) {
      const DiscretizeParams params = columns_from(y ? n : 0, y ? m : n, edges);
      words[y].resize(packed_words(params.x.cols, samples, bins) / 4, Word{{~0u, ~0u, ~0u, ~0u}});
      if (params.x.cols > 0) discretize_cuda(params, device.context, words[y].data()->words);
    }
    found.assign(found.size(), -1);
    mutual_information_cuda({pairs, {}, found.data(), DType::float64}, device.context, counting,
                            {words[0].data()->words, m > 0 ? words[1].data()->words : nullptr});
    close(found, expected, "information of packed codes", pairs);
    CHECK(device.fault == kNoFault, "a fault where there is none");
  }
}

// Rows [first, first + count) of x, as best partners and sums ask for them where there are many.
void stretch(std::int64_t n, std::int64_t samples, std::int64_t bins, std::int64_t first, std::int64_t count) {
  const std::vector<std::uint8_t> x = codes_of(n, samples, bins, 6);
  Pairs pairs;
  pairs.x = {x.data(), n, samples, samples, 1};
  pairs.bins = bins;
  std::vector<double> all(n * n), found(count * n);
  mutual_information_cpu({pairs, {}, all.data(), DType::float64}, serial_for);
  const std::vector<double> expected(all.begin() + first * n, all.begin() + (first + count) * n);
  const int shift = term_shift(samples);
  std::vector<std::int64_t> terms(samples + 1);
  for (std::int64_t c = 0; c <= samples; ++c) terms[c] = count_term(c, shift);
  for (const Counting counting : {Counting::planes, Counting::one_hot, Counting::slices, Counting::wgmma}) {
    if (!can_count(counting, bins)) continue;
    Device device(pairs, counting);
    std::vector<Margin> margins(n);
    std::vector<Word> words(packed_words(n, samples, bins) / 4), planes(plane_words(n, samples, bins) / 4);
    const PackedCodes packed = packed_codes(words.data()->words, n, samples, bins);
    launch_margins(pairs.x, bins, shift, margins.data(), 0, packed, device.context);
    PairJob job{pairs,
                scale_for({}, samples),
                shift,
                terms.data(),
                margins.data(),
                margins.data(),
                first,
                count,
                false,
                found.data(),
                DType::float64,
                nullptr,
                packed.words,
                packed.words,
                planes.data()->words,
                planes.data()->words};
    found.assign(found.size(), -1);
    if (counting == Counting::planes) {
      launch_build_planes(packed, bins, planes.data()->words, device.context);
      launch_planes(job, device.context);
    } else if (counting == Counting::one_hot) {
      launch_one_hot(job, device.context);
    } else {
      launch_transpose(packed, bins, device.context);
      counting == Counting::slices ? launch_slices(job, device.context) : launch_wgmma(job, device.context);
    }
    close(found, expected, "a stretch of rows", pairs);
  }
}

void choices() {
  Pairs pairs;
  pairs.x = {nullptr, 5, 1000};
  CudaContext context;
  const auto chosen = [&](int architecture, std::int64_t bins, std::int64_t samples) {
    context.architecture = architecture;
    pairs.bins = bins;
    pairs.x.samples = samples;
    return chosen_counting(pairs, context);
  };
  CHECK(chosen(80, 16, 1000) == Counting::planes, "binary tensor cores where there are any");
  CHECK(chosen(90, 32, 1000) == Counting::planes, "up to 32 bins");
  CHECK(chosen(90, 33, 1000) == Counting::atomics, "and no more");
  CHECK(chosen(90, 16, 1 << 23) == Counting::atomics, "too many samples for a table of terms");
  CHECK(chosen(100, 16, 1000) == Counting::one_hot, "bytes where bits are emulated");
  CHECK(chosen(120, 17, 1000) == Counting::planes, "which are for 16 bins");
  CHECK(chosen(90, 16, 1000) == Counting::planes, "the default until another way is measured to be faster");
  CHECK(chosen_counting(pairs, context, Counting::atomics) == Counting::atomics, "what was asked for");
  Device device(pairs, Counting::atomics);
  pairs.bins = 17;
  std::vector<double> none(25);
  CHECK(mutual_information_cuda({pairs, {}, none.data(), DType::float64}, device.context, Counting::one_hot) ==
            cudaErrorInvalidValue,
        "more bins than the kernel has");
  pairs.bins = 16;
  for (const int architecture : {80, 89, 100, 120}) {
    Device other(pairs, Counting::wgmma);
    other.context.architecture = architecture;
    CHECK(mutual_information_cuda({pairs, {}, none.data(), DType::float64}, other.context, Counting::wgmma) ==
              cudaErrorInvalidValue,
          "instructions that sm_%d does not have", architecture);
  }
}

void faults() {
  std::vector<std::uint8_t> x = codes_of(5, 100, 8, 1);
  x[3 * 100 + 50] = 255;
  Pairs pairs;
  pairs.x = {x.data(), 5, 100, 100, 1};
  pairs.bins = 12;
  std::vector<float> information(25);
  for (const Counting counting : kWays) {
    Device device(pairs, counting);
    mutual_information_cuda({pairs, {}, information.data(), DType::float32}, device.context, counting);
    CHECK(status_of(device.fault).fault == Fault::bad_code && status_of(device.fault).row == 3,
          "a code that is no bin");
  }
}

void run() {
  Estimator plain, corrected, normalized;
  corrected.correction = Correction::miller_madow, corrected.bits = true;
  normalized.normalization = Normalization::sqrt;
  for (const std::int64_t bins : {2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 256}) {
    if (bins % 2 == 0) compare(9, 0, 300, bins, plain, bins % 8 == 0);
    compare(3, 5, 257, bins, corrected, bins % 8 == 1);
  }
  for (const std::int64_t samples : {2, 31, 32, 33, 255, 256, 1000}) compare(5, 0, samples, 16, normalized);
  compare(37, 0, 100, 8, plain);
  compare(33, 18, 100, 16, plain);
  // The ring of wgmma, several times around, over several tiles a block; more rows than a band of tiles has.
  for (const std::int64_t samples : {1023, 1024, 1025, 5 * 1024 + 300, 9 * 1024})
    compare_one(Counting::wgmma, 9, 0, samples, 16);
  compare_one(Counting::wgmma, 20, 17, 2100, 11);
  compare_one(Counting::wgmma, 41, 0, 3000, 16);
  compare_one(Counting::wgmma, 140, 0, 40, 16);
  // More blocks of tiles along x than a band of them has.
  for (const Counting counting : {Counting::planes, Counting::one_hot, Counting::slices}) {
    compare_one(counting, 140, 0, 40, 16);
    compare_one(counting, 131, 20, 40, 16);
  }
  for (const std::int64_t bins : {8, 13, 16, 32}) stretch(45, 130, bins, 21, 17);
  stretch(45, 130, 16, 8, 1);
  for (const std::int64_t bins : {2, 3, 16, 32, 256}) {
    discretized<float>(7, 500, bins, 227 * 1024);
    discretized<float>(5, 333, bins, 0);
    discretized<double>(5, 333, bins, 0);
  }
  discretized<float>(40, 70, 8, 227 * 1024);
  discretized<float>(3, 5120, 16, 227 * 1024);  // shared memory closely below what need not be asked for
  for (const std::int64_t bins : {2, 8, 9, 16}) packed(3, 5, 257, bins);
  for (const std::int64_t bins : {5, 16}) packed(40, 0, 70, bins);
  packed(2, 1, 600, 16);
  choices();
  faults();
}

}  // namespace
}  // namespace pruning_ext::mi

CHECK_MAIN(pruning_ext::mi::run)
