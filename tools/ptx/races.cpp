#include "races.h"

#include <algorithm>

namespace ptx {
namespace {

// Of global memory: nothing orders one block of a launch with another.
bool touched_by_another_block(const Machine& m, const SharedByte& s, Access access) {
  const bool written = s.write_epoch != 0 && s.write_epoch < m.block_first_epoch;
  const bool read = access != Access::read && s.reads != 0 && s.read_epoch < m.block_first_epoch;
  return written || read;
}

// Whether all reads since the last write are known to thread t. Of several lanes of a warp the last one is kept: a
// barrier of the warp after it orders all of them.
bool knows_reads(const Machine& m, const SharedByte& s, u32 t) {
  if (s.reads == 0 || s.read_epoch != m.epoch) return true;
  if (s.reads == 3) return false;
  const auto& clocks = m.block.clocks[t];
  if (s.reader == t) return s.reads == 1 || clocks[t] > s.read_clock;
  return clocks[s.reader] >= s.read_clock ||
         (s.reader / 32u == t / 32 && m.block.seen_reads[t][s.reader % 32] >= s.read_clock);
}

}  // namespace

void check_race(Machine& m, const Inst& i, int lane, u64 at, Access access, SharedByte& s) {
  const u32 t = thread_of(m, lane);
  const auto& clocks = m.block.clocks[t];
  const bool both_atomic = access == Access::atomic && s.atomic;
  const auto place = static_cast<unsigned long long>(at);
  if (touched_by_another_block(m, s, access) && !both_atomic)
    m.trap(i, 1u << lane, "race: byte %llx, touched by another block of this launch", place);
  const bool knows_write = s.write_epoch != m.epoch || s.writer == t || clocks[s.writer] >= s.write_clock;
  if (!knows_write && !both_atomic)
    m.trap(i, 1u << lane, "race: byte %llx, %s by thread %u, written by thread %u with nothing between", place,
           access == Access::read ? "read" : "written", t, s.writer);
  const bool knows = knows_reads(m, s, t);
  if (access == Access::read) {
    s.reads = knows ? 1 : s.reads == 3 || s.reader / 32u != t / 32 ? 3 : 2;
    s.reader = static_cast<u16>(t), s.read_epoch = m.epoch, s.read_clock = clocks[t];
    return;
  }
  if (!knows && !both_atomic) {
    static constexpr const char* kWho[] = {"", "alone", "and others of its warp", "and other warps"};
    m.trap(i, 1u << lane, "race: byte %llx written by thread %u, read by thread %u (%s) with nothing between", place, t,
           s.reader, kWho[s.reads]);
  }
  s.reads = 0;
  s.writer = static_cast<u16>(t), s.write_epoch = m.epoch, s.write_clock = clocks[t];
  s.atomic = access == Access::atomic;
}

void join_clocks(Machine& m, u32 mask) {
  auto& clocks = m.block.clocks;
  const u32 first = thread_of(m, 0);
  std::vector<u32> all(m.threads, 0);
  LANES(mask, {
    const auto& c = clocks[first + l];
    for (u32 k = 0; k < m.threads; ++k) all[k] = std::max(all[k], c[k]);
  })
  LANES(mask, {
    clocks[first + l] = all;
    ++clocks[first + l][first + l];
  })
}

void join_reads(Machine& m, u32 mask) {
  const u32 first = thread_of(m, 0);
  auto& clocks = m.block.clocks;
  auto& seen = m.block.seen_reads;
  std::array<u32, 32> all{};
  LANES(mask, {
    all[l] = std::max(all[l], clocks[first + l][first + l]);
    for (u32 k = 0; k < 32; ++k) all[k] = std::max(all[k], seen[first + l][k]);
  })
  LANES(mask, {
    seen[first + l] = all;
    ++clocks[first + l][first + l];
  })
}

}  // namespace ptx
