// Blocks, warps, groups of lanes: who runs next. Two schedules: lanes that are furthest behind first (as compilers
// would have them meet again), or anyone, with groups that fall apart by chance (PTX_HOSTILE).
#pragma once

#include "machine.h"

namespace ptx {

class Runner {
 public:
  explicit Runner(Machine& machine) : m_(machine) {}

  // To the end of the block that m.block holds.
  void run_block();

 private:
  enum class Result { yielded, blocked, finished, polled };

  Machine& m_;

  const Inst& at(const Group& g) const { return m_.kernel->code[g.pc]; }
  // Of the block.
  bool waits(const Warp& w) const;
  bool run_round(std::vector<u32>& order, bool& is_alive);
  bool release_barrier();
  [[noreturn]] void report_deadlock();
  void check_end();

  // Of a warp.
  int pick(Warp& w);
  Result run_warp(Warp& w, int quantum);
  [[noreturn]] void report_stuck(const Warp& w);
  void run_group(Warp& w, std::size_t k, int& quantum);
  int turn_of(Warp& w, std::size_t k, int quantum);
  u32 limit_of(const Warp& w, std::size_t k) const;
  bool is_together(const Warp& w, const Inst& i, u32 lanes);
  // The lanes that are to meet at an instruction where `lanes` are, of those that have not left.
  u32 expected_at(const Warp& w, const Inst& i, u32 lanes);
  u32 members_of(const Inst& i, u32 lanes);
  void meet(Warp& w);
  bool let_go(Warp& w, std::size_t x);
};

}  // namespace ptx
