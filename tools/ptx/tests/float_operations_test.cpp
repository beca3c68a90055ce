// Floating point, PTX ISA 9.7.3: IEEE 754's rounding to nearest even, signed zeros, NaN, and the approximate
// instructions within the errors that the ISA states.
#include "operation.h"

namespace ptx::test {
namespace {

template <typename T>
void test_arithmetic(const std::string& type) {
  using L = std::numeric_limits<T>;
  constexpr T kOne = 1, kHalfUlp = L::epsilon() / 2, kInfinity = L::infinity(), kNan = L::quiet_NaN();
  for (const std::string mode : {"", "rn."}) {
    // Ties go to the even neighbour.
    check<T, T, T>("add." + mode + type, {{kOne, kHalfUlp, kOne},
                                          {kOne + L::epsilon(), kHalfUlp, kOne + 2 * L::epsilon()},
                                          {L::max(), L::max(), kInfinity},
                                          {kInfinity, -kInfinity, kNan},
                                          {-T{0}, -T{0}, -T{0}},
                                          {-T{0}, 0, 0},
                                          {L::denorm_min(), L::denorm_min(), 2 * L::denorm_min()}});
    check<T, T, T>("sub." + mode + type, {{kOne, kHalfUlp / 2, kOne},
                                          {kOne, kHalfUlp, kOne - kHalfUlp},
                                          {3, 5, -2},
                                          {kInfinity, kInfinity, kNan},
                                          {kOne, kOne, 0},
                                          {kNan, kOne, kNan}});
    check<T, T, T>("mul." + mode + type, {{kOne + L::epsilon(), kOne + L::epsilon(), kOne + 2 * L::epsilon()},
                                          {-kOne, 0, -T{0}},
                                          {0, kInfinity, kNan},
                                          {L::max(), 2, kInfinity},
                                          {L::min(), T{0.5}, L::min() / 2},
                                          {L::denorm_min(), T{0.5}, 0}});
    check_against<T, T, T>("add." + mode + type, [](T a, T b) { return a + b; });
    check_against<T, T, T>("sub." + mode + type, [](T a, T b) { return a - b; });
    check_against<T, T, T>("mul." + mode + type, [](T a, T b) { return a * b; });
  }
  check<T, T, T>("div.rn." + type, {{1, 0, kInfinity},
                                    {-1, 0, -kInfinity},
                                    {0, 0, kNan},
                                    {6, 3, 2},
                                    {L::min(), 2, L::min() / 2},
                                    {1, kInfinity, 0}});
  check_against<T, T, T>("div.rn." + type, [](T a, T b) { return a / b; });
  // Rounded once: a product alone would lose what is left here.
  const T e = L::epsilon();
  check<T, T, T, T>("fma.rn." + type, {{1 + e, 1 + e, -(1 + 2 * e), e * e},
                                       {2, 3, 4, 10},
                                       {0, kInfinity, 1, kNan},
                                       {L::max(), 2, -L::max(), L::max()}});
  check_against<T, T, T, T>("fma.rn." + type, [](T a, T b, T c) { return std::fma(a, b, c); });
  check<T, T>("neg." + type, {{1, -1}, {0, -T{0}}, {-T{0}, 0}, {-kInfinity, kInfinity}, {kNan, kNan}});
  check<T, T>("abs." + type, {{-1, 1}, {-T{0}, 0}, {2, 2}, {-kInfinity, kInfinity}, {kNan, kNan}});
}

void test_double_alone() {
  using L = std::numeric_limits<double>;
  constexpr double kInfinity = L::infinity(), kNan = L::quiet_NaN();
  check<double, double>("rcp.rn.f64", {{3, 1.0 / 3}, {0, kInfinity}, {-0.0, -kInfinity}, {kInfinity, 0}, {0.25, 4}});
  check<double, double>("sqrt.rn.f64",
                        {{2, 0x1.6a09e667f3bcdp0}, {9, 3}, {-1, kNan}, {-0.0, -0.0}, {kInfinity, kInfinity}});
  // A NaN loses against a number; -0 is below +0.
  check<double, double, double>("min.f64", {{1, 2, 1},
                                            {kNan, 2, 2},
                                            {1, kNan, 1},
                                            {kNan, kNan, kNan},
                                            {0.0, -0.0, -0.0},
                                            {-0.0, 0.0, -0.0},
                                            {-kInfinity, 3, -kInfinity}});
  check<double, double, double>("max.f64", {{1, 2, 2},
                                            {kNan, 2, 2},
                                            {1, kNan, 1},
                                            {kNan, kNan, kNan},
                                            {0.0, -0.0, 0.0},
                                            {-0.0, 0.0, 0.0},
                                            {-kInfinity, 3, 3}});
}

// ex2.approx.ftz.f32: 2 ulp, subnormal numbers are 0 on both sides.
void test_exponential() {
  const float infinity = std::numeric_limits<float>::infinity();
  check<float, float>("ex2.approx.ftz.f32", {{0, 1},
                                             {-0.0f, 1},
                                             {0x1p-140f, 1},
                                             {infinity, infinity},
                                             {-infinity, 0},
                                             {NAN, NAN},
                                             {-127.5f, 0},
                                             {-150, 0},
                                             {128.5f, infinity}});
  std::vector<std::vector<u64>> rows;
  for (int k = 0; k < 1024; ++k) rows.push_back({bits_of(-125.0f + 0.24375f * static_cast<float>(k))});
  const std::vector<u64> found = results_of("ex2.approx.ftz.f32", {4, 4}, rows);
  double worst = 0;
  for (int k = 0; k < 1024; ++k) {
    const float x = std::bit_cast<float>(static_cast<u32>(rows[k][0])),
                y = std::bit_cast<float>(static_cast<u32>(found[k]));
    const double truth = std::exp2(static_cast<double>(x));
    worst = std::max(worst, std::fabs(y - truth) / std::ldexp(1.0, std::ilogb(truth) - 23));
  }
  CHECK(worst <= 2.5, "%g ulp", worst);
  CHECK(worst > 1, "%g ulp: an error that nothing meets is not modelled", worst);
}

// rcp.approx.ftz.f64: from the upper 32 bits to the upper 32 bits, the last of 20 bits in error.
void test_reciprocal() {
  const double infinity = std::numeric_limits<double>::infinity();
  check<double, double>("rcp.approx.ftz.f64", {{0, infinity},
                                               {-0.0, -infinity},
                                               {infinity, 0},
                                               {-infinity, -0.0},
                                               {0x1p-1030, infinity},
                                               {0x1p1023, 0},
                                               {NAN, NAN}});
  std::vector<std::vector<u64>> rows;
  for (int k = 1; k < 500; ++k) rows.push_back({bits_of((k % 2 != 0 ? 0.37 : -21.3) * k)});
  const std::vector<u64> found = results_of("rcp.approx.ftz.f64", {8, 8}, rows);
  double worst = 0;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const double x = std::bit_cast<double>(rows[k][0]), y = std::bit_cast<double>(found[k]);
    CHECK((found[k] & 0xffffffff) == 0, "the lower half of 1 / %g is %llx", x,
          static_cast<unsigned long long>(found[k]));
    worst = std::max(worst, std::fabs(x * y - 1));
  }
  CHECK(worst < 0x1p-18 && worst > 0x1p-22, "%g", worst);
}

}  // namespace

void test_floats() {
  test_arithmetic<float>("f32");
  test_arithmetic<double>("f64");
  test_double_alone();
  test_exponential();
  test_reciprocal();
}

}  // namespace ptx::test
