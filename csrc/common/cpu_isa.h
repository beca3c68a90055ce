// The choice among the compiled instruction sets at run time. Kernel files named *_kernels.cpp are compiled once for
// each, in a namespace named after it (PRUNING_EXT_ISA), and return one table of functions; drivers pick the table by
// cpu_isa().
#pragma once

#include <string>

namespace pruning_ext {

enum class Isa : signed char {
  baseline,  // what the platform guarantees (SSE2 on x86-64, NEON on AArch64)
  avx2,      // AVX2, FMA, F16C, BMI2, POPCNT: Haswell, Zen and later
  avx512,    // AVX-512 F/BW/DQ/VL with VBMI, BITALG and VPOPCNTDQ: Ice Lake, Zen 4 and later
};

// The best instruction set that this CPU has and this build contains. The environment variable PRUNING_EXT_ISA
// (baseline, avx2 or avx512) lowers it, for tests and measurements; it is read once.
Isa cpu_isa();

// A sentence if PRUNING_EXT_ISA names none of them and is ignored, else empty. Nothing is printed: Python warns with
// it, and a C++ program that compares instruction sets should ask, or it compares one with itself.
std::string isa_problem();

const char* isa_name(Isa isa);

}  // namespace pruning_ext

#if defined(PRUNING_EXT_HAVE_X86_ISAS)
// Declares `namespace::{baseline,avx2,avx512}::kernels()` and defines `active_kernels()`, which chooses among them.
#define PRUNING_EXT_DECLARE_KERNELS(Table)                       \
  namespace baseline {                                           \
  const Table& kernels();                                        \
  }                                                              \
  namespace avx2 {                                               \
  const Table& kernels();                                        \
  }                                                              \
  namespace avx512 {                                             \
  const Table& kernels();                                        \
  }                                                              \
  inline const Table& active_kernels() {                         \
    switch (::pruning_ext::cpu_isa()) {                          \
      case ::pruning_ext::Isa::avx512: return avx512::kernels(); \
      case ::pruning_ext::Isa::avx2: return avx2::kernels();     \
      default: return baseline::kernels();                       \
    }                                                            \
  }
#else
#define PRUNING_EXT_DECLARE_KERNELS(Table) \
  namespace baseline {                     \
  const Table& kernels();                  \
  }                                        \
  inline const Table& active_kernels() { return baseline::kernels(); }
#endif
