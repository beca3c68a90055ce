// Products fused into sums, as ptxas may: those without .rn, and no others.
#include <bit>
#include <cmath>

#include "program.h"

namespace ptx::test {
namespace {

// a b + c and what follows it, where one rounding and two differ.
void test_double(const std::string& product, const std::string& sum, bool fused) {
  const double a = 1 + 0x1p-30, c = -(1 + 0x1p-29), b = product.find("sub") != std::string::npos ? -a : a;
  const std::string body = "ld.global.f64 %g1, [%in]; ld.global.f64 %g2, [%in+8]; ld.global.f64 %g3, [%in+16]; " +
                           product + ".f64 %g4, %g1, %g2; " + sum + "; st.global.f64 [%mine], %g5;";
  const double sign = sum.find("sub") != std::string::npos ? -1 : 1;
  const double expected = fused ? std::fma(a, b, c) : a * b + c;
  check_run(sum.c_str(), body, {std::bit_cast<u64>(a), std::bit_cast<u64>(b), std::bit_cast<u64>(sign * c)},
            {std::bit_cast<u64>(expected)}, 8);
}

void test_float() {
  const float a = 1 + 0x1p-13f, c = -(1 + 0x1p-12f);
  check_run("f32",
            "ld.global.f32 %f1, [%in]; ld.global.f32 %f2, [%in+8]; mul.f32 %f3, %f1, %f1; add.f32 %f4, %f2, %f3; "
            "st.global.f32 [%mine], %f4;",
            {std::bit_cast<u32>(a), std::bit_cast<u32>(c)}, {std::bit_cast<u32>(std::fma(a, a, c))});
}

void run_all() {
  test_double("mul", "add.f64 %g5, %g4, %g3", true);
  test_double("mul", "add.f64 %g5, %g3, %g4", true);
  test_double("mul", "sub.f64 %g5, %g4, %g3", true);
  test_double("mul.rn", "add.f64 %g5, %g4, %g3", false);
  test_double("mul", "add.rn.f64 %g5, %g4, %g3", false);
  test_double("mul", "mov.f64 %g1, %g3; add.f64 %g5, %g4, %g3", false);  // a factor is gone
  test_double("mul", "bra next; next: add.f64 %g5, %g4, %g3", false);    // another stretch
  test_float();
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
