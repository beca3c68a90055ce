// Barriers in memory, asynchronous copies and products of four warps, PTX ISA 9.7.9.25, 9.7.13.15 and 9.7.15.
#include <bit>
#include <random>

#include "ending.h"

namespace ptx::test {
namespace {

const char* const kBarrier = ".shared .align 8 .b8 barrier[8];\n.shared .align 16 .b8 cells[4096];\n";

// One thread makes a barrier of `count` arrivals; %r1 is its address, %r2 that of `cells`.
std::string initialised(const std::string& count) {
  return R"(
    mov.u32 %r1, barrier;
    mov.u32 %r2, cells;
    setp.ne.u32 %p1, %in_block, 0;
    @%p1 bra initialised;
    mbarrier.init.shared::cta.b64 [%r1], )" +
         count + R"(;
  initialised:
    fence.mbarrier_init.release.cluster;
    bar.sync 0;)";
}

std::string wait_for(const std::string& parity, const std::string& label) {
  return label + ":\n  mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r1], " + parity + ";\n  @!%p2 bra " + label +
         ";\n";
}

Setup of_threads(u32 threads) {
  Setup setup;
  setup.threads = threads;
  setup.declarations = kBarrier;
  return setup;
}

// Each thread stores, arrives, waits for the phase, and reads what a thread of another warp has stored; twice.
void test_phases() {
  const std::string body = initialised("64") + R"(
    shl.b32 %r3, %in_block, 2;
    add.u32 %r3, %r3, %r2;
    xor.b32 %r4, %in_block, 33;
    shl.b32 %r4, %r4, 2;
    add.u32 %r4, %r4, %r2;
    st.shared.u32 [%r3], %in_block;
    mbarrier.arrive.shared::cta.b64 _, [%r1];)" +
                           "\n" + wait_for("0", "first") + R"(
    ld.shared.u32 %r5, [%r4];
    add.u32 %r6, %in_block, 1000;
    mbarrier.arrive.shared::cta.b64 _, [%r1];)" +
                           "\n" + wait_for("1", "second") + R"(
    st.shared.u32 [%r3], %r6;
    mbarrier.arrive.shared::cta.b64 _, [%r1];)" +
                           "\n" + wait_for("0", "third") + R"(
    ld.shared.u32 %r7, [%r4];
    mov.b64 %d1, {%r5, %r7};
    st.global.u64 [%mine], %d1;)";
  std::vector<u64> expected;
  for (u64 t = 0; t < 64; ++t) expected.push_back((t ^ 33) | ((t ^ 33) + 1000) << 32);
  check_run("three phases", body, {}, expected, 8, of_threads(64));
}

// 16 bytes for each of 32 threads, 4 of them of some: the rest becomes 0.
const char* const kCopies = R"(
    shl.b32 %r3, %in_block, 4;
    add.u32 %r3, %r3, %r2;
    mul.wide.u32 %d1, %t, 16;
    add.s64 %d2, %in, %d1;
    and.b32 %r4, %t, 1;
    setp.eq.u32 %p3, %r4, 0;
    selp.u32 %r5, 16, 4, %p3;
    cp.async.cg.shared.global [%r3], [%d2], 16, %r5;
    cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%r1];
)";

void test_copies() {
  const std::string body = initialised("32") + kCopies + wait_for("0", "copied") + R"(
    xor.b32 %r6, %in_block, 31;
    shl.b32 %r6, %r6, 4;
    add.u32 %r6, %r6, %r2;
    ld.shared.v2.u64 {%d3, %d4}, [%r6];
    xor.b64 %d5, %d3, %d4;
    st.global.u64 [%mine], %d5;)";
  std::vector<u64> in, expected;
  std::mt19937_64 random(3);
  for (int k = 0; k < 64; ++k) in.push_back(random());
  for (u32 t = 0; t < 32; ++t) {
    const u32 from = 31 - t;
    expected.push_back(from % 2 == 0 ? in[2 * from] ^ in[2 * from + 1] : in[2 * from] & 0xffffffff);
  }
  check_run("cp.async", body, in, expected, 8, of_threads(32));
}

void test_misuse() {
  check_trap("nobody has initialised it", initialised("32") + "mbarrier.arrive.shared::cta.b64 _, [%r1+8];",
             "no mbarrier was initialised", of_threads(32));
  check_trap("initialised twice", initialised("32") + "mbarrier.init.shared::cta.b64 [%r1], 32;",
             "an mbarrier initialised twice", of_threads(32));
  check_trap("no arrivals", initialised("0"), "an mbarrier of 0 arrivals", of_threads(32));
  check_trap("misaligned", "mov.u32 %r1, cells; mbarrier.init.shared::cta.b64 [%r1+4], 1;", "an mbarrier at",
             of_threads(32));
  check_trap("read as a word", initialised("32") + "ld.shared.u32 %r3, [%r1+4];", "an ordinary access to an mbarrier",
             of_threads(32));
  check_trap("a parity of 2", initialised("32") + wait_for("2", "wait"), "a parity of 2", of_threads(32));
  check_trap("nobody arrives",
             initialised("33") + "mbarrier.arrive.shared::cta.b64 _, [%r1];\n" + wait_for("0", "wait"), "deadlock",
             of_threads(32));
  check_trap("nobody waits for the copies", initialised("32") + kCopies, "the block ends with copies under way", [] {
    Setup s = of_threads(32);
    s.more = 32;
    return s;
  }());
  check_trap("misaligned copy", initialised("32") + "add.s64 %d1, %in, 8; cp.async.cg.shared.global [%r2], [%d1], 16;",
             "cp.async of 16 bytes", of_threads(32));
  check_unknown("a copy of 8 bytes", initialised("32") + "cp.async.ca.shared.global [%r2], [%in], 8;",
                "unknown instruction cp.async.ca.shared.global", of_threads(32));
}

// wgmma: A [64, 256 bits] and B [256, 256 bits] from shared memory without swizzle: units of 16 bytes of 8 rows lie
// together (128 bytes), the two units of a row 128 bytes apart, the next 8 rows 256 bytes behind.
constexpr u32 kRows = 64, kColumns = 256;

std::string list_of_accumulators() {
  std::string all = "{";
  for (int k = 0; k < 128; ++k) all += (k > 0 ? ", %a" : "%a") + std::to_string(k);
  return all + "}";
}

struct Steps {
  bool proxy_fence = true, fence = true, wait = true;
};

std::string product_body(const Steps& steps) {
  // Each of 128 threads copies its share of the two matrices, 10240 bytes.
  std::string body = R"(
    .reg .b32 %a<128>;
    mov.u32 %r1, matrices;
    mov.u32 %r2, 0;
  fill:
    mad.lo.u32 %r3, %r2, 128, %in_block;
    mul.wide.u32 %d1, %r3, 8;
    add.s64 %d2, %in, %d1;
    ld.global.u64 %d3, [%d2];
    shl.b32 %r4, %r3, 3;
    add.u32 %r4, %r4, %r1;
    st.shared.u64 [%r4], %d3;
    add.u32 %r2, %r2, 1;
    setp.lt.u32 %p1, %r2, 10;
    @%p1 bra fill;
)";
  if (steps.proxy_fence) body += "  fence.proxy.async.shared::cta;\n";
  body += "  bar.sync 0;\n";
  for (int k = 0; k < 128; ++k) body += "  mov.u32 %a" + std::to_string(k) + ", " + std::to_string(k % 5) + ";\n";
  // Start, distance of units, distance of 8 rows, each in units of 16 bytes.
  body += R"(
    shr.u32 %r5, %r1, 4;
    cvt.u64.u32 %d4, %r5;
    or.b64 %d5, %d4, 0x0000001000080000;
    add.s64 %d6, %d5, 128;
    setp.ne.u32 %p2, %size, 0;
)";
  if (steps.fence) body += "  wgmma.fence.sync.aligned;\n";
  body += "  wgmma.mma_async.sync.aligned.m64n256k256.s32.b1.b1.and.popc " + list_of_accumulators() +
          ", %d5, %d6, %p2;\n  wgmma.commit_group.sync.aligned;\n";
  if (steps.wait) body += "  wgmma.wait_group.sync.aligned 0;\n";
  body += "  mul.wide.u32 %d7, %t, 1024;\n  add.s64 %d8, %out, %d7;\n";
  for (int k = 0; k < 128; ++k)
    body += "  st.global.u32 [%d8+" + std::to_string(8 * k) + "], %a" + std::to_string(k) + ";\n";
  return body;
}

Setup of_a_product() {
  Setup setup;
  setup.threads = 128;
  setup.more = 127 * 128;
  setup.declarations = ".shared .align 1024 .b8 matrices[10240];\n";
  return setup;
}

std::vector<u64> some_matrices() {  // as they lie in shared memory
  std::mt19937_64 random(4);
  std::vector<u64> in((kRows + kColumns) * 4);
  for (u64& v : in) v = random();
  return in;
}

u32 row_product(const std::vector<u64>& in, u32 row, u32 column) {
  u32 sum = 0;
  const auto at = [](u32 r, u32 word) { return r / 8 * 32 + word / 2 * 16 + r % 8 * 2 + word % 2; };
  for (u32 word = 0; word < 4; ++word)
    sum += static_cast<u32>(std::popcount(in[at(row, word)] & in[kRows * 4 + at(column, word)]));
  return sum;
}

void test_products_of_groups() {
  const std::vector<u64> in = some_matrices();
  std::vector<u64> expected;
  for (u32 t = 0; t < 128; ++t) {
    for (u32 k = 0; k < 128; ++k) {  // the ISA's figure of D of m64nNk256
      const u32 row = t / 32 * 16 + t % 32 / 4 + k / 2 % 2 * 8, column = k / 4 * 8 + t % 4 * 2 + k % 2;
      expected.push_back(k % 5 + row_product(in, row, column));
    }
  }
  check_run("wgmma", product_body({}), in, expected, 4, of_a_product());
  const auto trap = [&](const char* what, const Steps& steps, const char* message) {
    check_ending(what, Ending::trap, message, [&] { run(product_body(steps), some_matrices(), of_a_product()); });
  };
  trap("stores that no fence makes visible", {.proxy_fence = false}, "without a proxy fence after it");
  trap("accumulators that no fence orders", {.fence = false}, "written after the last wgmma.fence");
  trap("accumulators that nobody waited for", {.wait = false}, "an accumulator of a product that was not waited for");
}

void test_register_counts() {
  Setup setup;
  setup.threads = 128;
  check_run("setmaxnreg",
            "setmaxnreg.dec.sync.aligned.u32 40; setmaxnreg.inc.sync.aligned.u32 232; st.global.u32 [%mine], 1;", {},
            std::vector<u64>(128, 1), 4, setup);
  check_trap("more by dec", "setmaxnreg.dec.sync.aligned.u32 40; setmaxnreg.dec.sync.aligned.u32 48;",
             "setmaxnreg from 40 to 48", setup);
  check_trap("no multiple of 8", "setmaxnreg.dec.sync.aligned.u32 41;", "setmaxnreg to 41", setup);
}

void run_all() {
  test_phases();
  test_copies();
  test_misuse();
  test_products_of_groups();
  test_register_counts();
}

}  // namespace
}  // namespace ptx::test

CHECK_MAIN(ptx::test::run_all)
