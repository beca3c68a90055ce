// Loads, stores and atomics, and what is checked at each: bounds, alignment, bytes never written, races.
#pragma once

#include "lanes.h"

namespace ptx {

enum class Access : u8 { read, write, atomic };

inline u32 thread_of(const Machine& m, int lane) { return static_cast<u32>(m.warp->id * 32 + lane); }

// Where `bytes` bytes at an address lie in the host's memory, after all checks.
u8* shared_at(Machine& m, const Inst& i, int lane, u64 at, u32 bytes, Access access);
u8* global_at(Machine& m, const Inst& i, int lane, u64 at, u32 bytes, Access access);

// What a lane gives as an address.
inline u64 address_of(const Machine& m, const Inst& i, int lane) {
  if (i.wide_address) return cells<u64>(*m.warp, i.a)[lane] + static_cast<u64>(i.imm);
  return cells<u32>(*m.warp, i.a)[lane] + static_cast<u32>(i.imm);
}

void load(Machine& m, const Inst& i, u32 mask);
void store(Machine& m, const Inst& i, u32 mask);
Fn atomic_of(bool is_min, bool wide);

}  // namespace ptx
