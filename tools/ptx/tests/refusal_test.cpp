// Faults of a program that are to be reported, and what is not modelled and must not pass for something else.
#include "ending.h"

namespace ptx::test {
namespace {

Setup with_shared() {
  Setup setup;
  setup.declarations = ".shared .align 16 .b8 cells[64];\n";
  return setup;
}

void test_global_memory() {
  check_trap("misaligned load", "ld.global.u32 %r1, [%given+2];", "misaligned global access, 4 bytes");
  check_trap("misaligned vector", "ld.global.v2.u64 {%d1, %d2}, [%given];", "misaligned global access, 16 bytes");
  check_trap("misaligned store", "st.global.u16 [%mine+1], %h1;", "misaligned global access, 2 bytes");
  check_trap("behind the end", "ld.global.u32 %r1, [%in+256];", "outside of every allocation");
  check_trap("before the beginning", "st.global.u32 [%out+-4], %r1;", "outside of every allocation");
  check_trap("one lane behind the end", "ld.global.u64 %d1, [%given+8];", "lanes 80000000: global memory, 8 bytes");
  check_trap("no address", "mov.u64 %d1, 0; st.global.u32 [%d1], %r1;", "outside of every allocation");
  check_trap("atomic behind the end", "atom.global.add.u32 %r1, [%out+256], %r1;", "outside of every allocation");
}

// Given back before the launch, though the memory is still mapped.
void test_freed_memory() {
  check_ending("freed memory", Ending::trap, "outside of every allocation", [] {
    std::vector<u64> out(32);
    auto* in = new u64[32]();
    u64* to = out.data();
    void* arguments[] = {&in, &to};
    Program program(module_text("ld.global.u64 %d1, [%given]; st.global.u64 [%mine], %d1;"));
    if (program.launch({}, {32}, arguments) != Launched::done) std::abort();
    delete[] in;
    program.launch({}, {32}, arguments);
  });
}

void test_shared_memory() {
  const std::string base = "mov.u32 %r1, cells; st.shared.u32 [%r1], %t; ";
  check_trap("misaligned", base + "ld.shared.u16 %h1, [%r1+1];", "misaligned shared access, 2 bytes", with_shared());
  check_trap("behind the end", base + "st.shared.u32 [%r1+64], %r2;", "shared memory, 4 bytes at", with_shared());
  check_trap("before the beginning", "mov.u32 %r1, 0; st.shared.u32 [%r1], %r2;", "shared memory, 4 bytes at 0",
             with_shared());
  check_trap("never written", base + "ld.shared.u32 %r2, [%r1+8];", "is read and was never written", with_shared());
  check_trap("written in part", base + "st.shared.u8 [%r1+8], %r2; ld.shared.u16 %r2, [%r1+8];",
             "is read and was never written", with_shared());
  check_trap("through generic addresses", base + "mov.u64 %d1, cells; cvta.shared.u64 %d2, %d1; ld.u32 %r2, [%d2+64];",
             "shared memory, 4 bytes at", with_shared());
  check_trap("a parameter is written", "mov.b64 %d1, in; cvta.param.u64 %d2, %d1; st.u32 [%d2], %r1;",
             "parameters are constant");
  check_trap("behind the parameters", "ld.param.u64 %d1, [out+8];", "parameters: 8 bytes at 16");
}

void test_lanes() {
  const std::string half = "setp.lt.u32 %p1, %t, 16; @%p1 bra low; ";
  check_trap("not among the members", "vote.sync.ballot.b32 %r1, %p1, 0xffff;",
             "lanes that are not among the members 0000ffff");
  check_trap("different members", "mov.u32 %r2, 1; shl.b32 %r3, %r2, %t; vote.sync.ballot.b32 %r1, %p1, %r3;",
             "lanes name different members");
  check_trap("a lane that takes no part", half + "bra done; low: shfl.sync.idx.b32 %r1, %t, 20, 31, 0xffff; done:",
             "shfl reads lane 20, which does not take part");
  check_trap(
      "members that never come",
      half +
          "bra done; low: bar.warp.sync 0xffffffff; bra done2; done: vote.sync.ballot.b32 %r1, %p1, 0xffffffff; done2:",
      "the lanes of a warp wait for each other");
  check_trap("an aligned instruction after an exit", half + "exit; low: setmaxnreg.dec.sync.aligned.u32 40;",
             "an aligned instruction after lanes ffff0000 have left");
}

void test_barriers() {
  Setup two;
  two.threads = 64;
  check_trap("two barriers", "setp.lt.u32 %p1, %t, 16; @%p1 bra low; bar.sync 0; bra done; low: bar.sync 0; done:",
             "lanes of a warp at different block barriers");
  check_unknown("another barrier", "bar.sync 1;", "a barrier other than 0 of all threads");
  check_unknown("of some threads", "bar.sync 0, 32;", "a barrier other than 0 of all threads");
}

// With the line and the name.
void test_not_modelled() {
  check_unknown("an unknown instruction", "frobnicate.b32 %r1, %r2;", "unknown instruction frobnicate.b32");
  check_unknown("its place", "\n\nfrobnicate.b32 %r1, %r2;", "test, line 24: ");
  for (const std::string op :
       {"lop3.b32 %r1, %r2, %r3, %r4, 0x80", "bfe.u32 %r1, %r2, %r3, %r4", "min.f32 %f1, %f2, %f3",
        "add.rz.f32 %f1, %f2, %f3", "cvt.rn.f16.f32 %h1, %f1", "cvt.rn.bf16.f32 %h1, %f1", "cvt.sat.s8.s32 %r1, %r2",
        "mul.hi.s32 %r1, %r2, %r3", "shf.l.clamp.b32 %r1, %r2, %r3, %r4", "ex2.approx.f32 %f1, %f2",
        "vote.sync.all.pred %p1, %p2, 0xffffffff", "redux.sync.add.s32 %r1, %r2, 0xffffffff",
        "bar.red.popc.u32 %r1, 0, %p1", "setp.lt.and.u32 %p1, %r1, %r2, %p2"})
    check_unknown(op.c_str(), op + ";", "unknown instruction " + op.substr(0, op.find(' ')));
  check_unknown("a qualifier of a load", "ld.volatile.global.u32 %r1, [%in];", "unknown qualifier volatile");
  check_unknown("another atomic", "atom.global.max.u32 %r1, [%out], %r2;", "unknown atom.global.max.u32");
  check_unknown("another window", "cvta.local.u64 %d1, %d2;", "unknown cvta.local.u64");
  check_unknown("local memory", ".local .b8 depot[16];", "local memory");
  check_unknown("a guarded exit", "setp.eq.u32 %p1, %t, 0; @%p1 exit;", "a guarded exit");
  check_unknown("a special register", "mov.u32 %r1, %smid;", "special register %smid");
}

void test_operands() {
  check_unknown("no such name", "mov.u32 %r1, nowhere;", "unknown name nowhere");
  check_unknown("no such label", "bra nowhere;", "no label nowhere");
  check_unknown("a register of another width", "add.s32 %r1, %r2, %d1;", "register %d1 is not of 4 bytes");
  check_unknown("a predicate for a value", "add.s32 %r1, %r2, %p1;", "a predicate for a value");
  check_unknown("a value for a guard", "@%r1 mov.u32 %r2, 1;", "a guard that is no predicate");
  check_unknown("an operand too few", "add.s32 %r1, %r2;", "operands of add.s32");
  check_unknown("an operand too many", "neg.s32 %r1, %r2, %r3;", "operands of neg.s32");
  check_unknown("a negated value", "add.s32 %r1, %r2, !%r3;", "a negated source");
  check_unknown("a vector of another length", "ld.global.v2.u32 {%r1, %r2, %r3}, [%in];", "a vector of another length");
  check_unknown("no end", "add.s32 %r1, %r2, %r3 add.s32", "expected ,");
  check_unknown("an unknown directive", "", "unknown directive .tex", [] {
    Setup s;
    s.declarations = ".tex .u32 t;\n";
    return s;
  }());
}

void test_launches() {
  Program program(module_text("st.global.u32 [%mine], %t;", ".extern .shared .align 16 .b8 more[];\n"));
  std::vector<u64> in(2048), out(2048, kUntouched);
  u64 *from = in.data(), *to = out.data();
  void* arguments[] = {&from, &to};
  const auto launch = [&](Extent grid, Extent block, std::size_t shared) {
    return program.launch(grid, block, arguments, shared);
  };
  CHECK(launch({0, 1, 1}, {32}, 0) == Launched::bad_configuration, "no blocks");
  CHECK(launch({1, 65536, 1}, {32}, 0) == Launched::bad_configuration, "too many blocks along y");
  CHECK(launch({}, {1056}, 0) == Launched::bad_configuration, "more than 1024 threads");
  CHECK(launch({}, {0}, 0) == Launched::bad_configuration, "no threads");
  CHECK(launch({}, {48}, 0) == Launched::bad_configuration, "half a warp, which is not modelled");
  CHECK(launch({}, {32}, 228 * 1024) == Launched::bad_shared_memory, "more shared memory than a block has");
  for (const u64 v : out) CHECK(v == kUntouched, "a refused launch has run");
  CHECK(launch({2}, {1024}, 1024) == Launched::done, "an allowed launch");
  CHECK((out[2047] & 0xffffffff) == 2047, "%llx", static_cast<unsigned long long>(out[2047]));
}

void run_all() {
  test_global_memory();
  test_freed_memory();
  test_shared_memory();
  test_lanes();
  test_barriers();
  test_not_modelled();
  test_operands();
  test_launches();
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
