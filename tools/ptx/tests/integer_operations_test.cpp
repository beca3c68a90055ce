// Integer arithmetic, PTX ISA 9.7.1: known values, then C++'s arithmetic in a wider type.
#include "operation.h"

namespace ptx::test {
namespace {

using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;
using Wide = __int128;

template <typename T>
bool is_defined(T a, T b) {  // of a quotient
  return b != 0 && (std::is_unsigned_v<T> || a != std::numeric_limits<T>::min() || b != static_cast<T>(-1));
}

// Quotients that PTX leaves undefined are not compared: their divisor is made 1.
template <typename T>
std::vector<std::tuple<T, T, T>> quotients(bool remainders) {
  std::mt19937_64 random(1);
  std::vector<std::tuple<T, T, T>> cases;
  while (cases.size() < 512) {
    const T a = any_value<T>(random), b = any_value<T>(random);
    if (is_defined(a, b)) cases.emplace_back(a, b, static_cast<T>(remainders ? Wide{a} % Wide{b} : Wide{a} / Wide{b}));
  }
  return cases;
}

template <typename T>
void test_type(const std::string& type) {
  using L = std::numeric_limits<T>;
  constexpr int kBits = static_cast<int>(8 * sizeof(T));
  check<T, T, T>("add." + type, {{L::max(), 1, L::min()}, {2, 3, 5}});
  check_against<T, T, T>("add." + type, [](T a, T b) { return Wide{a} + b; });
  check<T, T, T>("sub." + type, {{L::min(), 1, L::max()}, {7, 3, 4}});
  check_against<T, T, T>("sub." + type, [](T a, T b) { return Wide{a} - b; });
  check<T, T, T>("mul.lo." + type, {{T{1} << (kBits / 2), T{1} << (kBits / 2), 0}, {7, 6, 42}});
  check_against<T, T, T>("mul.lo." + type, [](T a, T b) { return static_cast<u64>(a) * static_cast<u64>(b); });
  check<T, T, T, T>("mad.lo." + type, {{3, 4, 5, 17}, {L::max(), 2, 2, 0}});
  check_against<T, T, T, T>(
      "mad.lo." + type, [](T a, T b, T c) { return static_cast<u64>(a) * static_cast<u64>(b) + static_cast<u64>(c); });
  check<T, T, T>("div." + type,
                 {{7, 2, 3}, {static_cast<T>(0 - 7), 2, L::is_signed ? static_cast<T>(-3) : L::max() / 2 - 3}});
  check<T, T, T>("div." + type, quotients<T>(false));
  check<T, T, T>(
      "min." + type,
      {{L::min(), L::max(), L::min()}, {5, 3, 3}, {static_cast<T>(-1), 1, L::is_signed ? static_cast<T>(-1) : T{1}}});
  check<T, T, T>(
      "max." + type,
      {{L::min(), L::max(), L::max()}, {5, 3, 5}, {static_cast<T>(-1), 1, L::is_signed ? T{1} : static_cast<T>(-1)}});
  check_against<T, T, T>("min." + type, [](T a, T b) { return a < b ? a : b; });
  check_against<T, T, T>("max." + type, [](T a, T b) { return a < b ? b : a; });
  // Shifts are clamped to the width: what is shifted in is the sign, or 0.
  const T negative = static_cast<T>(T{1} << (kBits - 1)), filled = L::is_signed ? static_cast<T>(-1) : T{0};
  check<T, T, u32>("shr." + type, {{negative, kBits - 1, L::is_signed ? static_cast<T>(-1) : T{1}},
                                   {negative, kBits, filled},
                                   {negative, ~0u, filled},
                                   {L::max(), 32 + 200, 0},
                                   {64, 3, 8},
                                   {L::max(), 0, L::max()}});
}

template <typename T>
void test_signs(const std::string& type) {
  using L = std::numeric_limits<T>;
  check<T, T>("neg." + type, {{5, -5}, {-7, 7}, {0, 0}, {L::min(), L::min()}});
  check<T, T>("abs." + type, {{5, 5}, {-7, 7}, {0, 0}, {L::min(), L::min()}});
}

void test_wide_products() {
  check<u32, u16, u16>("mul.wide.u16", {{0xffff, 0xffff, 0xfffe0001}, {3, 5, 15}});
  check<s64, s32, s32>("mul.wide.s32", {{-3, 5, -15}, {INT32_MIN, INT32_MIN, s64{1} << 62}, {INT32_MIN, 1, INT32_MIN}});
  check<u64, u32, u32>("mul.wide.u32", {{~0u, ~0u, 0xfffffffe00000001}, {1u << 31, 2, u64{1} << 32}});
  check<u32, u32, u32>("mul.hi.u32", {{~0u, ~0u, 0xfffffffe}, {1u << 31, 2, 1}, {0xffff, 0xffff, 0}});
  check<u64, u64, u64>("mul.hi.u64", {{~u64{0}, ~u64{0}, ~u64{1}}, {u64{1} << 63, 6, 3}, {~0u, ~0u, 0}});
}

}  // namespace

void test_integers() {
  test_type<s16>("s16");
  test_type<u16>("u16");
  test_type<s32>("s32");
  test_type<u32>("u32");
  test_type<s64>("s64");
  test_type<u64>("u64");
  test_signs<s16>("s16");
  test_signs<s32>("s32");
  test_signs<s64>("s64");
  check<u16, u16, u16>("rem.u16", quotients<u16>(true));
  check<u32, u32, u32>("rem.u32", quotients<u32>(true));
  check<u64, u64, u64>("rem.u64", quotients<u64>(true));
  test_wide_products();
}

}  // namespace ptx::test
