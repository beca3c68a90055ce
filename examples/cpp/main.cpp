// Scores the entries of a weight matrix from plain C++: how dense is each row where the entry lies, and would KEN keep
// it? Prints one line for each entry, and then how much the rows tell of each other.
#include <pruning_ext/common/cpu_isa.h>
#include <pruning_ext/common/threads.h>
#include <pruning_ext/kde/kde.h>
#include <pruning_ext/ken/ken.h>
#include <pruning_ext/mi/mi.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

namespace {

// Every function reports what is wrong with its data, and in which row, as a Status.
void require(const pruning_ext::Status& status, const char* subject) {
  if (status) return;
  std::fprintf(stderr, "%s\n", pruning_ext::fault_sentence(status, subject).c_str());
  std::exit(EXIT_FAILURE);
}

}  // namespace

int main() {
  constexpr std::int64_t rows = 3, cols = 40, k = 10, bins = 4;
  std::vector<float> weight(rows * cols);
  std::mt19937 generator(0);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  for (float& entry : weight) entry = normal(generator);

  // A Matrix borrows memory: data, dtype, sizes, and strides in elements. Nothing is copied.
  const pruning_ext::Matrix matrix{weight.data(), pruning_ext::DType::float32, rows, cols, cols, 1};

  // Work is spread over rows by the function you pass: threads of our own here, or your pool's, or serial_for.
  const pruning_ext::ParallelFor threads = pruning_ext::thread_for();

  // 1. A bandwidth for each row, by Scott's rule.
  std::vector<double> bandwidth(rows);
  pruning_ext::kde::BandwidthParams rule;
  rule.samples = matrix;
  rule.rule = pruning_ext::kde::BandwidthRule::scott;
  rule.bandwidth = bandwidth.data();
  require(pruning_ext::kde::bandwidth_cpu(rule, threads), "weight");

  // 2. The density of each row at its own entries.
  std::vector<float> density(rows * cols);
  pruning_ext::kde::KdeParams kde;
  kde.samples = matrix;
  kde.points = matrix;
  kde.bandwidth = bandwidth.data();
  kde.density = density.data();
  kde.density_dtype = pruning_ext::DType::float32;
  kde.accuracy = pruning_ext::kde::Accuracy::relative_1e5;
  require(pruning_ext::kde::gaussian_kde_cpu(kde, threads), "weight");

  // 3. The k entries of each row that KEN keeps.
  const auto mask = std::make_unique<bool[]>(rows * cols);
  pruning_ext::ken::KenParams ken;
  ken.weight = matrix;
  ken.k = k;
  ken.mask = mask.get();
  require(pruning_ext::ken::ken_mask_cpu(ken, threads), "weight");

  // 4. The mutual information of all pairs of variables. They are a Matrix's columns: here the rows, by its strides.
  std::vector<std::uint8_t> codes(rows * cols);
  std::vector<float> edges(rows * (bins - 1)), information(rows * rows);
  pruning_ext::mi::DiscretizeParams discretize;
  discretize.x = {weight.data(), pruning_ext::DType::float32, cols, rows, 1, cols};
  discretize.bins = bins;
  discretize.edges = edges.data();
  discretize.codes = codes.data();
  require(pruning_ext::mi::discretize_cpu(discretize, threads), "weight");
  pruning_ext::mi::InformationParams pairs;
  pairs.pairs.x = {codes.data(), rows, cols, cols};
  pairs.pairs.bins = bins;
  pairs.information = information.data();
  require(pruning_ext::mi::mutual_information_cpu(pairs, threads), "codes");

  std::printf("# %lld rows of %lld, k = %lld, instruction set %s\n", static_cast<long long>(rows),
              static_cast<long long>(cols), static_cast<long long>(k), pruning_ext::isa_name(pruning_ext::cpu_isa()));
  std::printf("row\tweight\tdensity\tkept\n");
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    std::printf("%lld\t%.9g\t%.9g\t%d\n", static_cast<long long>(i / cols), weight[i], density[i], mask[i] ? 1 : 0);
  }
  std::printf("\nmutual information of the rows in nats, %lld bins\n", static_cast<long long>(bins));
  for (std::int64_t i = 0; i < rows * rows; ++i) std::printf("%.9g%c", information[i], (i + 1) % rows ? '\t' : '\n');
}
