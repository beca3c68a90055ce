// Sizes that leave nothing to compute are a Status with a sentence, or no work at all; never a crash.
#include "check.h"
#include "common/threads.h"
#include "kde/kde.h"
#include "ken/ken.h"

using namespace pruning_ext;

namespace {

const double kOne[] = {0.5, 0.25};

Matrix matrix(std::int64_t rows, std::int64_t cols) { return {kOne, DType::float64, rows, cols, cols, 1}; }

void expect(const Status& status, Fault fault, const char* sentence) {
  const std::string found = fault_sentence(status, "samples");
  CHECK(status.fault == fault && status.row == -1 && found == sentence, "fault %d in row %lld: %s",
        static_cast<int>(status.fault), static_cast<long long>(status.row), found.c_str());
}

Status density(std::int64_t rows, std::int64_t n, std::int64_t k) {
  double out[2];
  kde::KdeParams params;
  params.samples = matrix(rows, n);
  params.points = matrix(rows, k);
  params.bandwidth = kOne;
  params.density = out;
  params.density_dtype = DType::float64;
  return kde::gaussian_kde_cpu(params, thread_for(2));
}

Status grid(std::int64_t rows, std::int64_t n, std::int64_t k) {
  double points[2], out[2];
  kde::GridParams params;
  params.samples = matrix(rows, n);
  params.num_points = k;
  params.bandwidth = kOne;
  params.grid = points;
  params.density = out;
  params.dtype = DType::float64;
  return kde::gaussian_kde_grid_cpu(params, thread_for(2));
}

Status bandwidth(std::int64_t rows, std::int64_t n) {
  double out[2];
  kde::BandwidthParams params;
  params.samples = matrix(rows, n);
  params.bandwidth = out;
  return kde::bandwidth_cpu(params, thread_for(2));
}

Status mask(std::int64_t rows, std::int64_t n, std::int64_t k) {
  bool out[2];
  ken::KenParams params;
  params.weight = matrix(rows, n);
  params.k = k;
  params.mask = out;
  return ken::ken_mask_cpu(params, thread_for(2));
}

void run() {
  const char* no_samples = "samples has rows without entries";
  expect(density(2, 0, 1), Fault::no_samples, no_samples);
  expect(density(2, 0, 0), Fault::no_samples, no_samples);
  expect(grid(1, 0, 2), Fault::no_samples, no_samples);
  expect(bandwidth(2, 0), Fault::no_samples, no_samples);
  for (const std::int64_t k : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN}) {
    expect(grid(1, 2, k), Fault::no_points, "num_points must be at least 1");
    expect(grid(0, 2, k), Fault::no_points, "num_points must be at least 1");
  }
  for (const std::int64_t k : {std::int64_t{-1}, INT64_MIN})
    expect(mask(1, 2, k), Fault::negative_k, "k must not be negative");
  // Nothing is asked for.
  expect(density(1, 2, 0), Fault::none, "");
  expect(density(0, 2, 2), Fault::none, "");
  expect(density(0, 0, 2), Fault::none, "");
  expect(grid(0, 2, 2), Fault::none, "");
  expect(grid(0, 0, 2), Fault::none, "");
  expect(bandwidth(0, 0), Fault::none, "");
  expect(mask(2, 0, 0), Fault::none, "");
  expect(mask(0, 2, 1), Fault::none, "");
  expect(mask(1, 2, 0), Fault::none, "");
}

}  // namespace

CHECK_MAIN(run)
