#include "async.h"

#include <algorithm>
#include <cstring>

#include "memory.h"

namespace ptx {
namespace {

u32 barrier_at(Machine& m, const Inst& i, int lane) {
  const u64 at = address_of(m, i, lane);
  if (at % 8 != 0 || at < kSharedBase || at + 8 > m.block.memory.size())
    m.trap(i, 1u << lane, "an mbarrier at %llu", static_cast<unsigned long long>(at));
  return static_cast<u32>(at);
}

MBarrier& known_barrier(Machine& m, const Inst& i, int lane, u32 at) {
  const auto found = m.block.barriers.find(at);
  if (found == m.block.barriers.end()) m.trap(i, 1u << lane, "no mbarrier was initialised at %u", at);
  return found->second;
}

void join(std::vector<u32>& to, const std::vector<u32>& from) {
  for (std::size_t k = 0; k < from.size(); ++k) to[k] = std::max(to[k], from[k]);
}

void arrive_at(Machine& m, const Inst& i, int lane, MBarrier& b, u32 thread) {
  if (b.pending == 0) m.trap(i, 1u << lane, "more arrivals than the mbarrier expects");
  if (m.races) {
    b.clock.resize(m.threads);
    join(b.clock, m.block.clocks[thread]);
    ++m.block.clocks[thread][thread];
  }
  if (--b.pending == 0) b.pending = b.expected, ++b.phase;
  ++m.events;
}

void copy_now(Machine& m, const AsyncCopy& c, int thread) {
  const Inst& i = m.kernel->code[c.inst];
  Warp* const before = m.warp;
  m.warp = &m.block.warps[thread / 32];
  u8* const to = shared_at(m, i, thread % 32, c.to, 16, Access::write);
  std::memset(to, 0, 16);
  if (c.bytes > 0) std::memcpy(to, global_at(m, i, thread % 32, c.from, 16, Access::read), c.bytes);
  m.warp = before;
}

}  // namespace

void initialise_barrier(Machine& m, const Inst& i, u32 mask) {
  LANES(mask, {
    const u32 at = barrier_at(m, i, l), count = cells<u32>(*m.warp, i.b)[l];
    if (count == 0 || count >= 1u << 20) m.trap(i, 1u << l, "an mbarrier of %u arrivals", count);
    if (m.block.barriers.count(at) != 0) m.trap(i, 1u << l, "an mbarrier initialised twice");
    m.block.barriers[at] = {count, count, 0, {}};
  })
}

void arrive(Machine& m, const Inst& i, u32 mask) {
  LANES(mask, arrive_at(m, i, l, known_barrier(m, i, l, barrier_at(m, i, l)), thread_of(m, l)))
}

void try_wait(Machine& m, const Inst& i, u32 mask) {
  u32 result = 0;
  const bool is_moody = m.hostile && m.chance(4);
  LANES(mask, {
    const MBarrier& b = known_barrier(m, i, l, barrier_at(m, i, l));
    const u32 parity = cells<u32>(*m.warp, i.b)[l];
    if (parity > 1) m.trap(i, 1u << l, "a parity of %u", parity);
    if (b.phase % 2 != parity && !is_moody) {
      result |= 1u << l;
      if (m.races) join(m.block.clocks[thread_of(m, l)], b.clock);
    }
  })
  u32& p = m.warp->preds[i.d[0]];
  p = (p & ~mask) | result;
  if (result != mask) m.warp->failed_wait = !is_moody;
}

void copy_async(Machine& m, const Inst& i, u32 mask) {
  LANES(mask, {
    const u64 to = address_of(m, i, l), from = cells<u64>(*m.warp, i.b)[l];
    const u32 bytes = i.e < 0 ? 16 : cells<u32>(*m.warp, i.e)[l];
    if (to % 16 != 0 || from % 16 != 0 || bytes > 16)
      m.trap(i, 1u << l, "cp.async of %u bytes from %llx to %llu", bytes, static_cast<unsigned long long>(from),
             static_cast<unsigned long long>(to));
    m.block.copies[thread_of(m, l)].push_back({static_cast<u32>(to), from, bytes, static_cast<int>(i.pc)});
  })
}

void arrive_after_copies(Machine& m, const Inst& i, u32 mask) {
  LANES(mask, {
    const u32 thread = thread_of(m, l), at = barrier_at(m, i, l);
    known_barrier(m, i, l, at);
    m.block.arrivals.push_back({at, static_cast<int>(thread), std::move(m.block.copies[thread])});
    m.block.copies[thread].clear();
  })
}

void fence_proxy(Machine& m, const Inst&, u32 mask) { LANES(mask, ++m.block.fences[thread_of(m, l)]) }

void complete_one(Machine& m) {
  auto& all = m.block.arrivals;
  const std::size_t k = m.random() % all.size();
  const AsyncArrival a = std::move(all[k]);
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(k));
  if (a.copies.empty()) die("an arrival after no copies");
  for (const AsyncCopy& c : a.copies) copy_now(m, c, a.thread);
  const Inst& i = m.kernel->code[a.copies[0].inst];
  const int lane = a.thread % 32;
  arrive_at(m, i, lane, known_barrier(m, i, lane, a.barrier), static_cast<u32>(a.thread));
}

}  // namespace ptx
