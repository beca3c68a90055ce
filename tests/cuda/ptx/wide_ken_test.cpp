// KEN's kernel beyond what the emulated tests try: every dtype, steps, NaN, and values at both ends of their range.
#include <memory>

#include "../../cpp/check.h"
#include "ken/cuda/ken_cuda.h"
#include "wide_data.h"

namespace pruning_ext::ken {
namespace {

void one(DType d, std::int64_t rows, std::int64_t n, std::int64_t k, std::int64_t step, double spread, int kind,
         std::int64_t shared, Matching matching = Matching::by_warp, int processors = 1) {
  std::mt19937 random(static_cast<unsigned>(n + 7 * k + kind));
  std::normal_distribution<double> normal;
  Data w(d, rows, n, step, false, [&](auto, auto c) {
    switch (kind) {
      case 1: return spread * (static_cast<int>(random() % 7) - 3);
      case 2: return spread * (c == 3 ? 900.0 : normal(random));
      case 3: return spread * ((c % 2 ? 1.0 : -1.0) * static_cast<double>(c / 2));
      case 4: return random() % 10 ? 0.0 : spread * normal(random);
      case 5: return spread * (c < n / 2 ? 1.0 : 2.0);  // two values
      case 6: return spread;                            // constant
      case 7: return spread * static_cast<double>(c % 5 == 0 ? c : -c) * 0.25;
      case 8: return c == n / 3 ? static_cast<double>(NAN) : spread * normal(random);
      default: return spread * normal(random);
    }
  });
  for (const bool ties : {false, true}) {
    const auto expected = std::make_unique<bool[]>(rows * n), found = std::make_unique<bool[]>(rows * n);
    KenParams p;
    p.weight = w.m, p.k = k, p.keep_ties = ties, p.mask = expected.get();
    const Status status = ken_mask_cpu(p, serial_for);
    p.mask = found.get();
    std::memset(found.get(), 1, rows * n);
    FaultWord fault = kNoFault;
    CudaContext context;
    context.fault = &fault, context.multiprocessors = processors, context.shared_memory = shared;
    std::vector<std::byte> workspace(ken_mask_cuda_workspace(p, context), std::byte{0xa5});
    context.workspace = workspace.data();
    CHECK(ken_mask_cuda(p, context, matching) == cudaSuccess, "launch");
    CHECK(status_of(fault).fault == status.fault, "fault %d, not %d", static_cast<int>(status_of(fault).fault),
          static_cast<int>(status.fault));
    if (status.fault != Fault::none) continue;
    std::int64_t different = 0;
    for (std::int64_t i = 0; i < rows * n; ++i) different += expected[i] != found[i];
    CHECK(different == 0, "dtype %d kind %d n %ld k %ld spread %g ties %d: %ld differ", static_cast<int>(d), kind,
          static_cast<long>(n), static_cast<long>(k), spread, ties, static_cast<long>(different));
  }
}

void run() {
  constexpr std::int64_t kHopper = 227 * 1024;
  for (const DType d : kTypes) {
    for (int kind = 0; kind < 9; ++kind) {
      for (const std::int64_t shared : {std::int64_t{0}, kHopper}) {
        one(d, 3, 257, 100, 1 + kind % 2, 0.05, kind, shared);
        one(d, 2, 300, 299, 1, 0.05, kind, shared);
        one(d, 2, 90, 33, 1, 0.05, kind, shared, Matching::one_by_one);
        if (d != DType::float16) one(d, 3, 130, 60, 1, 1e-6, kind, shared);
        if (d != DType::float16) one(d, 2, 130, 60, 1, 1e-12, kind, shared);
      }
    }
    for (const std::int64_t n : {1, 2, 40})
      for (const std::int64_t k : {0, 1, 2, 40, 41}) one(d, 2, n, k, 1, 1, 0, kHopper), one(d, 2, n, k, 1, 1, 6, 0);
    one(d, 5, 1500, 700, 1, 0.02, 0, kHopper);
    one(d, 5, 1500, 700, 1, 1e-7, d == DType::float16 ? 6 : 0, kHopper);
    one(d, 5, 700, 200, 1, 0.02, 0, 0);
  }
  one(DType::float64, 2, 300, 150, 1, 1e308, 0, 0);
  one(DType::float64, 2, 300, 150, 1, 5e307, 3, 0);
  one(DType::float64, 2, 300, 150, 1, 1e-200, 0, 0);
  one(DType::float32, 2, 300, 150, 1, 1e-42, 0, kHopper);
  one(DType::float32, 2, 300, 150, 1, 1e37, 0, kHopper);
  one(DType::float32, 1, 12000, 4000, 1, 1e-7, 0, kHopper);  // coarse fits, fine does not
  one(DType::bfloat16, 1, 4096, 2048, 1, 0.02, 0, kHopper);
}

}  // namespace
}  // namespace pruning_ext::ken

CHECK_MAIN(pruning_ext::ken::run)
