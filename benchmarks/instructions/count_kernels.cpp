// Runs each hot kernel once on fixed inputs, on one thread, and has callgrind count its instructions alone: the inputs
// are made and the kernel is run once more before counting begins, so that no set-up and no table made at first use is
// counted. Each count ends with a dump of its own, named after the kernel. Under `valgrind --tool=callgrind
// --instr-atstart=no`; benchmarks/instructions/__main__.py runs it and reads the dumps.
#include <gnu/libc-version.h>
#include <valgrind/callgrind.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/cpu_isa.h"
#include "kde/kde.h"
#include "ken/ken.h"
#include "mi/mi.h"

using namespace pruning_ext;

namespace {

// The same numbers everywhere: no distribution of the standard library, whose results are its own choice.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}

  std::uint64_t bits() {  // xorshift64*
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545f4914f6cdd1du) >> 32;
  }
  double uniform() { return static_cast<double>(bits()) * 0x1p-32; }
  double normal() {  // twelve uniform numbers: near enough, and nothing but additions
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_;
};

std::vector<float> normal_values(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(0.02 * random.normal());
  return values;
}

void require(const Status& status, const std::string& kernel) {
  if (status) return;
  std::fprintf(stderr, "%s: %s\n", kernel.c_str(), fault_sentence(status, "the input").c_str());
  std::exit(EXIT_FAILURE);
}

void count(const std::string& kernel, const std::function<Status()>& run) {
  require(run(), kernel);
  CALLGRIND_START_INSTRUMENTATION;
  const Status status = run();
  CALLGRIND_DUMP_STATS_AT(kernel.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;  // forgets what was counted: it comes after the dump
  require(status, kernel);
}

// --- Gaussian KDE -----------------------------------------------------------------------------------------------

void count_kde(const std::string& kernel, std::int64_t rows, std::int64_t n, std::int64_t k, kde::Accuracy accuracy) {
  const std::vector<float> samples = normal_values(rows * n, 1);
  const Matrix matrix{samples.data(), DType::float32, rows, n, n, 1};
  std::vector<double> bandwidth(static_cast<std::size_t>(rows));
  require(kde::bandwidth_cpu({matrix, {}, kde::BandwidthRule::ken, bandwidth.data()}, serial_for), kernel);
  std::vector<float> points(static_cast<std::size_t>(rows * k)), density(points.size());
  for (std::int64_t i = 0; i < rows * k; ++i) {
    points[static_cast<std::size_t>(i)] =
        static_cast<float>(0.08 * (2 * static_cast<double>(i % k) / static_cast<double>(k - 1) - 1));
  }
  kde::KdeParams params;
  params.samples = matrix;
  params.points = {points.data(), DType::float32, rows, k, k, 1};
  params.bandwidth = bandwidth.data();
  params.density = density.data();
  params.accuracy = accuracy;
  count(kernel, [&] { return kde::gaussian_kde_cpu(params, serial_for); });
}

// --- KEN --------------------------------------------------------------------------------------------------------

// With an outlier in each row nearly all entries lie at one distance from each point, as far as distances round.
void count_ken(const std::string& kernel, std::int64_t rows, std::int64_t n, std::int64_t k, float outlier = 0) {
  std::vector<float> weight = normal_values(rows * n, 2);
  for (std::int64_t r = 0; r < rows && outlier != 0; ++r) weight[static_cast<std::size_t>(r * n + n / 3)] = outlier;
  const auto mask = std::make_unique<bool[]>(static_cast<std::size_t>(rows * n));
  const ken::KenParams params{{weight.data(), DType::float32, rows, n, n, 1}, k, false, mask.get()};
  count(kernel, [&] { return ken::ken_mask_cpu(params, serial_for); });
}

// --- Mutual information -----------------------------------------------------------------------------------------

constexpr std::int64_t kSamples = 4096;

// [T, N]; every third column has ReLU's spike at 0.
std::vector<float> activations(std::int64_t samples, std::int64_t columns) {
  std::vector<float> x = normal_values(samples * columns, 3);
  for (std::int64_t i = 0; i < samples * columns; ++i) {
    if (i % columns % 3 == 0) x[static_cast<std::size_t>(i)] = std::max(x[static_cast<std::size_t>(i)], 0.0f);
  }
  return x;
}

void count_discretize(const std::string& kernel, mi::Strategy strategy) {
  constexpr std::int64_t columns = 48, bins = 16;
  const std::vector<float> x = activations(kSamples, columns);
  std::vector<float> edges(columns * (bins - 1));
  std::vector<std::uint8_t> codes(x.size());
  const mi::DiscretizeParams params{{x.data(), DType::float32, kSamples, columns, columns, 1},
                                    bins,
                                    strategy,
                                    edges.data(),
                                    DType::float32,
                                    codes.data()};
  count(kernel, [&] { return mi::discretize_cpu(params, serial_for); });
}

// [N, T]; a share `zeros` of the codes is 0, as after ReLU.
std::vector<std::uint8_t> random_codes(std::int64_t rows, std::int64_t bins, double zeros) {
  Random random(4);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(rows * kSamples));
  for (std::uint8_t& code : codes) {
    const double drawn = random.uniform();
    code = drawn < zeros ? 0 : static_cast<std::uint8_t>(random.bits() % static_cast<std::uint64_t>(bins));
  }
  return codes;
}

void count_information(const std::string& kernel, std::int64_t rows, std::int64_t bins, double zeros) {
  const std::vector<std::uint8_t> codes = random_codes(rows, bins, zeros);
  std::vector<float> information(static_cast<std::size_t>(rows * rows));
  mi::InformationParams params;
  params.pairs = {{codes.data(), rows, kSamples, kSamples, 1}, {}, true, bins};
  params.information = information.data();
  count(kernel, [&] { return mi::mutual_information_cpu(params, serial_for); });
}

void count_reductions(std::int64_t rows, std::int64_t bins) {
  const std::vector<std::uint8_t> codes = random_codes(rows, bins, 0);
  const mi::Pairs pairs{{codes.data(), rows, kSamples, kSamples, 1}, {}, true, bins};
  constexpr std::int64_t k = 8;
  std::vector<float> values(static_cast<std::size_t>(rows * k));
  std::vector<std::int64_t> indices(values.size());
  const mi::TopKParams top{pairs, {}, k, values.data(), indices.data(), DType::float32};
  count("mi.top_k.16_bins", [&] { return mi::top_k_cpu(top, serial_for); });
  std::vector<double> sums(static_cast<std::size_t>(rows));
  count("mi.sum.16_bins", [&] { return mi::sum_cpu({pairs, {}, sums.data()}, serial_for); });
  constexpr std::int64_t few = 48;
  std::vector<std::int32_t> counts(static_cast<std::size_t>(few * few * bins * bins));
  mi::Pairs fewer = pairs;
  fewer.x.rows = few;
  count("mi.contingency.16_bins", [&] { return mi::contingency_cpu({fewer, counts.data()}, serial_for); });
}

}  // namespace

int main() {
  std::printf("compiler\t%s\nflags\t%s\narchitecture\t%s\n", BUILT_BY, BUILT_WITH, BUILT_FOR);
  std::printf("instruction_set\t%s\nc_library\tglibc %s\n", isa_name(cpu_isa()), gnu_get_libc_version());
  std::fflush(stdout);

  count_kde("kde.lattice.768x384", 128, 768, 384, kde::Accuracy::relative_1e5);
  count_kde("kde.lattice.4096x2048", 32, 4096, 2048, kde::Accuracy::relative_1e5);
  count_kde("kde.lattice_fine.768x384", 64, 768, 384, kde::Accuracy::relative_1e12);
  count_kde("kde.exact.768x384", 16, 768, 384, kde::Accuracy::exact);
  count_kde("kde.exact.4096x2048", 1, 4096, 2048, kde::Accuracy::exact);

  count_ken("ken.mask.768", 64, 768, 384);
  count_ken("ken.mask.4096", 16, 4096, 2048);
  count_ken("ken.mask.4096.outlier", 16, 4096, 2048, 1e18f);

  count_discretize("mi.discretize.quantile", mi::Strategy::quantile);
  count_discretize("mi.discretize.zero_quantile", mi::Strategy::zero_quantile);
  count_discretize("mi.discretize.uniform", mi::Strategy::uniform);
  for (const std::int64_t bins : {4, 8, 16, 32, 64, 256}) {
    const std::string name = "mi.information." + std::to_string(bins) + "_bins";
    count_information(name + ".uniform", 144, bins, 0);
    count_information(name + ".relu", 144, bins, 0.75);
  }
  count_reductions(144, 16);
}
