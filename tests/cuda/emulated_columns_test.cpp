// Mutual information of columns on CUDA, run thread by thread on the CPU: what the CPU gives for them.
#include <cmath>
#include <random>
#include <vector>

#include "../cpp/check.h"
#include "mi/cuda/columns_cuda.h"

namespace pruning_ext::mi {
namespace {

struct Device {
  Device(const ColumnsParams& params, int architecture) {
    context.fault = &fault;
    context.multiprocessors = 2;
    context.architecture = architecture;
    context.shared_memory = 227 * 1024;
    workspace.assign(columns_cuda_workspace(params, context) + 256, std::byte{0xa5});
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(workspace.data());
    context.workspace = workspace.data() + (256 - at % 256) % 256;
  }
  std::vector<std::byte> workspace;
  FaultWord fault = kNoFault;
  CudaContext context;
};

template <typename Value>
std::vector<Value> normal(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> distribution;
  std::vector<Value> x(count);
  for (Value& value : x) value = static_cast<Value>(std::max(distribution(random), -0.5));
  return x;
}

template <typename Value>
Matrix matrix_of(const std::vector<Value>& x, std::int64_t samples, std::int64_t columns) {
  return {x.data(), sizeof(Value) == 8 ? DType::float64 : DType::float32, samples, columns, columns, 1};
}

// Columns [samples, n] with [samples, m], or with themselves where m is 0.
template <typename Value>
void compare(std::int64_t n, std::int64_t m, std::int64_t samples, std::int64_t bins, int architecture,
             Strategy strategy = Strategy::quantile) {
  const std::vector<Value> x = normal<Value>(n * samples, 1), y = normal<Value>(m * samples, 2);
  ColumnsParams params;
  params.x = matrix_of(x, samples, n);
  params.y = matrix_of(y, samples, m);
  params.symmetric = m == 0;
  params.bins = bins;
  params.strategy = strategy;
  params.dtype = DType::float64;
  std::vector<double> expected(n * params.partners().cols), found(expected.size(), -1);
  params.information = expected.data();
  mutual_information_of_columns_cpu(params, serial_for);
  params.information = found.data();
  Device device(params, architecture);
  discretize_side_cuda(params, Side::x, device.context);
  if (m > 0) discretize_side_cuda(params, Side::y, device.context);
  mutual_information_of_columns_cuda(params, device.context);
  CHECK(device.fault == kNoFault, "a fault where there is none");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::fabs(found[i] - expected[i]) <= 1e-11 * (1 + expected[i]), "bins %ld, sm_%d, at %zu: %.17g, not %.17g",
          static_cast<long>(bins), architecture, i, found[i], expected[i]);
  }
}

// A fault counts the columns of its side, on both devices from x on.
void faults(std::int64_t bins) {
  std::vector<float> x = normal<float>(3 * 50, 1), y = normal<float>(4 * 50, 2);
  y[4 * 7 + 2] = NAN;
  std::vector<float> information(12);
  ColumnsParams params;
  params.x = matrix_of(x, 50, 3);
  params.y = matrix_of(y, 50, 4);
  params.symmetric = false;
  params.bins = bins;
  params.information = information.data();
  const Status status = mutual_information_of_columns_cpu(params, serial_for);
  CHECK(status.fault == Fault::not_finite && status.row == 5, "the CPU counts on from x");
  Device device(params, 90);
  discretize_side_cuda(params, Side::x, device.context);
  CHECK(device.fault == kNoFault, "x is finite");
  discretize_side_cuda(params, Side::y, device.context);
  CHECK(status_of(device.fault).fault == Fault::not_finite && status_of(device.fault).row == 2, "y is not");
}

void run() {
  for (const std::int64_t bins : {2, 9, 16, 17, 32, 33, 256}) {
    for (const int architecture : {90, 100}) {
      compare<float>(5, 0, 257, bins, architecture);
      compare<float>(3, 7, 90, bins, architecture, Strategy::uniform);
    }
    compare<double>(4, 2, 130, bins, 90);
  }
  faults(16);
  faults(40);
}

}  // namespace
}  // namespace pruning_ext::mi

CHECK_MAIN(pruning_ext::mi::run)
