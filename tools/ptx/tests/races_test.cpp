// Data races, in shared and in global memory: what nothing orders is a trap, what something orders is not.
#include "ending.h"

namespace ptx::test {
namespace {

Setup of(u32 threads, u32 blocks = 1) {
  Setup setup;
  setup.threads = threads;
  setup.blocks = blocks;
  setup.more = 1;
  setup.declarations = ".shared .align 8 .b8 cells[1024];\n.shared .align 8 .b8 barrier[8];\n";
  return setup;
}

// A thread stores its number, `between`, and reads what the thread whose number differs by `other` has stored.
std::string exchange(const std::string& between, int other) {
  return R"(
    mov.u32 %r1, cells;
    shl.b32 %r2, %in_block, 2;
    add.u32 %r3, %r1, %r2;
    xor.b32 %r4, %in_block, )" +
         std::to_string(other) + R"(;
    shl.b32 %r5, %r4, 2;
    add.u32 %r6, %r1, %r5;
    mov.u32 %r9, 0;
    st.shared.u32 [%r3], %r9;
    bar.sync 0;
    st.shared.u32 [%r3], %in_block;
    )" + between +
         R"(
    ld.shared.u32 %r7, [%r6];
    st.global.u32 [%mine], %r7;)";
}

void test_within_a_warp() {
  check_run("bar.warp.sync", exchange("bar.warp.sync 0xffffffff;", 1), {}, {1, 0, 3, 2}, 4, of(32));
  check_run("bar.sync", exchange("bar.sync 0;", 1), {}, {1, 0, 3, 2}, 4, of(32));
  check_run("one's own", exchange("", 0), {}, {0, 1, 2, 3}, 4, of(32));
  check_trap("nothing", exchange("", 1), "race: byte", of(32));
  check_trap("a barrier of other lanes",
             exchange("setp.lt.u32 %p1, %t, 16; @!%p1 bra over; bar.warp.sync 0xffff; over:", 16),
             "with nothing between", of(32));
  check_trap("a vote orders no memory", exchange("vote.sync.ballot.b32 %r8, %p1, 0xffffffff;", 1), "race: byte",
             of(32));
}

void test_between_warps() {
  std::vector<u64> expected;
  for (u64 t = 0; t < 64; ++t) expected.push_back(t ^ 32);
  check_run("bar.sync", exchange("bar.sync 0;", 32), {}, expected, 4, of(64));
  check_trap("bar.warp.sync", exchange("bar.warp.sync 0xffffffff;", 32), "race: byte", of(64));
}

void test_writes() {
  check_trap("two writes", "st.shared.u32 [cells], %t;", "written by thread", of(32));
  check_trap("two writes, of bytes of a word and the word",
             "setp.eq.u32 %p1, %t, 0; @%p1 st.shared.u8 [cells+3], %t; setp.eq.u32 %p2, %t, 1; @%p2 st.shared.u32 "
             "[cells], %t;",
             "written by thread", of(32));
  check_trap("written after it was read", exchange("bar.sync 0;", 1) + "st.shared.u32 [%r3], %r7;",
             "with nothing between", of(32));
  check_run("written after a vote on what was read", exchange("bar.sync 0;", 1) + R"(
    setp.eq.u32 %p1, %r7, 0;
    vote.sync.ballot.b32 %r8, %p1, 0xffffffff;
    st.shared.u32 [%r3], %r8;)",
            {}, {1, 0, 3, 2}, 4, of(32));
}

void test_atomics() {
  const std::string zero =
      "mov.u32 %r1, 0; setp.eq.u32 %p1, %in_block, 0; @%p1 st.shared.u32 [cells], %r1; bar.sync 0;";
  check_run(
      "atomics",
      zero + "atom.shared.add.u32 %r2, [cells], 1; bar.sync 0; ld.shared.u32 %r3, [cells]; st.global.u32 [%mine], %r3;",
      {}, std::vector<u64>(64, 64), 4, of(64));
  check_trap("an atomic and a read", zero + "atom.shared.add.u32 %r2, [cells], 1; ld.shared.u32 %r3, [cells];",
             "race: byte", of(64));
  check_trap("a write and an atomic", zero + R"(
    @%p1 st.shared.u32 [cells], %t;
    setp.eq.u32 %p2, %in_block, 40;
    @%p2 atom.shared.add.u32 %r2, [cells], 1;)",
             "race: byte", of(64));
}

void test_barrier_in_memory() {
  const std::string initialise = R"(
    setp.ne.u32 %p1, %in_block, 0;
    @%p1 bra ready;
    mbarrier.init.shared::cta.b64 [barrier], 64;
  ready:
    bar.sync 0;)";
  const std::string arrive = "mbarrier.arrive.shared::cta.b64 _, [barrier];";
  const std::string wait = "again: mbarrier.try_wait.parity.shared::cta.b64 %p2, [barrier], 0; @!%p2 bra again;";
  std::vector<u64> expected;
  for (u64 t = 0; t < 64; ++t) expected.push_back(t ^ 32);
  check_run("arrival and wait", initialise + exchange(arrive + wait, 32), {}, expected, 4, of(64));
  check_trap("arrival alone", initialise + exchange(arrive, 32), "race: byte", of(64));
}

void test_global() {
  const std::string last =
      "mul.wide.u32 %d1, %size, 8; mov.u32 %r1, %nctaid.x; cvt.u64.u32 %d2, %r1; mul.lo.s64 %d1, %d1, %d2; add.s64 "
      "%d3, %out, %d1;";
  check_trap("two threads", last + "st.global.u32 [%d3], %t;", "written by thread", of(32));
  check_trap("two blocks", last + "setp.eq.u32 %p1, %in_block, 0; @%p1 st.global.u32 [%d3], %t;",
             "touched by another block of this launch", of(32, 2));
  check_run("the same read by all", "ld.global.u32 %r1, [%in]; st.global.u32 [%mine], %r1;", {5},
            std::vector<u64>(64, 5), 4, of(32, 2));
  check_run("atomics of two blocks", last + "atom.global.add.u32 %r2, [%d3], 1; st.global.u32 [%mine], 1;", {},
            std::vector<u64>(64, 1), 4, of(32, 2));
  check_run("handed over at a barrier", last + R"(
    setp.eq.u32 %p1, %in_block, 5;
    @%p1 st.global.u32 [%d3], %in_block;
    bar.sync 0;
    ld.global.u32 %r2, [%d3];
    st.global.u32 [%mine], %r2;)",
            {}, std::vector<u64>(64, 5), 4, of(64));
}

void run_all() {
  test_within_a_warp();
  test_between_warps();
  test_writes();
  test_atomics();
  test_barrier_in_memory();
  test_global();
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
