#include "run.h"

#include <algorithm>
#include <cstdio>

#include "async.h"
#include "together.h"
#include "wgmma.h"

namespace ptx {
namespace {

// Groups that are at the same place: as compilers would have it always, in truth perhaps not.
void merge(Warp& w, bool always, std::mt19937_64& random) {
  for (std::size_t x = 0; x < w.groups.size(); ++x) {
    for (std::size_t y = x + 1; y < w.groups.size();) {
      const Group& g = w.groups[y];
      if (w.groups[x].pc == g.pc && w.groups[x].wait == g.wait && (always || random() % 2 != 0)) {
        w.groups[x].mask |= g.mask;
        w.groups.erase(w.groups.begin() + static_cast<std::ptrdiff_t>(y));
      } else {
        ++y;
      }
    }
  }
}

}  // namespace

// ---- The block

void Runner::run_block() {
  Block& b = m_.block;
  std::vector<u32> order(b.warps.size());
  for (u32 k = 0; k < order.size(); ++k) order[k] = k;
  for (int idle = 0;;) {
    const u64 events = m_.events;
    bool is_alive = false;
    const bool has_moved = run_round(order, is_alive);
    if (!is_alive) break;
    if (release_barrier()) continue;
    if (has_moved || events != m_.events) {
      idle = 0;
    } else if (!b.arrivals.empty()) {
      complete_one(m_);
    } else if (++idle > 50) {
      report_deadlock();
    }
  }
  check_end();
}

// A turn for each warp that can run.
bool Runner::run_round(std::vector<u32>& order, bool& is_alive) {
  Block& b = m_.block;
  if (m_.hostile) std::shuffle(order.begin(), order.end(), m_.random);
  bool has_moved = false;
  for (const u32 k : order) {
    Warp& w = b.warps[k];
    if (w.exited == ~0u) continue;
    is_alive = true;
    if (waits(w)) continue;
    m_.warp = &w;
    has_moved |= run_warp(w, m_.hostile ? 1 + static_cast<int>(m_.random() % 200) : 5000) != Result::polled;
    if (!b.arrivals.empty() && m_.chance(3)) complete_one(m_);
  }
  return has_moved;
}

// All of a warp at the block's barrier.
bool Runner::waits(const Warp& w) const {
  return w.groups.size() == 1 && w.groups[0].wait == Wait::block_bar && w.groups[0].mask == ~w.exited;
}

bool Runner::release_barrier() {
  bool any = false;
  for (const Warp& w : m_.block.warps) {
    if (w.exited == ~0u) continue;
    if (!waits(w)) return false;
    any = true;
  }
  if (!any) return false;
  for (Warp& w : m_.block.warps) {
    if (w.exited == ~0u) continue;
    w.groups[0].wait = Wait::ready;
    ++w.groups[0].pc;
  }
  ++m_.epoch;
  ++m_.events;
  return true;
}

void Runner::report_deadlock() {
  const Inst* first = &m_.kernel->code[0];
  for (const Warp& w : m_.block.warps) {
    for (const Group& g : w.groups) {
      first = &at(g);
      std::fprintf(stderr, "warp %d: lanes %08x at line %d (%s)%s\n", w.id, g.mask, at(g).line, at(g).text.c_str(),
                   g.wait == Wait::ready ? "" : ", waiting");
    }
  }
  m_.trap(*first, 0, "deadlock");
}

void Runner::check_end() {
  const Inst& first = m_.kernel->code[0];
  if (!m_.block.arrivals.empty()) m_.trap(first, 0, "the block ends with copies under way");
  for (const Warp& w : m_.block.warps) {
    if (!w.issued.empty()) m_.trap(first, 0, "a warp ends with products under way");
  }
  if (m_.kernel->has_wgmma) check_registers(m_, first);
}

// ---- A warp

// The group to run, or -1.
int Runner::pick(Warp& w) {
  merge(w, !m_.hostile, m_.random);
  int best = -1;
  u64 seen = 0;
  for (std::size_t k = 0; k < w.groups.size(); ++k) {
    if (w.groups[k].wait != Wait::ready) continue;
    const bool is_better = m_.hostile ? m_.random() % ++seen == 0 : best < 0 || w.groups[k].pc < w.groups[best].pc;
    if (is_better) best = static_cast<int>(k);
  }
  return best;
}

Runner::Result Runner::run_warp(Warp& w, int quantum) {
  w.failed_wait = false;
  const u64 start = m_.stats->executed;
  while (quantum > 0) {
    if (w.groups.empty()) return Result::finished;
    const int k = pick(w);
    if (k < 0) {
      meet(w);
      if (pick(w) >= 0) continue;
      if (!waits(w)) report_stuck(w);
      return m_.stats->executed != start ? Result::blocked : Result::polled;
    }
    run_group(w, static_cast<std::size_t>(k), quantum);
    if (w.failed_wait) return Result::polled;
  }
  return Result::yielded;
}

void Runner::report_stuck(const Warp& w) {
  std::string all;
  for (const Group& g : w.groups) all += " line " + std::to_string(at(g).line) + " (" + at(g).text + ")";
  m_.trap(at(w.groups[0]), w.groups[0].mask, "the lanes of a warp wait for each other at%s", all.c_str());
}

// Runs one group until it splits, waits, meets another or has had its turn.
void Runner::run_group(Warp& w, std::size_t k, int& quantum) {
  const u32 limit = limit_of(w, k);
  const int turn = turn_of(w, k, quantum);
  const u32 lanes = w.groups[k].mask;
  u32 pc = w.groups[k].pc;
  Wait wait = Wait::ready;
  bool goes_on = true, leaves = false;
  int executed = 0;
  for (; goes_on && pc < limit && executed < turn; ++executed) {
    const Inst& i = m_.kernel->code[pc];
    m_.stats->hit[pc] = 1;
    u32 mask = lanes;
    if (i.guard >= 0) mask &= i.guard_negated ? ~w.preds[i.guard] : w.preds[i.guard];
    switch (i.op) {
      case Op::plain:
        if (mask != 0) i.fn(m_, i, mask);
        ++pc;
        break;
      case Op::branch:
        if (mask != 0) m_.stats->taken[pc] = 1;
        if (mask != lanes) m_.stats->fallen[pc] = 1;
        pc = mask == lanes ? i.target : pc + 1;
        if (mask == lanes || mask == 0) break;
        w.groups[k].mask = lanes & ~mask;
        w.groups.push_back({i.target, mask, Wait::ready});
        goes_on = false;
        break;
      case Op::exit:
        leaves = true;
        goes_on = false;
        break;
      case Op::try_wait:
        i.fn(m_, i, lanes);
        ++pc;
        goes_on = !w.failed_wait && !m_.hostile;
        break;
      case Op::warp_sync:
        goes_on = is_together(w, i, lanes);
        if (goes_on) {
          execute_together(m_, {{&i, lanes}}, lanes);
          ++pc;
        } else {
          wait = Wait::warp_sync;
        }
        break;
      case Op::block_bar:
        m_.stats->late[pc] += lanes != ~w.exited;
        wait = Wait::block_bar;
        goes_on = false;
    }
  }
  quantum -= executed + 1;
  m_.stats->executed += static_cast<u64>(executed);
  if (leaves) {
    w.exited |= lanes;
    w.groups.erase(w.groups.begin() + static_cast<std::ptrdiff_t>(k));
    ++m_.events;
    return;
  }
  w.groups[k].pc = pc, w.groups[k].wait = wait;
  if (wait != Wait::ready) meet(w);
}

// How many instructions a group may execute; before, it may fall apart.
int Runner::turn_of(Warp& w, std::size_t k, int quantum) {
  if (!m_.hostile) return quantum;
  const u32 lanes = w.groups[k].mask;
  if (std::popcount(lanes) > 1 && m_.chance(24)) {
    const u32 part = static_cast<u32>(m_.random()) & lanes;
    if (part != 0 && part != lanes) {
      w.groups[k].mask &= ~part;
      w.groups.push_back({w.groups[k].pc, part, Wait::ready});
    }
  }
  return 1 + static_cast<int>(m_.random() % 40);
}

// Where the next group is to be met.
u32 Runner::limit_of(const Warp& w, std::size_t k) const {
  u32 limit = ~0u;
  for (std::size_t o = 0; !m_.hostile && o < w.groups.size(); ++o) {
    if (o != k && w.groups[o].wait == Wait::ready) limit = std::min(limit, w.groups[o].pc);
  }
  return limit;
}

// ---- Lanes that wait for each other

bool Runner::is_together(const Warp& w, const Inst& i, u32 lanes) {
  if (lanes == expected_at(w, i, lanes)) return true;
  m_.stats->late[i.pc] += i.aligned;
  return false;
}

u32 Runner::expected_at(const Warp& w, const Inst& i, u32 lanes) {
  if (i.aligned && w.exited != 0) m_.trap(i, lanes, "an aligned instruction after lanes %08x have left", w.exited);
  const u32 members = members_of(i, lanes);
  if ((lanes & ~members) != 0) m_.trap(i, lanes, "lanes that are not among the members %08x", members);
  return members & ~w.exited;
}

u32 Runner::members_of(const Inst& i, u32 lanes) {
  if (i.aligned) return ~0u;
  const u32* const members = cells<u32>(*m_.warp, i.members);
  const u32 mask = members[std::countr_zero(lanes)];
  LANES(lanes, if (members[l] != mask) m_.trap(i, lanes, "lanes name different members"))
  return mask;
}

// Groups that wait: joined where they stand at the same instruction, let go where all are there.
void Runner::meet(Warp& w) {
  for (std::size_t x = 0; x < w.groups.size(); ++x) {
    if (w.groups[x].wait == Wait::ready) continue;
    for (std::size_t y = w.groups.size(); y-- > x + 1;) {
      if (w.groups[x].pc != w.groups[y].pc || w.groups[x].wait != w.groups[y].wait) continue;
      w.groups[x].mask |= w.groups[y].mask;
      w.groups.erase(w.groups.begin() + static_cast<std::ptrdiff_t>(y));
    }
  }
  int at_barrier = 0;
  for (const Group& g : w.groups) at_barrier += g.wait == Wait::block_bar;
  if (at_barrier > 1) m_.trap(at(w.groups[0]), w.groups[0].mask, "lanes of a warp at different block barriers");
  for (std::size_t x = 0; x < w.groups.size(); ++x) {
    if (w.groups[x].wait == Wait::warp_sync && let_go(w, x)) return meet(w);
  }
}

// If all that group x waits for are there, at the same instruction or one of its kind.
bool Runner::let_go(Warp& w, std::size_t x) {
  const Inst& i = at(w.groups[x]);
  const u32 members = members_of(i, w.groups[x].mask), expected = expected_at(w, i, w.groups[x].mask);
  u32 there = 0;
  std::vector<Part> parts;
  std::vector<std::size_t> which;
  for (std::size_t y = 0; y < w.groups.size(); ++y) {
    const Group& g = w.groups[y];
    if (g.wait != Wait::warp_sync || at(g).together != i.together) continue;
    if (members_of(at(g), g.mask) != members) continue;
    parts.push_back({&at(g), g.mask});
    which.push_back(y);
    there |= g.mask;
  }
  if (there != expected) return false;
  if (parts.size() > 1 && i.aligned) m_.trap(i, w.groups[x].mask, "an aligned instruction reached at different places");
  execute_together(m_, parts, there);
  for (const std::size_t y : which) w.groups[y].wait = Wait::ready, ++w.groups[y].pc;
  return true;
}

}  // namespace ptx
