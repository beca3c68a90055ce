// The floating-point arithmetic that the kernels are written for, whatever the calling thread has chosen.
#pragma once

#include <cfenv>

namespace pruning_ext {

// While it lives this thread rounds to nearest and keeps subnormal numbers; then its own ways are back. A thread that
// flushes subnormals (torch.set_flush_denormal; any library linked with -ffast-math) would lose float16's, which pass
// through float32's on their way to float64, and a pool's other threads would not: results would depend on the cut.
class StandardArithmetic {
 public:
  StandardArithmetic() {
    std::fegetenv(&callers_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~StandardArithmetic() { std::fesetenv(&callers_); }
  StandardArithmetic(const StandardArithmetic&) = delete;
  StandardArithmetic& operator=(const StandardArithmetic&) = delete;

 private:
  std::fenv_t callers_;
};

}  // namespace pruning_ext
