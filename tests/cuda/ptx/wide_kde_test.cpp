// KDE's kernels beyond what the emulated tests try: every combination of dtypes, steps, extreme weights and bandwidths,
// and rows so long that only an interpreter of whole warps gets through them.
#include <algorithm>

#include "../../cpp/check.h"
#include "../emulated_kde.h"
#include "wide_data.h"

namespace pruning_ext::kde {
namespace {

struct How {
  bool log, loo;  // loo: leave one out
  double tiny;    // weights are scaled by it
  bool heavy;     // one of them is more than all others
};

constexpr How kPlain{false, false, 1, false};

struct Expected {
  bool wide;
  How how;
  Accuracy accuracy;

  // How far from `want` a density may be, the row's highest being `peak`.
  double allowed(double want, double peak) const {
    const bool is_coarse = accuracy == Accuracy::relative_1e5;
    if (!how.log)
      return ((is_coarse ? 1e-5 : 1e-12) + (wide ? 4e-15 : 1.2e-7)) * std::fmax(want, 1e-12 * std::fmax(peak, 0));
    return (how.tiny < 1e-300 ? 1e-2 : is_coarse || !wide ? 1e-4 : 1e-10) + 1.2e-7 * std::fabs(want);
  }
};

void one(std::int64_t rows, std::int64_t n, std::int64_t k, DType sd, DType pd, int wd, DType out, std::int64_t step,
         bool shared, Method method, Accuracy acc, How how, double h, double spread = 1) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  Data samples(sd, rows, n, step, false, [&](auto, auto) { return spread * normal(random); });
  Data points =
      how.loo ? samples : Data(pd, rows, k, step, shared, [&](auto, auto) { return spread * 2 * normal(random); });
  if (how.loo) {
    points.m = samples.m;
    k = n;
  }
  Data weights;
  if (wd >= 0)
    weights = Data(kTypes[wd], rows, n, step, false, [&](auto, auto c) {
      return (how.heavy && c == 1 ? 100.0 * n : std::fabs(normal(random))) * how.tiny;
    });
  std::vector<double> bandwidth(rows, h);
  const bool wide = out == DType::float64;
  std::vector<double> e64(rows * k), f64(rows * k, -1);
  std::vector<float> e32(rows * k), f32(rows * k, -1);
  KdeParams p;
  p.samples = samples.m, p.points = how.loo ? samples.m : points.m;
  if (wd >= 0) p.weights = weights.m;
  p.bandwidth = bandwidth.data(), p.density_dtype = out, p.log = how.log, p.leave_one_out = how.loo;
  p.accuracy = Accuracy::exact;
  p.density = wide ? static_cast<void*>(e64.data()) : e32.data();
  const Status status = gaussian_kde_cpu(p, serial_for);
  p.accuracy = acc;
  p.density = wide ? static_cast<void*>(f64.data()) : f32.data();
  CudaContext d = device();
  std::vector<std::byte> workspace(gaussian_kde_cuda_workspace(p, d, method), std::byte{0xa5});
  FaultWord fault;
  const CudaContext context = context_with(workspace, fault);
  CHECK(gaussian_kde_cuda(p, context, method) == cudaSuccess, "launch");
  CHECK(status_of(fault).fault == status.fault, "fault %d, not %d", static_cast<int>(status_of(fault).fault),
        static_cast<int>(status.fault));
  const Expected by{wide, how, acc};
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t at = r * k;
    const double peak = wide ? *std::max_element(e64.begin() + at, e64.begin() + at + k)
                             : *std::max_element(e32.begin() + at, e32.begin() + at + k);
    for (std::int64_t j = at; j < at + k; ++j) {
      const double want = wide ? e64[j] : e32[j], got = wide ? f64[j] : f32[j];
      CHECK(got == want || std::fabs(got - want) <= by.allowed(want, peak) || (std::isnan(got) && std::isnan(want)),
            "dtypes %d %d %d, n %ld k %ld method %d log %d loo %d h %g: %.17g, not %.17g", static_cast<int>(sd),
            static_cast<int>(pd), wd, static_cast<long>(n), static_cast<long>(k), static_cast<int>(method), how.log,
            how.loo, h, got, want);
    }
  }
}

void bandwidths(DType sd, int wd, std::int64_t rows, std::int64_t n, std::int64_t step, double scale, double shift) {
  std::mt19937 random(6);
  std::normal_distribution<double> normal;
  Data samples(sd, rows, n, step, false, [&](auto, auto) { return scale * (shift + normal(random)); }), weights;
  if (wd >= 0) weights = Data(kTypes[wd], rows, n, step, false, [&](auto, auto) { return std::fabs(normal(random)); });
  for (const BandwidthRule rule : {BandwidthRule::scott, BandwidthRule::silverman, BandwidthRule::ken}) {
    std::vector<double> expected(rows), found(rows, -1);
    BandwidthParams p{samples.m, weights.m, rule, expected.data()};
    const Status status = bandwidth_cpu(p, serial_for);
    p.bandwidth = found.data();
    std::vector<std::byte> workspace(bandwidth_cuda_workspace(p), std::byte{0xa5});
    FaultWord fault;
    bandwidth_cuda(p, context_with(workspace, fault));
    CHECK(status_of(fault).fault == status.fault, "fault %d, not %d", static_cast<int>(status_of(fault).fault),
          static_cast<int>(status.fault));
    for (std::int64_t r = 0; r < rows && status.fault == Fault::none; ++r)
      CHECK(std::fabs(found[r] - expected[r]) <= 1e-12 * expected[r], "dtype %d n %ld rule %d: %.17g, not %.17g",
            static_cast<int>(sd), static_cast<long>(n), static_cast<int>(rule), found[r], expected[r]);
  }
}

void grids(DType sd, DType out, std::int64_t rows, std::int64_t n, std::int64_t k, double spread) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  Data samples(sd, rows, n, 1, false, [&](auto, auto c) {
    return spread * (c == 0 ? 1.0 : c == 1 ? -1.0 : std::tanh(normal(random)));
  });
  std::vector<double> bandwidth(rows, 0.3 * spread);
  const bool wide = out == DType::float64;
  std::vector<double> a(2 * rows * k), b(2 * rows * k, -1);
  GridParams p;
  p.samples = samples.m, p.num_points = k, p.bandwidth = bandwidth.data(), p.dtype = out;
  if (wide) p.accuracy = Accuracy::relative_1e12;
  p.grid = a.data(), p.density = a.data() + rows * k;
  gaussian_kde_grid_cpu(p, serial_for);
  p.grid = b.data(), p.density = b.data() + rows * k;
  std::vector<std::byte> workspace(gaussian_kde_grid_cuda_workspace(p, device()), std::byte{0xa5});
  FaultWord fault;
  gaussian_kde_grid_cuda(p, context_with(workspace, fault));
  CHECK(fault == kNoFault, "fault");
  for (std::int64_t j = 0; j < 2 * rows * k; ++j) {
    const bool grid = j < rows * k;
    const std::int64_t at = grid ? j : j - rows * k;
    const double want = wide ? a[j] : reinterpret_cast<float*>(grid ? a.data() : a.data() + rows * k)[at];
    const double got = wide ? b[j] : reinterpret_cast<float*>(grid ? b.data() : b.data() + rows * k)[at];
    CHECK(got == want || (!grid && spread > 1e300 && got > 1e-309 && got < 1e-308) ||
              (!grid && std::fabs(got - want) <= (wide ? 1e-11 : 1.1e-5) * std::fabs(want)),
          "grid %d at %ld of %ld: %.17g, not %.17g", grid, static_cast<long>(at), static_cast<long>(k), got, want);
  }
}

// `turn` goes through what else there is to choose.
void dtypes(Method method, int& turn) {
  for (const DType sd : kTypes) {
    for (const DType pd : kTypes) {
      for (int wd = -1; wd < 4; ++wd) {
        if (method == Method::direct_fast && (sd == DType::float64 || pd == DType::float64 || wd == 0)) continue;
        ++turn;
        const Accuracy acc = method == Method::direct_fast || (method == Method::lattice && turn % 2)
                                 ? Accuracy::relative_1e5
                                 : Accuracy::relative_1e12;
        const bool any_double = sd == DType::float64 || pd == DType::float64;
        one(2, 150 + turn % 7, 67 + turn % 5, sd, pd, wd, any_double || turn % 3 == 0 ? DType::float64 : DType::float32,
            1 + turn % 2, turn % 4 == 1, method, acc, {turn % 5 == 2, false, 1, turn % 3 == 1}, 0.4);
      }
      one(2, 700, 300, sd, pd, -1, DType::float32, 1, false,
          method == Method::direct_fast && (sd == DType::float64 || pd == DType::float64) ? Method::direct : method,
          Accuracy::relative_1e5, kPlain, 0.2);
    }
    for (int wd = -1; wd < 4; ++wd) {
      if (method == Method::direct_fast) continue;
      one(2, 120, 0, sd, sd, wd, DType::float64, 1, false, method, Accuracy::relative_1e12, {false, true, 1, true},
          0.05);
      one(1, 120, 0, sd, sd, wd, DType::float64, 2, false, method, Accuracy::relative_1e12, {true, true, 1, true},
          0.05);
    }
  }
}

void extremes(Method method) {
  // Weights below the normal numbers; one sample alone; subnormal and tiny bandwidths.
  one(2, 90, 40, DType::float64, DType::float64, 0, DType::float64, 1, false, method, Accuracy::relative_1e12,
      {true, false, 1e-310, false}, 0.1);
  one(1, 90, 90, DType::float64, DType::float64, 0, DType::float64, 1, false, method, Accuracy::relative_1e12,
      {true, true, 1e-310, false}, 1e-3);
  one(2, 1, 1, DType::float64, DType::float64, -1, DType::float64, 1, false, method, Accuracy::relative_1e12,
      {true, true, 1, false}, 0.1);
  one(2, 1, 1, DType::float32, DType::float32, -1, DType::float32, 1, false, method, Accuracy::relative_1e12,
      {false, true, 1, false}, 0.1);
  one(1, 40, 33, DType::float64, DType::float64, -1, DType::float64, 1, false, method, Accuracy::relative_1e12,
      {true, false, 1, false}, 1e-310, 1e-310);
  one(1, 40, 33, DType::float64, DType::float64, 1, DType::float64, 1, false, method, Accuracy::relative_1e12,
      {true, false, 1, false}, 4e-320, 1e-319);
  one(1, 40, 33, DType::float64, DType::float64, -1, DType::float64, 1, false, method, Accuracy::relative_1e12,
      {true, false, 1, false}, 1e300, 1e300);
  one(1, 40, 33, DType::float32, DType::float32, -1, DType::float32, 1, false, method, Accuracy::relative_1e5,
      {true, false, 1, false}, 0x1p-1010, 1e-38);
  one(1, 40, 33, DType::float32, DType::float32, 1, DType::float32, 1, false, method, Accuracy::relative_1e12,
      {true, false, 1, false}, 0x1p-1010, 1e-38);
}

void stages() {
  // Every place in a stage of samples, of every dtype.
  for (const DType sd : kTypes) {
    for (const std::int64_t n : {130, 260, 390, 523, 901}) {
      for (int wd = -1; wd < 4; ++wd) {
        one(1, n, 70, sd, DType::float32, wd, DType::float32, 1, false,
            sd == DType::float64 || wd == 0 ? Method::direct : Method::direct_fast, Accuracy::relative_1e5, kPlain,
            0.3);
        one(1, n, 70, DType::float32, sd, wd, DType::float64, 1, false, Method::direct, Accuracy::exact, kPlain, 0.3);
      }
    }
    for (const std::int64_t n : {121, 122, 123})
      one(1, n, 0, sd, sd, static_cast<int>(sd), DType::float64, 1, false, Method::direct, Accuracy::relative_1e12,
          {false, true, 1, true}, 0.05);
    // Points beyond what float32 holds, with and without weights.
    for (int wd = -1; wd < 4; ++wd) {
      if (sd == DType::float64 || sd == DType::float16 || wd == 0) continue;
      for (const std::int64_t n : {40, 700})
        one(1, n, 70, sd, sd, wd, DType::float32, 1, false, Method::direct_fast, Accuracy::relative_1e5, kPlain, 1e-5,
            1e32);
      one(1, 700, 70, sd, sd, wd, DType::float32, 1, false, Method::direct_fast, Accuracy::relative_1e5, kPlain, 1e30,
          1e32);
    }
  }
}

void long_rows() {
  bandwidths(DType::float32, -1, 1, 16384 * 300 + 77, 1, 1, 0);
  bandwidths(DType::float16, 2, 1, 16384 * 260 + 77, 1, 1, 1);
  one(3, 5000, 700, DType::float16, DType::bfloat16, 2, DType::float32, 1, true, Method::lattice,
      Accuracy::relative_1e5, kPlain, 0.1);
  one(3, 3000, 4500, DType::bfloat16, DType::float16, -1, DType::float32, 1, false, Method::automatic,
      Accuracy::relative_1e12, kPlain, 0.1);
  one(3, 2500, 2500, DType::float64, DType::float64, -1, DType::float64, 1, false, Method::automatic,
      Accuracy::relative_1e12, kPlain, 0.1);
}

void other_kernels() {
  for (const DType sd : kTypes) {
    for (int wd = -1; wd < 4; ++wd) {
      bandwidths(sd, wd, 3, 1, 1, 1, 0);  // a fault
      for (const std::int64_t n : {2, 37, 700, 3000}) bandwidths(sd, wd, 3, n, 1 + n % 2, 1, 3);
      bandwidths(sd, wd, 2, 17000, 1, 1, 0);
      if (sd == DType::float64) {
        for (const double scale : {1e-170, 1e-310, 3e-320, 1e200})
          bandwidths(sd, wd, 2, 60, 1, scale, 0), bandwidths(sd, wd, 1, 20000, 1, scale, 0);
      }
      for (const std::int64_t n : {2049, 40'001}) bandwidths(sd, wd, 1, n, 2, 1, 1);
    }
    for (const std::int64_t k : {1, 2, 33, 700, 3000}) {
      grids(sd, sd == DType::float64 ? DType::float64 : DType::float32, 3, 100, k, 1);
    }
  }
  grids(DType::float64, DType::float64, 2, 60, 40, 1.7e308);
}

void run() {
  int turn = 0;
  for (const Method method : {Method::direct, Method::direct_fast, Method::lattice}) {
    dtypes(method, turn);
    if (method != Method::direct_fast) extremes(method);
  }
  stages();
  long_rows();
  other_kernels();
}

}  // namespace
}  // namespace pruning_ext::kde

CHECK_MAIN(pruning_ext::kde::run)
