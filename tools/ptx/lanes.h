// Registers as the interpreter keeps them: of each, one cell for every lane, 4 bytes wide or 8.
#pragma once

#include <bit>
#include <type_traits>

#include "machine.h"

namespace ptx {

template <typename T>
using Slot = std::conditional_t<sizeof(T) == 8, u64, u32>;

template <typename T>
using Bits = std::conditional_t<sizeof(T) == 8, u64,
                                std::conditional_t<sizeof(T) == 4, u32, std::conditional_t<sizeof(T) == 2, u16, u8>>>;

template <typename T>
inline T get(Slot<T> s) {
  return std::bit_cast<T>(static_cast<Bits<T>>(s));
}
template <typename T>
inline Slot<T> put(T v) {
  return std::bit_cast<Bits<T>>(v);
}

// The 32 cells of a register.
template <typename T>
inline Slot<T>* cells(const Warp& w, int offset) {
  return reinterpret_cast<Slot<T>*>(w.regs + offset);
}

}  // namespace ptx

// The statements for every lane `l` of a mask. All lanes together are the common case, and a loop of known length is
// vectorised.
#define LANES(mask, ...)                                   \
  if ((mask) == ~0u) {                                     \
    for (int l = 0; l < 32; ++l) {                         \
      __VA_ARGS__;                                         \
    }                                                      \
  } else {                                                 \
    for (u32 rest = (mask); rest != 0; rest &= rest - 1) { \
      const int l = std::countr_zero(rest);                \
      __VA_ARGS__;                                         \
    }                                                      \
  }
