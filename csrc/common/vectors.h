// The width of the compiler's vectors under the instruction set at hand. Only for *_kernels.cpp, as simd.h.
#pragma once

#define PRUNING_EXT_INLINE inline __attribute__((always_inline))

namespace pruning_ext {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

}  // namespace
}  // namespace pruning_ext
