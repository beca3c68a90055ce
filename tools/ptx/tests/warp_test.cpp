// Operations of the lanes of a warp together, PTX ISA 9.7.8.6 and 9.7.13: shuffles, votes, matches, reductions,
// products.
#include <bit>
#include <random>

#include "program.h"

namespace ptx::test {
namespace {

// The ISA's pseudo code of shfl; the value a lane gets, and bit 32 where its source is in bounds.
u64 shuffled(const std::string& mode, u32 lane, u32 b, u32 c, const std::vector<u64>& values) {
  const int bval = static_cast<int>(b & 31), cval = static_cast<int>(c & 31), mask = static_cast<int>(c >> 8 & 31);
  const int max = (static_cast<int>(lane) & mask) | (cval & ~mask), min = static_cast<int>(lane) & mask;
  int j;
  bool pval;
  if (mode == "up") {
    j = static_cast<int>(lane) - bval;
    pval = j >= max;
  } else if (mode == "down") {
    j = static_cast<int>(lane) + bval;
    pval = j <= max;
  } else if (mode == "bfly") {
    j = static_cast<int>(lane) ^ bval;
    pval = j <= max;
  } else {
    j = min | (bval & ~mask);
    pval = j <= max;
  }
  if (!pval) j = static_cast<int>(lane);
  return values[static_cast<std::size_t>(j)] | static_cast<u64>(pval) << 32;
}

void test_shuffles() {
  std::vector<u64> in;
  for (u64 k = 0; k < 32; ++k) in.push_back(k * k + 3);
  for (const std::string mode : {"up", "down", "bfly", "idx"}) {
    for (const u32 b : {0, 1, 3, 16, 31}) {
      for (const u32 segment : {0, 16, 24, 30}) {  // of 32, 16, 8 and 2 lanes
        const u32 c = segment << 8 | (mode == "up" ? 0 : 31);
        std::vector<u64> expected;
        for (u32 lane = 0; lane < 32; ++lane) expected.push_back(shuffled(mode, lane, b, c, in));
        const std::string body =
            "ld.global.u32 %r1, [%given]; shfl.sync." + mode + ".b32 %r2|%p1, %r1, " + std::to_string(b) + ", " +
            std::to_string(c) +
            ", 0xffffffff; selp.u32 %r3, 1, 0, %p1; mov.b64 %d1, {%r2, %r3}; st.global.u64 [%mine], %d1;";
        check_run(body.c_str(), body, in, expected, 8);
      }
    }
  }
  check_run("each lane its own source, in place", R"(
    sub.u32 %r2, 31, %t;
    ld.global.u32 %r1, [%given];
    shfl.sync.idx.b32 %r1, %r1, %r2, 31, 0xffffffff;
    st.global.u32 [%mine], %r1;)",
            in, {31 * 31 + 3, 30 * 30 + 3, 29 * 29 + 3});
}

// Some lanes by themselves.
void test_members() {
  check_run("the first 8 lanes", R"(
    setp.lt.u32 %p1, %t, 8;
    @!%p1 bra done;
    shfl.sync.bfly.b32 %r1, %t, 7, 31, 0xff;
    st.global.u32 [%mine], %r1;
  done:)",
            {}, {7, 6, 5, 4, 3, 2, 1, 0, kUntouched});
}

void test_votes() {
  check_run("ballot", R"(
    and.b32 %r1, %t, 5;
    setp.eq.u32 %p1, %r1, 5;
    vote.sync.ballot.b32 %r2, %p1, 0xffffffff;
    vote.sync.ballot.b32 %r3, !%p1, 0xffffffff;
    mov.b64 %d1, {%r2, %r3};
    st.global.u64 [%mine], %d1;)",
            {}, std::vector<u64>(32, 0x5f5f5f5fa0a0a0a0), 8);
  check_run("ballot from two places", R"(
    setp.lt.u32 %p1, %t, 10;
    setp.lt.u32 %p2, %t, 6;
    @%p1 bra low;
    vote.sync.ballot.b32 %r1, %p1, 0xffffffff;
    bra done;
  low:
    vote.sync.ballot.b32 %r1, %p2, 0xffffffff;
  done:
    st.global.u32 [%mine], %r1;)",
            {}, std::vector<u64>(32, 0x3f));
}

void test_matches() {
  std::vector<u64> in, expected;
  for (u64 k = 0; k < 32; ++k) in.push_back(k % 3 == 0 ? 77 : k % 2);
  for (u64 k = 0; k < 32; ++k) {
    u64 same = 0;
    for (u64 j = 0; j < 32; ++j) same |= u64{in[j] == in[k]} << j;
    expected.push_back(same);
  }
  check_run("match.any",
            "ld.global.u32 %r1, [%given]; match.any.sync.b32 %r2, %r1, 0xffffffff; st.global.u32 [%mine], %r2;", in,
            expected);
  in[5] = 0xfffffff0, in[9] = 4;
  for (u64& v : in) v += v != 4 ? 5 : 0;
  check_run("redux.min",
            "ld.global.u32 %r1, [%given]; redux.sync.min.u32 %r2, %r1, 0xffffffff; st.global.u32 [%mine], %r2;", in,
            std::vector<u64>(32, 4));
  check_run("redux.min of unsigned numbers by 2 lanes", R"(
    setp.lt.u32 %p1, %t, 2;
    @!%p1 bra done;
    sub.u32 %r1, %t, 1;
    redux.sync.min.u32 %r2, %r1, 3;
    st.global.u32 [%mine], %r2;
  done:)",
            {}, {0, 0, kUntouched});
}

// Fragments as the figures of the ISA's mma have them: lane -> rows and columns.
struct Product {
  std::vector<std::vector<u32>> a, b;  // [16][K], [8][K]
};

std::vector<u64> fragments(const Product& p, u32 bits, const std::vector<u32>& c) {
  const u32 each = 32 / bits;  // elements of a register
  std::vector<u64> in(32 * 10);
  for (u32 lane = 0; lane < 32; ++lane) {
    const u32 group = lane / 4, member = lane % 4;
    for (u32 k = 0; k < each; ++k) {
      const u32 near = member * each + k, far = near + 4 * each;
      in[lane * 10 + 0] |= u64{p.a[group][near]} << (bits * k);
      in[lane * 10 + 1] |= u64{p.a[group + 8][near]} << (bits * k);
      in[lane * 10 + 2] |= u64{p.a[group][far]} << (bits * k);
      in[lane * 10 + 3] |= u64{p.a[group + 8][far]} << (bits * k);
      in[lane * 10 + 4] |= u64{p.b[group][near]} << (bits * k);
      in[lane * 10 + 5] |= u64{p.b[group][far]} << (bits * k);
    }
    for (u32 r = 0; r < 4; ++r) in[lane * 10 + 6 + r] = c[(group + r / 2 * 8) * 8 + member * 2 + r % 2];
  }
  return in;
}

void test_product(const std::string& shape, u32 bits) {
  std::mt19937 random(bits);
  const u32 length = 256 / bits;
  Product p{std::vector(16, std::vector<u32>(length)), std::vector(8, std::vector<u32>(length))};
  for (auto* m : {&p.a, &p.b}) {
    for (auto& row : *m) {
      for (u32& v : row) v = static_cast<u32>(random()) & ((1u << bits) - 1);
    }
  }
  std::vector<u32> c(128);
  for (u32& v : c) v = static_cast<u32>(random() % 1000);
  std::string body =
      "mul.wide.u32 %d1, %t, 80; add.s64 %d2, %in, %d1; mul.wide.u32 %d3, %t, 32; add.s64 %d4, %out, %d3;\n";
  for (int r = 0; r < 10; ++r)
    body += "ld.global.u32 %r" + std::to_string(r) + ", [%d2+" + std::to_string(8 * r) + "];\n";
  body += "mma.sync.aligned." + shape +
          " {%r10, %r11, %r12, %r13}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r6, %r7, %r8, %r9};\n";
  for (int r = 0; r < 4; ++r)
    body += "st.global.u32 [%d4+" + std::to_string(8 * r) + "], %r" + std::to_string(10 + r) + ";\n";
  std::vector<u64> expected(128);
  for (u32 lane = 0; lane < 32; ++lane) {
    for (u32 r = 0; r < 4; ++r) {
      const u32 row = lane / 4 + r / 2 * 8, column = lane % 4 * 2 + r % 2;
      u32 sum = c[row * 8 + column];
      for (u32 k = 0; k < length; ++k) sum += p.a[row][k] * p.b[column][k];
      expected[lane * 4 + r] = sum;
    }
  }
  Setup setup;
  setup.more = 96;
  check_run(shape.c_str(), body, fragments(p, bits, c), expected, 4, setup);
}

void run_all() {
  test_shuffles();
  test_members();
  test_votes();
  test_matches();
  test_product("m16n8k256.row.col.s32.b1.b1.s32.and.popc", 1);
  test_product("m16n8k32.row.col.s32.u8.u8.s32", 8);
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
