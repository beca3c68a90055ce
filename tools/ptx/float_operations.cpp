// Floating point. What PTX rounds the host rounds as PTX says; of the approximate instructions each result is as wrong
// as the PTX ISA allows, by chance, so that nothing comes to rely on their digits.
#include <cmath>
#include <limits>

#include "elementwise.h"

namespace ptx {
namespace {

using s32 = std::int32_t;
using s64 = std::int64_t;

// Towards zero. NaN becomes the lowest where either side is of 64 bits.
template <typename D>
D to_integer(double v) {
  constexpr D kLowest = std::numeric_limits<D>::min(), kHighest = std::numeric_limits<D>::max();
  constexpr double kBound = sizeof(D) == 8 ? 0x1p63 : 0x1p31;
  if (!(v > -kBound)) return kLowest;
  return v >= kBound ? kHighest : static_cast<D>(v);
}

u32 noise() {
  static u64 s = 88172645463325252ull;  // xorshift
  s ^= s << 13, s ^= s >> 7, s ^= s << 17;
  return static_cast<u32>(s >> 32);
}

// Two ulp of the nearest at the most; results below the normal numbers are 0.
float ex2_approx_ftz(float x) {
  if (std::fabs(x) < 0x1p-126f) x = 0;
  float r = std::exp2(x);
  if (!std::isfinite(r) || x == 0) return r;
  const int ulps = static_cast<int>(noise() % 5) - 2;
  for (int k = 0; k < std::abs(ulps); ++k) r = std::nextafter(r, ulps < 0 ? 0.0f : HUGE_VALF);
  return r < 0x1p-126f ? 0.0f : r;
}

// The upper 32 bits of about 1 / (the upper 32 bits of x).
double rcp_approx_ftz(double x) {
  double v = std::bit_cast<double>(std::bit_cast<u64>(x) & 0xffffffff00000000ull);
  if (std::fabs(v) < 0x1p-1022) v = std::copysign(0.0, v);
  const double r = 1 / v;
  if (!std::isfinite(r) || r == 0) return r;
  if (std::fabs(r) < 0x1p-1022) return std::copysign(0.0, r);
  const u64 high = (std::bit_cast<u64>(r) >> 32) + noise() % 3 - 1;  // an error in the last of 20 bits
  return std::bit_cast<double>(high << 32);
}

double least(double a, double b) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
double greatest(double a, double b) { return -least(-a, -b); }

// The u variants are true of NaN; all others are not, ne among them.
template <typename T>
void add_comparisons(Operations& all, const std::string& type) {
  all["setp.eq." + type] = comparison<T>([](T a, T b) { return a == b; });
  all["setp.ne." + type] = comparison<T>([](T a, T b) { return a < b || a > b; });
  all["setp.lt." + type] = comparison<T>([](T a, T b) { return a < b; });
  all["setp.le." + type] = comparison<T>([](T a, T b) { return a <= b; });
  all["setp.gt." + type] = comparison<T>([](T a, T b) { return a > b; });
  all["setp.ge." + type] = comparison<T>([](T a, T b) { return a >= b; });
  all["setp.equ." + type] = comparison<T>([](T a, T b) { return !(a < b || a > b); });
  all["setp.neu." + type] = comparison<T>([](T a, T b) { return a != b; });
  all["setp.ltu." + type] = comparison<T>([](T a, T b) { return !(a >= b); });
  all["setp.leu." + type] = comparison<T>([](T a, T b) { return !(a > b); });
  all["setp.gtu." + type] = comparison<T>([](T a, T b) { return !(a <= b); });
  all["setp.geu." + type] = comparison<T>([](T a, T b) { return !(a < b); });
  all["setp.num." + type] = comparison<T>([](T a, T b) { return !std::isnan(a) && !std::isnan(b); });
  all["setp.nan." + type] = comparison<T>([](T a, T b) { return std::isnan(a) || std::isnan(b); });
}

// Without a rounding mode the result is rounded to nearest, too, but may be contracted.
template <typename T>
void add_arithmetic(Operations& all, const std::string& type) {
  for (const std::string mode : {"", "rn."}) {
    all["add." + mode + type] = of_two<T, T, T>([](T a, T b) { return a + b; });
    all["sub." + mode + type] = of_two<T, T, T>([](T a, T b) { return a - b; });
    all["mul." + mode + type] = of_two<T, T, T>([](T a, T b) { return a * b; });
  }
  all["div.rn." + type] = of_two<T, T, T>([](T a, T b) { return a / b; });
  all["fma.rn." + type] = of_three<T>([](T a, T b, T c) { return std::fma(a, b, c); });
  using U = Bits<T>;
  static constexpr U kSign = U{1} << (8 * sizeof(T) - 1);
  all["neg." + type] = of_one<U, U>([](U a) { return a ^ kSign; });
  all["abs." + type] = of_one<U, U>([](U a) { return a & ~kSign; });
}

void add_conversions(Operations& all) {
  all["cvt.f64.f32"] = of_one<double, float>([](float a) { return a; });
  all["cvt.rn.f32.f64"] = of_one<float, double>([](double a) { return a; });
  all["cvt.rni.f64.f64"] = of_one<double, double>([](double a) { return std::nearbyint(a); });
  all["cvt.rmi.f64.f64"] = of_one<double, double>([](double a) { return std::floor(a); });
  all["cvt.rzi.f64.f64"] = of_one<double, double>([](double a) { return std::trunc(a); });
  all["cvt.rzi.s32.f64"] = of_one<s32, double>([](double a) { return to_integer<s32>(a); });
  all["cvt.rzi.s64.f64"] = of_one<s64, double>([](double a) { return to_integer<s64>(a); });
  all["cvt.rni.s64.f64"] = of_one<s64, double>([](double a) { return to_integer<s64>(std::nearbyint(a)); });
  all["cvt.rn.f64.u16"] = of_one<double, u16>([](u16 a) { return a; });
  all["cvt.rn.f64.u32"] = of_one<double, u32>([](u32 a) { return a; });
  all["cvt.rn.f64.s32"] = of_one<double, s32>([](s32 a) { return a; });
  all["cvt.rn.f64.u64"] = of_one<double, u64>([](u64 a) { return a; });
  all["cvt.rn.f64.s64"] = of_one<double, s64>([](s64 a) { return a; });
  all["cvt.rn.f32.s32"] = of_one<float, s32>([](s32 a) { return a; });
}

}  // namespace

void add_float_operations(Operations& all) {
  add_arithmetic<float>(all, "f32");
  add_arithmetic<double>(all, "f64");
  add_comparisons<float>(all, "f32");
  add_comparisons<double>(all, "f64");
  add_conversions(all);
  all["rcp.rn.f64"] = of_one<double, double>([](double a) { return 1 / a; });
  all["sqrt.rn.f64"] = of_one<double, double>([](double a) { return std::sqrt(a); });
  all["rcp.approx.ftz.f64"] = of_one<double, double>([](double a) { return rcp_approx_ftz(a); });
  all["ex2.approx.ftz.f32"] = of_one<float, float>([](float a) { return ex2_approx_ftz(a); });
  all["min.f64"] = of_two<double, double, double>([](double a, double b) { return least(a, b); });
  all["max.f64"] = of_two<double, double, double>([](double a, double b) { return greatest(a, b); });
}

void fused_difference(Machine& m, const Inst& i, u32 mask) {
  const auto difference = [](double a, double b, double c) { return std::fma(a, b, -c); };
  of_three<double>(difference).fn(m, i, mask);
}

}  // namespace ptx
