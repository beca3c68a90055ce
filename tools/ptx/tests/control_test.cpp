// Branches, divergence, barriers of the block, early exits and special registers.
#include "program.h"

namespace ptx::test {
namespace {

void test_branches() {
  check_run("both sides, and what follows by all", R"(
    setp.lt.u32 %p1, %t, 3;
    mov.u32 %r1, 1;
    @%p1 bra low;
    add.u32 %r1, %r1, 10;
    bra.uni done;
  low:
    add.u32 %r1, %r1, 20;
  done:
    add.u32 %r1, %r1, 100;
    st.global.u32 [%mine], %r1;)",
            {}, {121, 121, 121, 111, 111});
  check_run("@! and guarded instructions", R"(
    setp.lt.u32 %p1, %t, 2;
    mov.u32 %r1, 1;
    @%p1 mov.u32 %r1, 2;
    @!%p1 add.u32 %r1, %r1, 5;
    @!%p1 bra over;
    add.u32 %r1, %r1, 50;
  over:
    st.global.u32 [%mine], %r1;)",
            {}, {52, 52, 6, 6});
  check_run("guarded stores", "setp.eq.u32 %p1, %t, 1; @%p1 st.global.u32 [%mine], %t;", {},
            {kUntouched, 1, kUntouched}, 4);
}

// A loop of as many turns as the lane's number, with a branch inside.
void test_loops() {
  std::vector<u64> expected;
  for (u64 t = 0; t < 32; ++t) {
    u64 sum = 0;
    for (u64 k = 0; k < t; ++k) sum += k % 3 == 0 ? 100 : k;
    expected.push_back(sum);
  }
  check_run("loop", R"(
    mov.u32 %r1, 0;
    mov.u32 %r2, 0;
  again:
    setp.ge.u32 %p1, %r1, %t;
    @%p1 bra done;
    rem.u32 %r3, %r1, 3;
    setp.eq.u32 %p2, %r3, 0;
    @%p2 bra third;
    add.u32 %r2, %r2, %r1;
    bra next;
  third:
    add.u32 %r2, %r2, 100;
  next:
    add.u32 %r1, %r1, 1;
    bra again;
  done:
    st.global.u32 [%mine], %r2;)",
            {}, expected);
}

// The sum over 4 warps, by a tree in shared memory with a barrier at each level.
void test_barriers() {
  Setup setup;
  setup.threads = 128;
  setup.blocks = 3;
  setup.declarations = ".shared .align 4 .b8 cells[512];\n";
  std::vector<u64> in, expected(384);
  for (u64 t = 0; t < 384; ++t) in.push_back(t * t + 1), expected[t / 128 * 128] += t * t + 1;
  for (u64 t = 0; t < 384; ++t) expected[t] = expected[t / 128 * 128];
  const std::string body = R"(
    mov.u32 %r1, cells;
    shl.b32 %r2, %in_block, 2;
    add.u32 %r3, %r1, %r2;
    ld.global.u32 %r4, [%given];
    st.shared.u32 [%r3], %r4;
    mov.u32 %r5, 64;
  again:
    bar.sync 0;
    setp.ge.u32 %p1, %in_block, %r5;
    @%p1 bra idle;
    shl.b32 %r6, %r5, 2;
    add.u32 %r7, %r3, %r6;
    ld.shared.u32 %r8, [%r7];
    ld.shared.u32 %r9, [%r3];
    add.u32 %r9, %r9, %r8;
    st.shared.u32 [%r3], %r9;
  idle:
    shr.u32 %r5, %r5, 1;
    setp.ne.u32 %p2, %r5, 0;
    @%p2 bra again;
    barrier.sync.aligned 0;
    ld.shared.u32 %r10, [%r1];
    st.global.u32 [%mine], %r10;)";
  check_run("sum by a tree", body, in, expected, 4, setup);
}

// Threads that have left are not waited for: neither at the block's barrier nor at their warp's.
void test_exits() {
  Setup setup;
  setup.threads = 96;
  setup.declarations = ".shared .align 4 .b8 cells[512];\n";
  std::vector<u64> expected;
  for (u64 t = 0; t < 96; ++t) expected.push_back(t < 64 && t % 2 == 1 ? 64 - t : kUntouched);
  check_run("early exit", R"(
    setp.lt.u32 %p1, %in_block, 64;
    @%p1 bra stays;
    exit;
  stays:
    and.b32 %r1, %in_block, 1;
    setp.eq.u32 %p2, %r1, 0;
    @%p2 bra leaves;
    mov.u32 %r2, cells;
    shl.b32 %r3, %in_block, 2;
    add.u32 %r4, %r2, %r3;
    st.shared.u32 [%r4], %in_block;
    bar.warp.sync 0xffffffff;
    bar.sync 0;
    sub.u32 %r5, 256, %r3;
    add.u32 %r6, %r2, %r5;
    ld.shared.u32 %r7, [%r6];
    st.global.u32 [%mine], %r7;
  leaves:
    ret;)",
            {}, expected, 4, setup);
}

void test_special_registers() {
  Program program(module_text(R"(
    mov.u32 %r1, %ctaid.y;
    mov.u32 %r2, %ctaid.z;
    mov.u32 %r3, %nctaid.x;
    mov.u32 %r4, %nctaid.y;
    mov.u32 %r5, %nctaid.z;
    mov.u32 %r6, %laneid;
    mov.u32 %r7, %ntid.y;
    mov.u32 %r8, %tid.y;
    mad.lo.u32 %r9, %r2, %r4, %r1;
    mad.lo.u32 %r9, %r9, %r3, %block;
    mad.lo.u32 %r9, %r9, %size, %in_block;
    mul.wide.u32 %d1, %r9, 8;
    add.s64 %d2, %out, %d1;
    mad.lo.u32 %r10, %r5, 10, %r4;
    mad.lo.u32 %r10, %r10, 10, %r3;
    mad.lo.u32 %r10, %r10, 10, %r7;
    mad.lo.u32 %r10, %r10, 10, %r8;
    mad.lo.u32 %r10, %r10, 100, %r6;
    st.global.u32 [%d2], %r10;)"));
  std::vector<u64> in(1), out(64 * 24, 0);
  u64 *from = in.data(), *to = out.data();
  void* arguments[] = {&from, &to};
  CHECK(program.launch({2, 3, 4}, {64, 1, 1}, arguments) == Launched::done, "refused");
  for (u64 k = 0; k < out.size(); ++k)
    CHECK(out[k] == 4321000 + k % 32, "%llu: %llu", static_cast<unsigned long long>(k),
          static_cast<unsigned long long>(out[k]));
}

// Registers of a block within a body hide those outside; what was never written is neither 0 nor the last launch's.
void test_scopes() {
  check_run("scopes", R"(
    mov.u32 %r1, 7;
    {
    .reg .b32 %r<3>;
    mov.u32 %r1, 9;
    mov.u32 %r2, %r1;
    }
    // a comment; with signs {
    /* and one
       of two lines */
    st.global.u32 [%mine], %r1;)",
            {}, {7, 7});
  const u64 found = run("st.global.u32 [%mine], %r12;")[0];
  CHECK(found != 0 && found != kUntouched, "%llx", static_cast<unsigned long long>(found));
}

void run_all() {
  test_branches();
  test_loops();
  test_barriers();
  test_exits();
  test_special_registers();
  test_scopes();
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
