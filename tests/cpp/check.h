// A minimal test framework: checks that are counted and go on, and an exit status.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/cpu_isa.h"

namespace check {

inline long done = 0, failed = 0;
constexpr int kSkipped = 77;  // what CTest is told (SKIP_RETURN_CODE)

// The instruction set that this run was asked for, if this CPU does not have it.
inline const char* missing_isa() {
  const char* wanted = std::getenv("PRUNING_EXT_ISA");
  const bool runs = wanted == nullptr || std::strcmp(wanted, pruning_ext::isa_name(pruning_ext::cpu_isa())) == 0;
  return runs ? nullptr : wanted;
}

inline int summary() {
  std::printf("%ld checks on %s, %ld failed\n", done, pruning_ext::isa_name(pruning_ext::cpu_isa()), failed);
  return done > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;  // a program that checks nothing has not passed
}

}  // namespace check

// CHECK(condition, format, values...): the message says what was found, and is printed for the first failures only.
#define CHECK(condition, ...)                                            \
  do {                                                                   \
    ++check::done;                                                       \
    if (!(condition) && ++check::failed <= 20) {                         \
      std::printf("%s:%d: %s failed: ", __FILE__, __LINE__, #condition); \
      std::printf(__VA_ARGS__);                                          \
      std::printf("\n");                                                 \
    }                                                                    \
  } while (false)

// The main function of a test program: `run` holds its checks.
#define CHECK_MAIN(run)                                                  \
  int main() {                                                           \
    if (const char* isa = check::missing_isa()) {                        \
      std::printf("skipped: this CPU or build does not have %s\n", isa); \
      return check::kSkipped;                                            \
    }                                                                    \
    run();                                                               \
    return check::summary();                                             \
  }
