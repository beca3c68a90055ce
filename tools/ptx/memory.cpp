#include "memory.h"

#include <algorithm>
#include <cstring>

#include "allocations.h"
#include "races.h"

namespace ptx {
namespace {

unsigned long long shown(u64 at) { return at; }

void check_barriers(Machine& m, const Inst& i, int lane, u64 at, u32 bytes) {
  const auto& barriers = m.block.barriers;
  if (barriers.empty()) return;
  const auto next = barriers.upper_bound(static_cast<u32>(at) + bytes - 1);
  if (next != barriers.begin() && std::prev(next)->first + 8 > at)
    m.trap(i, 1u << lane, "an ordinary access to an mbarrier");
}

u8* parameter_at(Machine& m, const Inst& i, int lane, u64 at, u32 bytes, Access access) {
  if (access != Access::read) m.trap(i, 1u << lane, "parameters are constant");
  if (at + bytes > m.param.size() || at % bytes != 0)
    m.trap(i, 1u << lane, "parameters: %u bytes at %llu", bytes, shown(at));
  return m.param.data() + at;
}

u8* resolve(Machine& m, const Inst& i, int lane, u64 at, u32 bytes, Access access) {
  constexpr u64 kOffset = 0xffffffff;
  Space space = i.space;
  if (space == Space::generic) {
    const u64 window = at & ~kOffset;
    space = window == kGenericShared ? Space::shared : window == kGenericParam ? Space::kernel_param : Space::global;
    if (space != Space::global) at &= kOffset;
  }
  switch (space) {
    case Space::shared: return shared_at(m, i, lane, at, bytes, access);
    case Space::global: return global_at(m, i, lane, at, bytes, access);
    case Space::kernel_param: return parameter_at(m, i, lane, at, bytes, access);
    default: return m.warp->local + lane * m.kernel->local_bytes + at;
  }
}

template <typename T, typename Signed>
u64 element_as(const u8* p, bool sign) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return sign ? static_cast<u64>(static_cast<Signed>(v)) : v;
}
u64 element_at(const u8* p, int bytes, bool sign) {
  switch (bytes) {
    case 1: return element_as<u8, std::int8_t>(p, sign);
    case 2: return element_as<u16, std::int16_t>(p, sign);
    case 4: return element_as<u32, std::int32_t>(p, sign);
    default: return element_as<u64, i64>(p, sign);
  }
}

// In any order where that is left to chance.
template <typename T, bool kMin>
void atomic(Machine& m, const Inst& i, u32 mask) {
  int order[32], n = 0;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) order[n++] = std::countr_zero(rest);
  if (m.hostile) std::shuffle(order, order + n, m.random);
  for (int k = 0; k < n; ++k) {
    const int l = order[k];
    u8* const p = resolve(m, i, l, address_of(m, i, l), sizeof(T), Access::atomic);
    T old;
    std::memcpy(&old, p, sizeof old);
    const T value = cells<T>(*m.warp, i.b)[l];
    const T now = kMin ? std::min(old, value) : old + value;
    std::memcpy(p, &now, sizeof now);
    cells<T>(*m.warp, i.d[0])[l] = old;
  }
}

}  // namespace

u8* shared_at(Machine& m, const Inst& i, int lane, u64 at, u32 bytes, Access access) {
  Block& b = m.block;
  if (at < kSharedBase || at + bytes > b.memory.size())
    m.trap(i, 1u << lane, "shared memory, %u bytes at %llu, of [%u, %zu)", bytes, shown(at), kSharedBase,
           b.memory.size());
  if (at % bytes != 0) m.trap(i, 1u << lane, "misaligned shared access, %u bytes at %llu", bytes, shown(at));
  check_barriers(m, i, lane, at, bytes);
  u8* const written = b.written.data() + at;
  if (access != Access::write) {
    for (u32 k = 0; k < bytes; ++k) {
      if (written[k] == 0) m.trap(i, 1u << lane, "shared byte %llu is read and was never written", shown(at + k));
    }
  } else {
    std::memset(written, 1, bytes);
    if (m.kernel->has_wgmma) {
      const u32 t = thread_of(m, lane);
      for (u64 k = at; k < at + bytes; ++k) b.proxy_thread[k] = static_cast<u16>(t + 1), b.proxy_count[k] = b.fences[t];
    }
  }
  for (u64 k = at; m.races && k < at + bytes; ++k) {
    SharedByte& s = b.races[k];
    if (s.write_epoch < m.block_first_epoch) s.write_epoch = 0;
    if (s.read_epoch < m.block_first_epoch) s.reads = 0;
    check_race(m, i, lane, k, access, s);
  }
  return b.memory.data() + at;
}

u8* global_at(Machine& m, const Inst& i, int lane, u64 at, u32 bytes, Access access) {
  Range& r = m.cache[i.pc];
  if (!is_present(r) || at < r.low || at + bytes > r.high) {
    if (!find_range(at, r) || at + bytes > r.high)
      m.trap(i, 1u << lane, "global memory, %u bytes at %llx: outside of every allocation (nearest [%llx, %llx))",
             bytes, shown(at), shown(r.low), shown(r.high));
  }
  if (at % bytes != 0) m.trap(i, 1u << lane, "misaligned global access, %u bytes at %llx", bytes, shown(at));
  for (u64 k = at; m.global_races && k < at + bytes; ++k)
    check_race(m, i, lane, k, access, m.global_bytes[k / 8][k % 8]);
  return reinterpret_cast<u8*>(at);
}

void load(Machine& m, const Inst& i, u32 mask) {
  const u32 bytes = static_cast<u32>(i.element) * i.vec;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    const u8* const p = resolve(m, i, l, address_of(m, i, l), bytes, Access::read);
    for (int v = 0; v < i.vec; ++v) {
      const u64 value = element_at(p + v * i.element, i.element, i.sign);
      if (i.slot == 8) {
        cells<u64>(*m.warp, i.d[v])[l] = value;
      } else {
        cells<u32>(*m.warp, i.d[v])[l] = static_cast<u32>(i.slot == 2 ? value & 0xffff : value);
      }
    }
  }
}

void store(Machine& m, const Inst& i, u32 mask) {
  const u32 bytes = static_cast<u32>(i.element) * i.vec;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    u8* const p = resolve(m, i, l, address_of(m, i, l), bytes, Access::write);
    for (int v = 0; v < i.vec; ++v) {
      const u64 value = i.slot == 8 ? cells<u64>(*m.warp, i.d[v])[l] : cells<u32>(*m.warp, i.d[v])[l];
      std::memcpy(p + v * i.element, &value, i.element);
    }
  }
}

Fn atomic_of(bool is_min, bool wide) {
  if (wide) return is_min ? &atomic<u64, true> : &atomic<u64, false>;
  return is_min ? &atomic<u32, true> : &atomic<u32, false>;
}

}  // namespace ptx
