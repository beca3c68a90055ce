// Loads, stores and atomics: every width, state space and form of address (PTX ISA 9.7.9 and 9.7.13), calls'
// parameters.
#include <algorithm>

#include "program.h"

namespace ptx::test {
namespace {

constexpr u64 kBytes = 0xf1e2d3c4b5a69788;

void test_widths() {
  const auto load = [](const char* type, const char* to, const char* store, int bytes, u64 expected) {
    const std::string body =
        std::string("ld.global.") + type + " " + to + ", [%given]; st.global." + store + " [%mine], " + to + ";";
    check_run(body.c_str(), body, {kBytes}, {expected}, bytes);
  };
  load("u8", "%h1", "u8", 1, 0x88);
  load("u8", "%h1", "u16", 2, 0x88);
  load("s8", "%h1", "u16", 2, 0xff88);
  load("u8", "%r1", "u32", 4, 0x88);
  load("s8", "%r1", "u32", 4, 0xffffff88);
  load("u8", "%d1", "u64", 8, 0x88);
  load("s8", "%d1", "u64", 8, 0xffffffffffffff88);
  load("u16", "%h1", "u16", 2, 0x9788);
  load("u16", "%r1", "u32", 4, 0x9788);
  load("s16", "%r1", "u32", 4, 0xffff9788);
  load("s16", "%d1", "u64", 8, 0xffffffffffff9788);
  load("b32", "%r1", "b32", 4, 0xb5a69788);
  load("f32", "%f1", "f32", 4, 0xb5a69788);
  load("u32", "%d1", "u64", 8, 0xb5a69788);
  load("s32", "%d1", "u64", 8, 0xffffffffb5a69788);
  load("u64", "%d1", "u64", 8, kBytes);
  load("nc.f64", "%g1", "f64", 8, kBytes);
  load("b64", "%d1", "b8", 1, kBytes);  // stored in part
  load("b64", "%d1", "b16", 2, kBytes);
  load("b64", "%d1", "b32", 4, kBytes);
}

// Lane by lane another address, by register with an offset, and by none but a register.
void test_addresses() {
  std::vector<u64> in;
  for (u64 k = 0; k < 40; ++k) in.push_back(10 + k);
  check_run("[register + offset]", "ld.global.u32 %r1, [%given+16]; st.global.u32 [%mine], %r1;", in, {12, 13, 14, 15});
  check_run("[register + negative offset]",
            "add.s64 %d1, %given, 16; ld.global.u32 %r1, [%d1+-8]; st.global.u32 [%mine], %r1;", in, {11, 12, 13, 14});
  check_run("high half", "ld.global.u32 %r1, [%given+4]; st.global.u32 [%mine], %r1;", {u64{7} << 32}, {7, 0});
}

void test_vectors() {
  check_run("v2.u32",
            "mul.wide.u32 %d1, %t, 8; ld.global.v2.u32 {%r1, %r2}, [%given]; st.global.v2.u32 [%mine], {%r2, %r1};",
            {0x100000002, 0x300000004}, {0x200000001, 0x400000003}, 8);
  check_run("v4.u8", R"(
    ld.global.v4.u8 {%h1, %h2, %h3, %h4}, [%given];
    st.global.v4.u8 [%mine], {%h4, %h3, %h2, %h1};)",
            {0x04030201, 0xfffefdfc}, {0x01020304, 0xfcfdfeff}, 4);
  check_run("v4.u16",
            "ld.global.v4.u16 {%h1, %h2, %h3, %h4}, [%given]; st.global.v4.u16 [%mine], {%h4, %h1, %h2, %h3};",
            {0x0004000300020001}, {0x0003000200010004}, 8);
  const std::string wide = R"(
    mul.wide.u32 %d1, %t, 16;
    add.s64 %d2, %in, %d1;
    add.s64 %d3, %out, %d1;
    ld.global.v2.f64 {%g1, %g2}, [%d2];
    st.global.v2.f64 [%d3], {%g2, %g1};)";
  Setup setup;
  setup.more = 32;
  std::vector<u64> in(64), expected(64);
  for (std::size_t k = 0; k < 64; ++k) in[k] = 1000 + k, expected[k ^ 1] = 1000 + k;
  check_run("v2.f64", wide, in, expected, 8, setup);
  check_run("v4.f32", R"(
    mul.wide.u32 %d1, %t, 16;
    add.s64 %d2, %in, %d1;
    add.s64 %d3, %out, %d1;
    ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%d2];
    st.global.v4.f32 [%d3], {%f3, %f4, %f1, %f2};)",
            in, expected, 8, setup);
}

const char* const kShared =
    ".shared .align 4 .b8 first[6];\n.shared .align 16 .b8 second[512];\n.extern .shared .align 16 .b8 more[];\n";

// Variables lie as aligned as they ask for and apart, the dynamic part behind them.
void test_shared() {
  Setup setup;
  setup.declarations = kShared;
  setup.shared = 256;
  const std::string layout = R"(
    mov.u32 %r1, first;
    mov.u32 %r2, second;
    mov.u32 %r3, more;
    and.b32 %r4, %r1, 3;
    and.b32 %r5, %r2, 15;
    sub.u32 %r6, %r2, %r1;
    setp.ge.u32 %p1, %r6, 6;
    selp.u32 %r7, 0, 16, %p1;
    sub.u32 %r8, %r3, %r2;
    setp.ge.u32 %p2, %r8, 512;
    selp.u32 %r9, 0, 32, %p2;
    or.b32 %r10, %r4, %r5;
    or.b32 %r10, %r10, %r7;
    or.b32 %r10, %r10, %r9;
    st.global.u32 [%mine], %r10;)";
  check_run("layout", layout, {}, {0, 0, 0}, 4, setup);
  // Each lane reads what its neighbour has stored, by symbol, by register and through generic addresses.
  const std::string exchange = R"(
    xor.b32 %r1, %t, 1;
    mul.wide.u32 %d1, %t, 8;
    mul.wide.u32 %d2, %r1, 8;
    mov.u64 %d3, second;
    cvta.shared.u64 %d4, %d3;
    ld.global.u64 %d5, [%given];
    add.s64 %d6, %d3, %d1;
    st.shared.u64 [%d6], %d5;
    bar.warp.sync 0xffffffff;
    add.s64 %d7, %d4, %d2;
    ld.u64 %d8, [%d7];
    bar.warp.sync 0xffffffff;
    st.u64 [%d7], %d8;
    cvta.to.shared.u64 %d9, %d7;
    ld.shared.u64 %d10, [%d9];
    st.global.u64 [%mine], %d10;)";
  check_run("exchange", exchange, {5, 6, 7, 8}, {6, 5, 8, 7}, 8, setup);
  check_run("widths", R"(
    mul.lo.u32 %r1, %t, 8;
    mov.u32 %r2, more;
    add.u32 %r3, %r1, %r2;
    ld.global.u64 %d1, [%given];
    st.shared.u64 [%r3], %d1;
    ld.shared.u8 %r4, [%r3+7];
    ld.shared.s8 %r5, [%r3];
    ld.shared.u16 %r6, [%r3+2];
    st.shared.u8 [%r3+1], %r4;
    ld.shared.u16 %r7, [%r3];
    add.u32 %r8, %r4, %r5;
    add.u32 %r8, %r8, %r6;
    shl.b32 %r7, %r7, 16;
    add.u32 %r8, %r8, %r7;
    st.global.u32 [%mine], %r8;)",
            {kBytes}, {(0xf188u << 16) + 0xf1 + 0xffffff88 + 0xb5a6}, 4, setup);
}

void test_generic_global() {
  check_run("generic addresses of global memory", R"(
    cvta.to.global.u64 %d1, %given;
    cvta.global.u64 %d2, %mine;
    ld.u32 %r1, [%d1];
    ld.global.u32 %r2, [%d1];
    add.u32 %r3, %r1, %r2;
    st.u32 [%d2], %r3;)",
            {1, 2, 3}, {2, 4, 6});
}

void test_parts() {
  check_run("mov of parts", R"(
    ld.global.u64 %d1, [%given];
    mov.b64 {%r1, %r2}, %d1;
    mov.b32 {%h1, %h2}, %r1;
    mov.b32 %r3, {%h2, %h1};
    mov.b64 %d2, {%r2, %r3};
    mov.b64 {_, %r4}, %d2;
    mov.b64 {%h3, %h4, %h5, %h6}, %d1;
    cvt.u32.u16 %r5, %h5;
    mov.b64 %d3, {%r4, %r5};
    st.global.u64 [%mine], %d3;)",
            {kBytes}, {0x0000d3c49788b5a6}, 8);
}

// Every lane gets another value that the place has held: together they are all of them.
void test_atomics() {
  Setup setup;
  setup.more = 1;
  setup.blocks = 2;
  std::vector<u64> found = run(R"(
    add.s64 %d1, %out, 512;
    atom.global.add.u32 %r1, [%d1], 3;
    cvt.u64.u32 %d2, %r1;
    st.global.u64 [%mine], %d2;)",
                               {}, setup);
  CHECK(found[64] == kUntouched + 64 * 3, "%llx", static_cast<unsigned long long>(found[64]));
  std::sort(found.begin(), found.begin() + 64);
  for (u32 k = 0; k < 64; ++k)
    CHECK(found[k] == 0xeeeeeeee + 3 * k, "%u: %llx", k, static_cast<unsigned long long>(found[k]));
  std::vector<u64> in(32, ~u64{0});
  in[3] = u64{9} << 40, in[7] = u64{5} << 40, in[20] = (u64{5} << 40) + 1;
  setup.blocks = 1;
  found = run("add.s64 %d1, %out, 256; ld.global.u64 %d2, [%given]; atom.global.min.u64 %d3, [%d1], %d2;", in, setup);
  CHECK(found[32] == u64{5} << 40, "%llx", static_cast<unsigned long long>(found[32]));
}

void test_shared_atomics() {
  Setup setup;
  setup.declarations = ".shared .align 8 .b8 cell[16];\n";
  check_run("atom.shared", R"(
    mov.u32 %r1, cell;
    mov.u32 %r2, 1000;
    mov.u64 %d1, 0;
    setp.ne.u32 %p1, %t, 0;
    @%p1 bra set;
    st.shared.u32 [%r1], %r2;
    st.shared.u64 [%r1+8], %d1;
  set:
    bar.warp.sync 0xffffffff;
    add.u32 %r4, %t, 7;
    atom.shared.min.u32 %r3, [%r1], %r4;
    cvt.u64.u32 %d2, %t;
    atom.shared.add.u64 %d3, [%r1+8], %d2;
    bar.warp.sync 0xffffffff;
    ld.shared.u32 %r5, [%r1];
    ld.shared.u32 %r6, [%r1+8];
    shl.b32 %r6, %r6, 8;
    or.b32 %r7, %r5, %r6;
    st.global.u32 [%mine], %r7;)",
            {}, std::vector<u64>(32, 496 << 8 | 7), 4, setup);
}

// Parameters of a function: values in memory of their own for each call.
void test_calls() {
  Setup setup;
  setup.declarations = R"(
.func (.param .b32 result) twice_and_one(.param .b32 x, .param .b64 y)
{
  .reg .b32 %r<4>;
  .reg .b64 %d<2>;
  .reg .pred %p<2>;
  ld.param.u32 %r1, [x];
  ld.param.u64 %d1, [y];
  cvt.u32.u64 %r2, %d1;
  setp.gt.u32 %p1, %r1, 3;
  @%p1 bra large;
  add.u32 %r3, %r1, %r2;
  st.param.b32 [result], %r3;
  ret;
large:
  st.param.b32 [result], %r2;
  ret;
}
)";
  check_run("call", R"(
    {
    .param .b32 p0;
    .param .b64 p1;
    .param .b32 r0;
    ld.global.u64 %d1, [%given];
    st.param.b32 [p0], %t;
    st.param.b64 [p1], %d1;
    call.uni (r0), twice_and_one, (p0, p1);
    ld.param.b32 %r1, [r0];
    }
    st.global.u32 [%mine], %r1;)",
            {100, 100, 100, 100, 200, 300}, {100, 101, 102, 103, 200, 300, 0}, 4, setup);
}

void run_all() {
  test_widths();
  test_addresses();
  test_vectors();
  test_shared();
  test_generic_global();
  test_parts();
  test_atomics();
  test_shared_atomics();
  test_calls();
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
