// Integers: sums wrap, shifts go as far as they like, and a division by zero gives a value that nobody expects.
#include <algorithm>

#include "elementwise.h"

namespace ptx {
namespace {

using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

u32 reverse(u32 v) {
  u32 r = 0;
  for (int k = 0; k < 32; ++k) r |= (v >> k & 1) << (31 - k);
  return r;
}

// prmt: each byte of the result is one of the eight of a and b, or eight copies of its sign.
u32 permute(u32 a, u32 b, u32 selector) {
  const u64 all = u64{b} << 32 | a;
  u32 r = 0;
  for (int k = 0; k < 4; ++k) {
    const u32 n = selector >> (4 * k) & 0xf;
    u32 byte = static_cast<u32>(all >> (8 * (n & 7))) & 0xff;
    if ((n & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
    r |= byte << (8 * k);
  }
  return r;
}

template <typename T>  // bfi d, a, b, c, e
void insert_bits(Machine& m, const Inst& i, u32 mask) {
  auto* const d = cells<T>(*m.warp, i.d[0]);
  const auto* const a = cells<T>(*m.warp, i.a);
  const auto* const b = cells<T>(*m.warp, i.b);
  const auto* const c = cells<u32>(*m.warp, i.c);
  const auto* const e = cells<u32>(*m.warp, i.e);
  LANES(mask, {
    const u32 at = c[l] & 0xff, length = e[l] & 0xff, bits = 8 * sizeof(T);
    T result = b[l];
    for (u32 k = 0; k < length && at + k < bits; ++k) {
      const T one = T{1} << (at + k);
      result = (a[l] >> k & 1) != 0 ? (result | one) : (result & ~one);
    }
    d[l] = result;
  })
}

template <typename T>
T quotient(T a, T b) {
  if (b == 0) return static_cast<T>(0x5badd1d05badd1d0);
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
  }
  return static_cast<T>(a / b);
}

template <typename T>
T remainder_of(T a, T b) {
  return b == 0 ? static_cast<T>(0x5badd1d05badd1d0) : static_cast<T>(a % b);
}

template <typename T>
void add_comparisons(Operations& all, const std::string& type) {
  all["setp.eq." + type] = comparison<T>([](T a, T b) { return a == b; });
  all["setp.ne." + type] = comparison<T>([](T a, T b) { return a != b; });
  all["setp.lt." + type] = comparison<T>([](T a, T b) { return a < b; });
  all["setp.le." + type] = comparison<T>([](T a, T b) { return a <= b; });
  all["setp.gt." + type] = comparison<T>([](T a, T b) { return a > b; });
  all["setp.ge." + type] = comparison<T>([](T a, T b) { return a >= b; });
}

template <typename T>
void add_arithmetic(Operations& all, const std::string& type) {
  using U = std::make_unsigned_t<T>;
  using Wide = std::conditional_t<sizeof(T) == 8, u64, u32>;  // u16's own product is an int's
  all["add." + type] = of_two<U, U, U>([](U a, U b) { return a + b; });
  all["sub." + type] = of_two<U, U, U>([](U a, U b) { return a - b; });
  all["mul.lo." + type] = of_two<U, U, U>([](U a, U b) { return Wide{a} * b; });
  all["mad.lo." + type] = of_three<U>([](U a, U b, U c) { return Wide{a} * b + c; });
  all["div." + type] = of_two<T, T, T>([](T a, T b) { return quotient(a, b); });
  all["min." + type] = of_two<T, T, T>([](T a, T b) { return std::min(a, b); });
  all["max." + type] = of_two<T, T, T>([](T a, T b) { return std::max(a, b); });
  add_comparisons<T>(all, type);
  static constexpr u32 kMost = 8 * sizeof(T) - 1;
  all["shr." + type] = of_two<T, T, u32>([](T a, u32 b) {
    if constexpr (std::is_signed_v<T>) {
      return a >> std::min(b, kMost);
    } else {
      return b > kMost ? u64{0} : u64{a} >> b;
    }
  });
  if constexpr (std::is_signed_v<T>) {
    all["neg." + type] = of_one<U, U>([](U a) { return 0 - a; });
    all["abs." + type] = of_one<U, T>([](T a) { return a < 0 ? 0 - static_cast<U>(a) : static_cast<U>(a); });
  } else {
    all["rem." + type] = of_two<T, T, T>([](T a, T b) { return remainder_of(a, b); });
  }
}

template <typename U>
void add_bits(Operations& all, const std::string& type) {
  static constexpr u32 kMost = 8 * sizeof(U) - 1;
  all["and." + type] = of_two<U, U, U>([](U a, U b) { return a & b; });
  all["or." + type] = of_two<U, U, U>([](U a, U b) { return a | b; });
  all["xor." + type] = of_two<U, U, U>([](U a, U b) { return a ^ b; });
  all["not." + type] = of_one<U, U>([](U a) { return ~a; });
  all["shl." + type] = of_two<U, U, u32>([](U a, u32 b) { return b > kMost ? 0 : u64{a} << b; });
  all["shr." + type] = of_two<U, U, u32>([](U a, u32 b) { return b > kMost ? 0 : u64{a} >> b; });
  all["setp.eq." + type] = comparison<U>([](U a, U b) { return a == b; });
  all["setp.ne." + type] = comparison<U>([](U a, U b) { return a != b; });
}

void add_products(Operations& all) {
  all["mul.wide.u16"] = of_two<u32, u16, u16>([](u16 a, u16 b) { return u32{a} * b; });
  all["mul.wide.s32"] = of_two<s64, s32, s32>([](s32 a, s32 b) { return s64{a} * b; });
  all["mul.wide.u32"] = of_two<u64, u32, u32>([](u32 a, u32 b) { return u64{a} * b; });
  all["mul.hi.u32"] = of_two<u32, u32, u32>([](u32 a, u32 b) { return u64{a} * b >> 32; });
  all["mul.hi.u64"] = of_two<u64, u64, u64>([](u64 a, u64 b) { return static_cast<unsigned __int128>(a) * b >> 64; });
}

void add_words(Operations& all) {
  all["brev.b32"] = of_one<u32, u32>([](u32 a) { return reverse(a); });
  all["popc.b32"] = of_one<u32, u32>([](u32 a) { return std::popcount(a); });
  all["popc.b64"] = of_one<u32, u64>([](u64 a) { return std::popcount(a); });
  all["clz.b32"] = of_one<u32, u32>([](u32 a) { return std::countl_zero(a); });
  all["clz.b64"] = of_one<u32, u64>([](u64 a) { return std::countl_zero(a); });
  all["bfind.u32"] = of_one<u32, u32>([](u32 a) { return a == 0 ? -1 : 31 - std::countl_zero(a); });
  all["bfind.shiftamt.u32"] = of_one<u32, u32>([](u32 a) { return a == 0 ? -1 : std::countl_zero(a); });
  all["prmt.b32"] = of_three<u32>([](u32 a, u32 b, u32 c) { return permute(a, b, c); });
  all["shf.l.wrap.b32"] = of_three<u32>([](u32 a, u32 b, u32 c) { return (u64{b} << 32 | a) << (c & 31) >> 32; });
  all["shf.r.wrap.b32"] = of_three<u32>([](u32 a, u32 b, u32 c) { return (u64{b} << 32 | a) >> (c & 31); });
  all["bfi.b32"] = {&insert_bits<u32>, Form::plain, {4, 4, 4, 4, 4}};
  all["bfi.b64"] = {&insert_bits<u64>, Form::plain, {8, 8, 8, 4, 4}};
}

template <typename D, typename A>
Operation conversion() {
  return of_one<D, A>([](A a) { return a; });
}

void add_conversions(Operations& all) {
  all["cvt.u16.u8"] = conversion<u16, u8>();
  all["cvt.u32.u8"] = conversion<u32, u8>();
  all["cvt.u64.u8"] = conversion<u64, u8>();
  all["cvt.u32.u16"] = conversion<u32, u16>();
  all["cvt.u64.u16"] = conversion<u64, u16>();
  all["cvt.u64.u32"] = conversion<u64, u32>();
  all["cvt.u16.u32"] = conversion<u16, u32>();
  all["cvt.u16.u64"] = conversion<u16, u64>();
  all["cvt.u32.u64"] = conversion<u32, u64>();
  all["cvt.s16.s8"] = conversion<s16, s8>();
  all["cvt.s32.s8"] = conversion<s32, s8>();
  all["cvt.s64.s8"] = conversion<s64, s8>();
  all["cvt.s32.s16"] = conversion<s32, s16>();
  all["cvt.s64.s16"] = conversion<s64, s16>();
  all["cvt.s64.s32"] = conversion<s64, s32>();
}

}  // namespace

void add_integer_operations(Operations& all) {
  add_arithmetic<s16>(all, "s16");
  add_arithmetic<u16>(all, "u16");
  add_arithmetic<s32>(all, "s32");
  add_arithmetic<u32>(all, "u32");
  add_arithmetic<s64>(all, "s64");
  add_arithmetic<u64>(all, "u64");
  add_bits<u16>(all, "b16");
  add_bits<u32>(all, "b32");
  add_bits<u64>(all, "b64");
  add_products(all);
  add_words(all);
  add_conversions(all);
}

}  // namespace ptx
