// Codes of values by their column's edges: few edges are passed one by one, many searched.
#include "mi/cpu/encode_kernels.h"

namespace pruning_ext::mi::encoding::PRUNING_EXT_ISA {
namespace {

template <typename Value>
void encode(const Value* values, std::int64_t n, const Value* edges, std::int64_t num_edges, std::uint8_t* codes) {
  constexpr std::int64_t kStep = 64;
  constexpr std::int64_t kFew = 32;  // edges that are cheaper to pass one by one than to search
  for (std::int64_t first = 0; first < n; first += kStep) {
    const std::int64_t size = n - first < kStep ? n - first : kStep;
    std::int32_t code[kStep] = {};
    if (num_edges <= kFew) {
      for (std::int64_t e = 0; e < num_edges; ++e) {
        const Value edge = edges[e];
        for (std::int64_t i = 0; i < size; ++i) code[i] += values[first + i] >= edge;
      }
    } else {
      for (std::int64_t i = 0; i < size; ++i) {
        std::int64_t base = 0;
        for (std::int64_t step = 128; step > 0; step /= 2) {
          const std::int64_t next = base + step;
          base = next <= num_edges && edges[next - 1] <= values[first + i] ? next : base;
        }
        code[i] = static_cast<std::int32_t>(base);
      }
    }
    for (std::int64_t i = 0; i < size; ++i) codes[first + i] = static_cast<std::uint8_t>(code[i]);
  }
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table{encode<float>, encode<double>};
  return table;
}

}  // namespace pruning_ext::mi::encoding::PRUNING_EXT_ISA
