#include "kde/cpu/row_bandwidth.h"

#include <algorithm>
#include <cmath>

#include "kde/kde_math.h"

namespace pruning_ext::kde {

double row_bandwidth(BandwidthRule rule, const double* x, const double* w, std::int64_t n, const RowRange& range,
                     AlignedBuffer<double>& scratch) {
  RowMoments moments;
  active_kernels().moments(x, w, n, &moments);
  if (holds_variance(moments.variance)) return rule_bandwidth(rule, moments.variance, moments.n_eff);
  // The deviation is a number whose square is none: take it in units of the row's largest power of two.
  const int exponent = std::ilogb(std::max(std::fabs(range.low), std::fabs(range.high)));
  double* scaled = scratch.reserve(n);
  for (std::int64_t i = 0; i < n; ++i) scaled[i] = std::ldexp(x[i], -exponent);
  active_kernels().moments(scaled, w, n, &moments);
  return std::ldexp(rule_bandwidth(rule, moments.variance, moments.n_eff), exponent);
}

}  // namespace pruning_ext::kde
