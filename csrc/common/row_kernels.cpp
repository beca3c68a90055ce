// Conversion of a row to float64, then the range of what came out.
#include "common/row_kernels.h"

#include "common/half.h"

namespace pruning_ext::rows::PRUNING_EXT_ISA {
namespace {

template <typename Element, typename Convert>
inline RowRange load_as_double(const Element* source, std::int64_t stride, std::int64_t n, double* out,
                               Convert convert) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = convert(source[i * stride]) + 0.0;  // -0.0 becomes +0.0
  constexpr double kInf = __builtin_inf();
  double low[8], high[8], not_finite[8] = {};
  for (int l = 0; l < 8; ++l) low[l] = kInf, high[l] = -kInf;
  const std::int64_t whole = n / 8 * 8;
  for (std::int64_t i = 0; i < whole; i += 8) {
    for (int l = 0; l < 8; ++l) {
      const double x = out[i + l];
      low[l] = x < low[l] ? x : low[l];
      high[l] = x > high[l] ? x : high[l];
      not_finite[l] += x - x;  // 0, or NaN for good
    }
  }
  for (std::int64_t i = whole; i < n; ++i) {
    const double x = out[i];
    low[0] = x < low[0] ? x : low[0];
    high[0] = x > high[0] ? x : high[0];
    not_finite[0] += x - x;
  }
  RowRange range{kInf, -kInf, true};
  for (int l = 0; l < 8; ++l) {
    range.low = low[l] < range.low ? low[l] : range.low;
    range.high = high[l] > range.high ? high[l] : range.high;
    range.finite = range.finite && not_finite[l] == 0.0;
  }
  return range;
}

RowRange load(const void* source, DType dtype, std::int64_t stride, std::int64_t n, double* out) {
  const auto with_stride = [&](auto* typed, auto convert) {
    // A literal stride lets the common case vectorise.
    return stride == 1 ? load_as_double(typed, 1, n, out, convert) : load_as_double(typed, stride, n, out, convert);
  };
  const auto to_double = [](auto x) { return static_cast<double>(x); };
  const auto* bits = static_cast<const std::uint16_t*>(source);
  switch (dtype) {
    case DType::float64: return with_stride(static_cast<const double*>(source), to_double);
    case DType::float32: return with_stride(static_cast<const float*>(source), to_double);
    case DType::float16: return with_stride(bits, [](std::uint16_t x) { return double{half_bits_to_float(x)}; });
    default: return with_stride(bits, [](std::uint16_t x) { return double{bfloat_bits_to_float(x)}; });
  }
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table{load};
  return table;
}

}  // namespace pruning_ext::rows::PRUNING_EXT_ISA
