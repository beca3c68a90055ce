// cvt, PTX ISA 9.7.9: widening by zeros or the sign, cutting off, rounding, saturation of what leaves an integer's
// range.
#include "operation.h"

namespace ptx::test {
namespace {

using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

template <typename D, typename A>
void test_integer(const std::string& op) {
  check_against<D, A>(op, [](A a) { return a; });
}

void test_integers_to_integers() {
  check<u16, u8>("cvt.u16.u8", {{0xff, 0xff}, {0x80, 0x80}});
  check<u32, u8>("cvt.u32.u8", {{0xff, 0xff}, {0x80, 0x80}});
  check<u64, u8>("cvt.u64.u8", {{0xff, 0xff}, {0x80, 0x80}});
  check<u32, u16>("cvt.u32.u16", {{0xffff, 0xffff}, {3, 3}});
  check<u64, u16>("cvt.u64.u16", {{0xffff, 0xffff}, {3, 3}});
  check<u64, u32>("cvt.u64.u32", {{~0u, ~0u}, {3, 3}});
  check<u16, u32>("cvt.u16.u32", {{0x12345678, 0x5678}, {~0u, 0xffff}});
  check<u16, u64>("cvt.u16.u64", {{0x123456789abcdef0, 0xdef0}});
  check<u32, u64>("cvt.u32.u64", {{0x123456789abcdef0, 0x9abcdef0}});
  check<s16, s8>("cvt.s16.s8", {{-1, -1}, {-128, -128}, {127, 127}});
  check<s32, s8>("cvt.s32.s8", {{-1, -1}, {-128, -128}, {127, 127}});
  check<s64, s8>("cvt.s64.s8", {{-1, -1}, {-128, -128}, {127, 127}});
  check<s32, s16>("cvt.s32.s16", {{-1, -1}, {INT16_MIN, INT16_MIN}, {INT16_MAX, INT16_MAX}});
  check<s64, s16>("cvt.s64.s16", {{-1, -1}, {INT16_MIN, INT16_MIN}, {INT16_MAX, INT16_MAX}});
  check<s64, s32>("cvt.s64.s32", {{-1, -1}, {INT32_MIN, INT32_MIN}, {INT32_MAX, INT32_MAX}});
}

void test_floats_to_floats() {
  check<double, float>("cvt.f64.f32", {{1.5f, 1.5}, {0x1p-149f, 0x1p-149}, {-INFINITY, -INFINITY}, {NAN, NAN}});
  check<float, double>("cvt.rn.f32.f64", {{1 + 0x1p-24, 1},
                                          {1 + 0x3p-24, 1 + 0x1p-22f},
                                          {1 + 0x1.001p-24, 1 + 0x1p-23f},
                                          {1e300, INFINITY},
                                          {0x1p-149, 0x1p-149f},
                                          {0x1p-150, 0},
                                          {-0.0, -0.0f}});
  check<double, double>("cvt.rni.f64.f64", {{2.5, 2}, {3.5, 4}, {-2.5, -2}, {0.49, 0}, {-0.3, -0.0}, {0x1p60, 0x1p60}});
  check<double, double>("cvt.rmi.f64.f64", {{2.9, 2}, {-2.1, -3}, {-0.0, -0.0}, {INFINITY, INFINITY}});
  check<double, double>("cvt.rzi.f64.f64", {{2.9, 2}, {-2.9, -2}, {-0.9, -0.0}, {NAN, NAN}});
}

void test_floats_to_integers() {
  check<s32, double>("cvt.rzi.s32.f64", {{2.9, 2},
                                         {-2.9, -2},
                                         {0x1p31, INT32_MAX},
                                         {-0x1p31 - 1, INT32_MIN},
                                         {INFINITY, INT32_MAX},
                                         {-INFINITY, INT32_MIN},
                                         {0x1p31 - 1, INT32_MAX}});
  check<s64, double>(
      "cvt.rzi.s64.f64",
      {{2.9, 2}, {-2.9, -2}, {0x1p63, INT64_MAX}, {-0x1p64, INT64_MIN}, {NAN, INT64_MIN}, {0x1p62, s64{1} << 62}});
  check<s64, double>("cvt.rni.s64.f64",
                     {{2.5, 2}, {3.5, 4}, {-2.5, -2}, {-3.51, -4}, {0x1p63, INT64_MAX}, {NAN, INT64_MIN}});
}

void test_integers_to_floats() {
  check<double, u16>("cvt.rn.f64.u16", {{0xffff, 65535}});
  check<double, u32>("cvt.rn.f64.u32", {{~0u, 4294967295.0}});
  check<double, s32>("cvt.rn.f64.s32", {{-1, -1}, {INT32_MIN, -0x1p31}});
  check<double, u64>("cvt.rn.f64.u64",
                     {{~u64{0}, 0x1p64}, {(u64{1} << 53) + 1, 0x1p53}, {(u64{1} << 53) + 3, 0x1p53 + 4}});
  check<double, s64>("cvt.rn.f64.s64", {{-1, -1}, {INT64_MIN, -0x1p63}, {-(s64{1} << 53) - 1, -0x1p53}});
  check<float, s32>("cvt.rn.f32.s32",
                    {{-1, -1}, {(1 << 24) + 1, 0x1p24f}, {(1 << 24) + 3, 0x1p24f + 4}, {INT32_MAX, 0x1p31f}});
}

}  // namespace

void test_conversions() {
  test_integers_to_integers();
  test_floats_to_floats();
  test_floats_to_integers();
  test_integers_to_floats();
  test_integer<u16, u8>("cvt.u16.u8");
  test_integer<u32, u64>("cvt.u32.u64");
  test_integer<s32, s8>("cvt.s32.s8");
  test_integer<s64, s16>("cvt.s64.s16");
}

}  // namespace ptx::test
