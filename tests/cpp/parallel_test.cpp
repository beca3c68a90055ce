// serial_for and thread_for cover a range once, whatever its size, in standard arithmetic, and pass exceptions on;
// FirstFault keeps the lowest.
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif
#include <atomic>
#include <cfenv>
#include <stdexcept>
#include <string>

#include "check.h"
#include "common/status.h"
#include "common/threads.h"

using namespace pruning_ext;

namespace {

void covers_every_item_once(const ParallelFor& parallel_for, unsigned threads) {
  for (const std::int64_t begin : {0, 5}) {
    for (std::int64_t size = 0; size <= 70; ++size) {
      for (const std::int64_t grain : {0, 1, 3, 64, 1000}) {
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(size));
        std::atomic<int> pieces = 0, small = 0;
        parallel_for(begin, begin + size, grain, [&](std::int64_t first, std::int64_t last) {
          ++pieces;
          if (last - first < std::min(grain, size)) ++small;
          for (std::int64_t i = first; i < last; ++i) ++visits[static_cast<std::size_t>(i - begin)];
        });
        int wrong = 0;
        for (const std::atomic<int>& count : visits) wrong += count != 1;
        CHECK(wrong == 0, "%d of %lld items, grain %lld, %u threads", wrong, static_cast<long long>(size),
              static_cast<long long>(grain), threads);
        CHECK(small == 0, "%d pieces below grain %lld of %lld items", small.load(), static_cast<long long>(grain),
              static_cast<long long>(size));
        CHECK(size == 0 ? pieces == 0 : pieces >= 1 && pieces <= static_cast<int>(threads), "%d pieces, %u threads",
              pieces.load(), threads);
      }
    }
  }
}

void passes_exceptions_on(const ParallelFor& parallel_for, std::int64_t thrower) {
  std::atomic<int> others = 0;
  std::string caught;
  try {
    parallel_for(0, 64, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        if (i >= thrower) throw std::runtime_error("item " + std::to_string(i));
        ++others;
      }
    });
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
  // Several pieces may throw: the one of the lowest items wins, so that the message does not depend on threads.
  CHECK(caught == "item " + std::to_string(thrower), "caught '%s', thrown from item %lld on", caught.c_str(),
        static_cast<long long>(thrower));
  CHECK(others == thrower, "%d items done, %lld expected", others.load(), static_cast<long long>(thrower));
}

// Sets the calling thread's arithmetic for the worse: rounding upwards and, where we know how, subnormals flushed.
void disturb_arithmetic() {
  std::fesetround(FE_UPWARD);
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // flush to zero, and denormals are zeros
#elif defined(__aarch64__)
  std::uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  __asm__ volatile("msr fpcr, %0" : : "r"(control | std::uint64_t{1} << 24));
#endif
}

void keeps_to_standard_arithmetic(const ParallelFor& parallel_for) {
  const volatile float subnormal = 0x1p-140f;
  const volatile double one = 1, three = 3;
  const double third = one / three;
  std::fenv_t before;
  std::fegetenv(&before);
  disturb_arithmetic();
  const bool disturbed = one / three != third;
  std::atomic<int> wrong = 0;
  parallel_for(0, 64, 1, [&](std::int64_t, std::int64_t) {
    wrong += one / three != third;
    wrong += subnormal * 0x1p100f != 0x1p-40f;
  });
  const bool restored = one / three != third;
  const bool flushes = subnormal * 0x1p100f == 0;
  std::fesetenv(&before);
  CHECK(disturbed && restored, "rounding is the caller's: %d before, %d after", disturbed, restored);
#if defined(__x86_64__) || defined(__aarch64__)
  CHECK(flushes, "flushing subnormals is no longer as the caller had it");
#endif
  CHECK(wrong == 0, "%d results of the pieces are not those of standard arithmetic", wrong.load());
}

void faults() {
  FirstFault none;
  CHECK(static_cast<bool>(none.status()), "no fault was reported");
  CHECK(fault_sentence(none.status(), "samples").empty(), "'%s'", fault_sentence(none.status(), "samples").c_str());

  FirstFault first;
  thread_for(8)(0, 1000, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = end - 1; r >= begin; --r) {
      if (r >= 17) first.report(r % 2 == 0 ? Fault::not_finite : Fault::bad_weights, r);
    }
  });
  const Status status = first.status();
  CHECK(!status && status.row == 17 && status.fault == Fault::bad_weights, "row %lld, fault %d",
        static_cast<long long>(status.row), static_cast<int>(status.fault));

  FirstFault far;
  far.report(Fault::constant_row, std::int64_t{1} << 50);
  CHECK(far.status().row == std::int64_t{1} << 50, "row %lld", static_cast<long long>(far.status().row));
  CHECK(far.status().fault == Fault::constant_row, "fault %d", static_cast<int>(far.status().fault));
  for (const Fault fault : {Fault::not_finite, Fault::bad_bandwidth, Fault::bad_weights, Fault::bad_points,
                            Fault::bad_code, Fault::constant_row}) {
    const std::string sentence = fault_sentence({fault, 41}, "samples");
    CHECK(sentence.find("41") != std::string::npos, "'%s' does not name the row", sentence.c_str());
  }
}

void run() {
  covers_every_item_once(serial_for, 1);
  for (const unsigned threads : {1u, 2u, 3u, 8u, 200u}) covers_every_item_once(thread_for(threads), threads);
  for (const std::int64_t thrower : {0, 1, 31, 32, 63}) {
    passes_exceptions_on(serial_for, thrower);
  }
  passes_exceptions_on(thread_for(64), 63);  // one item each: all others are done
  passes_exceptions_on(thread_for(64), 0);
  std::atomic<std::int64_t> sum = 0;
  thread_for()(0, 1000, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
  CHECK(sum == 1000, "%lld items with as many threads as the machine has", static_cast<long long>(sum));
  keeps_to_standard_arithmetic(serial_for);
  keeps_to_standard_arithmetic(thread_for(4));
  const ParallelFor copied = thread_for(2);
  keeps_to_standard_arithmetic(ParallelFor(copied));
  faults();
}

}  // namespace

CHECK_MAIN(run)
