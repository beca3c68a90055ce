#include "common/cpu_isa.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>

namespace pruning_ext {
namespace {

Isa best_isa() {
#if defined(PRUNING_EXT_HAVE_X86_ISAS)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
                    __builtin_cpu_supports("popcnt");  // every CPU with AVX2 has F16C
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bitalg") &&
                      __builtin_cpu_supports("avx512vpopcntdq");
  return avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::baseline;
#else
  return Isa::baseline;
#endif
}

std::optional<Isa> isa_named(const std::string& name) {
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (name == isa_name(isa)) return isa;
  }
  return std::nullopt;
}

// Empty if it is not set.
const std::string& wanted_isa() {
  static const std::string wanted = [] {
    const char* value = std::getenv("PRUNING_EXT_ISA");
    return std::string(value == nullptr ? "" : value);
  }();
  return wanted;
}

}  // namespace

Isa cpu_isa() {
  static const Isa isa = [] {
    const Isa best = best_isa();
    return std::min(isa_named(wanted_isa()).value_or(best), best);
  }();
  return isa;
}

std::string isa_problem() {
  const std::string& wanted = wanted_isa();
  if (wanted.empty() || isa_named(wanted).has_value()) return "";
  return "PRUNING_EXT_ISA is '" + wanted + "' and is ignored (" + isa_name(cpu_isa()) +
         " is used): set it to baseline, avx2 or avx512, or unset it";
}

const char* isa_name(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "baseline"; }

}  // namespace pruning_ext
