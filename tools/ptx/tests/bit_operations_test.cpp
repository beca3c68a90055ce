// Bits of words, PTX ISA 9.7.1 and 9.7.8: logic, shifts, fields, bytes.
#include "operation.h"

namespace ptx::test {
namespace {

template <typename U>
void test_logic(const std::string& type) {
  constexpr u32 kBits = 8 * sizeof(U);
  constexpr U kOne = 1, kAll = static_cast<U>(~U{0}), kTop = static_cast<U>(kOne << (kBits - 1));
  check<U, U, U>("and." + type, {{0b1100, 0b1010, 0b1000}, {kAll, kTop, kTop}});
  check<U, U, U>("or." + type, {{0b1100, 0b1010, 0b1110}, {0, kTop, kTop}});
  check<U, U, U>("xor." + type, {{0b1100, 0b1010, 0b0110}, {kAll, kAll, 0}});
  check<U, U>("not." + type, {{0, kAll}, {kAll, 0}, {kTop, static_cast<U>(kTop - 1)}});
  check<U, U, u32>("shl." + type, {{1, kBits - 1, kTop},
                                   {1, kBits, 0},
                                   {kAll, ~0u, 0},
                                   {kAll, 1, static_cast<U>(kAll - 1)},
                                   {3, 0, 3},
                                   {kAll, 64, 0}});
  check<U, U, u32>("shr." + type, {{kTop, kBits - 1, 1},
                                   {kTop, kBits, 0},
                                   {kAll, ~0u, 0},
                                   {kAll, 1, static_cast<U>(kTop - 1)},
                                   {3, 0, 3},
                                   {kAll, 64, 0}});
}

// bfi by the ISA's own loop: bits [0, length) of a over those of b from `at` on.
template <typename U>
U inserted(U a, U b, u32 c, u32 d) {
  const u32 at = c % 256, length = d % 256;
  for (u32 i = 0; i < length && at + i < 8 * sizeof(U); ++i) {
    const U bit = static_cast<U>(a >> i & 1);
    b = static_cast<U>((b & ~(U{1} << (at + i))) | bit << (at + i));
  }
  return b;
}

template <typename U>
void test_insertion(const std::string& op) {
  std::vector<std::tuple<U, U, u32, u32, U>> cases = {{0x5, ~U{0}, 4, 4, ~U{0} - 0xa0},
                                                      {~U{0}, 0, 0, 3, 7},
                                                      {~U{0}, 0, 8 * sizeof(U) - 1, 9, U{1} << (8 * sizeof(U) - 1)},
                                                      {~U{0}, 5, 200, 3, 5},
                                                      {~U{0}, 5, 3, 0, 5},
                                                      {1, 0, 0x102, 0x101, 4}};
  std::mt19937_64 random(2);
  for (int k = 0; k < 250; ++k) {
    const U a = static_cast<U>(random()), b = static_cast<U>(random());
    const u32 at = static_cast<u32>(random() % 70), length = static_cast<u32>(random() % 70);
    cases.emplace_back(a, b, at, length, inserted(a, b, at, length));
  }
  check<U, U, U, u32, u32>(op, cases);
}

void test_counts() {
  check<u32, u32>("popc.b32", {{0, 0}, {~0u, 32}, {0x80000001, 2}, {0x0f0f, 8}});
  check<u32, u64>("popc.b64", {{0, 0}, {~u64{0}, 64}, {0x8000000000000001, 2}, {u64{0xf} << 40, 4}});
  check<u32, u32>("clz.b32", {{0, 32}, {1, 31}, {1u << 31, 0}, {0x00ffffff, 8}});
  check<u32, u64>("clz.b64", {{0, 64}, {1, 63}, {u64{1} << 63, 0}, {u64{1} << 32, 31}});
  check<u32, u32>("brev.b32", {{1, 1u << 31}, {0x0000ffff, 0xffff0000}, {0x12345678, 0x1e6a2c48}});
  check<u32, u32>("bfind.u32", {{0, ~0u}, {1, 0}, {1u << 31, 31}, {0xfff, 11}});
  check<u32, u32>("bfind.shiftamt.u32", {{0, ~0u}, {1, 31}, {1u << 31, 0}, {0xfff, 20}});
}

// Bytes are numbered from 0 in a to 7 in b; bit 3 of a selector takes eight copies of the byte's sign.
void test_bytes() {
  check<u32, u32, u32, u32>("prmt.b32", {{0x33221100, 0x77665544, 0x3210, 0x33221100},
                                         {0x33221100, 0x77665544, 0x7654, 0x77665544},
                                         {0x33221100, 0x77665544, 0x0246, 0x00224466},
                                         {0x807f00ff, 0xff7f80fe, 0xba98, 0xff0000ff},
                                         {0x807f00ff, 0xff7f80fe, 0xfedc, 0xff00ffff},
                                         {0x12345678, 0x9abcdef0, 0xffff4444, 0xf0f0f0f0}});
}

// A funnel of b above a; the shift is taken modulo 32.
void test_funnels() {
  check<u32, u32, u32, u32>("shf.l.wrap.b32", {{0x80000000, 0x1, 1, 0x3},
                                               {0xabcdef01, 0x23456789, 8, 0x456789ab},
                                               {5, 6, 0, 6},
                                               {5, 6, 32, 6},
                                               {0x80000000, 0, 33, 1}});
  check<u32, u32, u32, u32>("shf.r.wrap.b32", {{0x3, 0x1, 1, 0x80000001},
                                               {0xabcdef01, 0x23456789, 8, 0x89abcdef},
                                               {5, 6, 0, 5},
                                               {5, 6, 32, 5},
                                               {0, 1, 33, 0x80000000}});
}

}  // namespace

void test_bits() {
  test_logic<u16>("b16");
  test_logic<u32>("b32");
  test_logic<u64>("b64");
  test_insertion<u32>("bfi.b32");
  test_insertion<u64>("bfi.b64");
  test_counts();
  test_bytes();
  test_funnels();
}

}  // namespace ptx::test
