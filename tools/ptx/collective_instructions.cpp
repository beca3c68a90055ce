// Instructions of a warp's lanes together, of groups of warps, and asynchronous ones.
#include "async.h"
#include "instructions.h"

namespace ptx {
namespace {

Operand register_named(const std::string& name) {
  Operand o;
  o.kind = Operand::reg;
  o.name = name;
  return o;
}

void nothing(Machine&, const Inst&, u32) {}

}  // namespace

void Instruction::with_lanes(Together what, const Operand* members) {
  i_.op = Op::warp_sync;
  i_.together = what;
  i_.aligned = members == nullptr;
  if (members != nullptr) i_.members = names_.source(*members, 4);
  done();
}

bool Instruction::is_together() {
  if (starts("shfl.sync.")) {
    shuffle();
  } else if (starts("vote.sync.ballot.")) {
    i_.d[0] = names_.source(a_[0], 4), i_.a = names_.source(a_[1], 0), i_.source_negated = a_[1].negated;
    with_lanes(Together::ballot, &a_[2]);
  } else if (starts("redux.sync.min.u32")) {
    i_.d[0] = names_.source(a_[0], 4), i_.a = names_.source(a_[1], 4);
    with_lanes(Together::reduce_min, &a_[2]);
  } else if (starts("match.any.sync.b32")) {
    i_.d[0] = names_.source(a_[0], 4), i_.a = names_.source(a_[1], 4);
    with_lanes(Together::match_any, &a_[2]);
  } else if (s_.op == "bar.warp.sync") {
    with_lanes(Together::warp_barrier, &a_[0]);
  } else if (starts("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc") ||
             starts("mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32")) {
    multiply();
  } else {
    return false;
  }
  return true;
}

void Instruction::shuffle() {
  static const std::map<std::string, Together> kinds = {{"bfly", Together::shuffle_butterfly},
                                                        {"up", Together::shuffle_up},
                                                        {"down", Together::shuffle_down},
                                                        {"idx", Together::shuffle_index}};
  i_.d[0] = names_.source(a_[0], 4);
  if (!a_[0].second.empty()) i_.d[1] = names_.source(register_named(a_[0].second), 0);
  i_.a = names_.source(a_[1], 4), i_.b = names_.source(a_[2], 4), i_.c = names_.source(a_[3], 4);
  with_lanes(kinds.at(parts_[2]), &a_[4]);
}

void Instruction::multiply() {
  const std::size_t lengths[] = {4, 4, 2, 4};
  for (std::size_t k = 0; k < 4; ++k) {
    if (a_[k].parts.size() != lengths[k]) names_.fail("a fragment of another length");
    for (const Operand& o : a_[k].parts) i_.list.push_back(names_.source(o, 4));
  }
  with_lanes(parts_[3] == "m16n8k256" ? Together::multiply_bits : Together::multiply_bytes, nullptr);
}

bool Instruction::is_group() {
  if (starts("setmaxnreg.")) {
    i_.imm = static_cast<i64>(a_[0].value);
    with_lanes(Together::set_registers, nullptr);
  } else if (s_.op == "wgmma.fence.sync.aligned") {
    with_lanes(Together::products_fence, nullptr);
  } else if (s_.op == "wgmma.commit_group.sync.aligned") {
    with_lanes(Together::products_commit, nullptr);
  } else if (s_.op == "wgmma.wait_group.sync.aligned") {
    i_.imm = static_cast<i64>(a_[0].value);
    with_lanes(Together::products_wait, nullptr);
  } else if (s_.op == "wgmma.mma_async.sync.aligned.m64n256k256.s32.b1.b1.and.popc") {
    multiply_group();
  } else {
    return false;
  }
  return true;
}

void Instruction::multiply_group() {
  if (a_[0].parts.size() != 128) names_.fail("accumulators");
  for (const Operand& o : a_[0].parts) i_.list.push_back(names_.source(o, 4));
  i_.b = names_.source(a_[1], 8), i_.c = names_.source(a_[2], 8), i_.a = names_.source(a_[3], 0);
  k_.has_wgmma = true;
  with_lanes(Together::products_issue, nullptr);
}

// ---- Asynchronous

bool Instruction::is_async() {
  if (starts("mbarrier.init.shared::cta.b64")) {
    i_.fn = &initialise_barrier;
    memory_base(a_[0]);
    i_.b = names_.source(a_[1], 4);
  } else if (starts("mbarrier.arrive.shared::cta.b64")) {
    i_.fn = &arrive;
    if (a_[0].kind != Operand::none) names_.fail("an arrival's state");
    memory_base(a_[1]);
  } else if (starts("mbarrier.try_wait.parity.shared::cta.b64")) {
    i_.fn = &try_wait, i_.op = Op::try_wait;
    i_.d[0] = names_.source(a_[0], 0);
    memory_base(a_[1]);
    i_.b = names_.source(a_[2], 4);
  } else if (starts("cp.async.mbarrier.arrive.noinc.shared::cta.b64")) {
    i_.fn = &arrive_after_copies;
    memory_base(a_[0]);
  } else if (starts("cp.async.cg.shared.global")) {
    copy_async();
  } else if (starts("fence.proxy.async.shared::cta")) {
    i_.fn = &fence_proxy;
  } else if (starts("fence.mbarrier_init.release.cluster")) {
    i_.fn = &nothing;
  } else {
    return false;
  }
  done();
  return true;
}

void Instruction::copy_async() {
  i_.fn = &ptx::copy_async;
  memory_base(a_[0]);
  if (a_[1].offset != 0 || a_[2].value != 16) names_.fail("a copy of another kind");
  i_.b = names_.source(register_named(a_[1].name), 8);
  i_.e = a_.size() > 3 ? names_.source(a_[3], 4) : -1;
}

}  // namespace ptx
