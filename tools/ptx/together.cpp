#include "together.h"

#include "races.h"
#include "wgmma.h"

namespace ptx {
namespace {

// Where lane `lane` reads from, of its segment; itself where that is out of bounds (`ok` false).
int source_lane(Together what, int lane, u32 argument, u32 clamp, bool& ok) {
  const int b = static_cast<int>(argument & 0x1f), c = static_cast<int>(clamp & 0x1f);
  const int segment = static_cast<int>(clamp >> 8 & 0x1f);
  const int bound = (lane & segment) | (c & ~segment);
  int from;
  switch (what) {
    case Together::shuffle_up: from = lane - b; break;
    case Together::shuffle_down: from = lane + b; break;
    case Together::shuffle_butterfly: from = lane ^ b; break;
    default: from = (lane & segment) | (b & ~segment);
  }
  ok = what == Together::shuffle_up ? from >= bound : from <= bound;
  return ok ? from : lane;
}

void exchange(Machine& m, const std::vector<Part>& parts, u32 all) {
  u32 value[32];
  for (const Part& p : parts) LANES(p.mask, value[l] = cells<u32>(*m.warp, p.inst->a)[l])
  for (const Part& p : parts) {
    const Inst& i = *p.inst;
    const u32* const argument = cells<u32>(*m.warp, i.b);
    const u32* const clamp = cells<u32>(*m.warp, i.c);
    u32 valid = 0, result[32] = {};  // the destination may be an argument
    LANES(p.mask, {
      bool ok;
      const int from = source_lane(i.together, l, argument[l], clamp[l], ok);
      if ((all >> from & 1) == 0)
        m.trap(i, 1u << l, "shfl reads lane %d, which does not take part (%08x do)", from, all);
      result[l] = value[from];
      valid |= static_cast<u32>(ok) << l;
    })
    LANES(p.mask, cells<u32>(*m.warp, i.d[0])[l] = result[l])
    if (i.d[1] >= 0) m.warp->preds[i.d[1]] = (m.warp->preds[i.d[1]] & ~p.mask) | valid;
  }
}

void vote(Machine& m, const std::vector<Part>& parts) {
  u32 ballot = 0;
  for (const Part& p : parts) ballot |= (m.warp->preds[p.inst->a] ^ (p.inst->source_negated ? ~0u : 0u)) & p.mask;
  for (const Part& p : parts) LANES(p.mask, cells<u32>(*m.warp, p.inst->d[0])[l] = ballot)
}

void reduce_min(Machine& m, const std::vector<Part>& parts) {
  u32 least = ~0u;
  for (const Part& p : parts) LANES(p.mask, least = std::min(least, cells<u32>(*m.warp, p.inst->a)[l]))
  for (const Part& p : parts) LANES(p.mask, cells<u32>(*m.warp, p.inst->d[0])[l] = least)
}

void match(Machine& m, const std::vector<Part>& parts, u32 all) {
  u32 value[32] = {};
  for (const Part& p : parts) LANES(p.mask, value[l] = cells<u32>(*m.warp, p.inst->a)[l])
  for (const Part& p : parts) {
    LANES(p.mask, {
      u32 same = 0;
      for (int other = 0; other < 32; ++other) same |= static_cast<u32>(value[other] == value[l]) << other;
      cells<u32>(*m.warp, p.inst->d[0])[l] = same & all;
    })
  }
}

bool is_exchange(Together what) { return what <= Together::match_any; }

// mma: A [16, K] and B [K, 8] from the lanes' registers, D = A B + C; list: d0..3 a0..3 b0..1 c0..3. Rows of fragments:
// elements of registers 0 and 2 of A lie in row `group`, those of 1 and 3 eight below; the second half of K is in 2
// and 3. (PTX ISA, figures of mma.m16n8k32 and .m16n8k256.)
template <typename Dot>
void multiply(Machine& m, const Inst& i, const Dot& dot) {
  const auto reg = [&](int k, int lane) -> u32& { return cells<u32>(*m.warp, i.list[k])[lane]; };
  u32 a[16][8], b[8][8];  // [row][word along K], [column][word]
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 4, member = lane % 4;
    for (int r = 0; r < 4; ++r) a[group + r % 2 * 8][r / 2 * 4 + member] = reg(4 + r, lane);
    for (int r = 0; r < 2; ++r) b[group][r * 4 + member] = reg(8 + r, lane);
  }
  u32 sum[16][8] = {};
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      for (int k = 0; k < 8; ++k) sum[row][column] += dot(a[row][k], b[column][k]);
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 4, member = lane % 4;
    for (int r = 0; r < 4; ++r) reg(r, lane) = reg(10 + r, lane) + sum[group + r / 2 * 8][member * 2 + r % 2];
  }
}

void multiply_bits(Machine& m, const Inst& i) {  // m16n8k256, and.popc
  multiply(m, i, [](u32 a, u32 b) { return static_cast<u32>(std::popcount(a & b)); });
}

void multiply_bytes(Machine& m, const Inst& i) {  // m16n8k32, u8
  multiply(m, i, [](u32 a, u32 b) {
    u32 sum = 0;
    for (int bit = 0; bit < 32; bit += 8) sum += (a >> bit & 0xff) * (b >> bit & 0xff);
    return sum;
  });
}

}  // namespace

void execute_together(Machine& m, const std::vector<Part>& parts, u32 all) {
  const Inst& i = *parts[0].inst;
  if (m.races && is_exchange(i.together)) join_reads(m, all);
  switch (i.together) {
    case Together::shuffle_butterfly:
    case Together::shuffle_up:
    case Together::shuffle_down:
    case Together::shuffle_index: exchange(m, parts, all); break;
    case Together::ballot: vote(m, parts); break;
    case Together::reduce_min: reduce_min(m, parts); break;
    case Together::match_any: match(m, parts, all); break;
    case Together::warp_barrier:
      if (m.races) join_clocks(m, all);
      break;
    case Together::multiply_bits: multiply_bits(m, i); break;
    case Together::multiply_bytes: multiply_bytes(m, i); break;
    case Together::set_registers: set_registers(m, i); break;
    case Together::products_fence: m.warp->unfenced = false; break;
    case Together::products_issue: issue_product(m, i); break;
    case Together::products_commit: ++m.warp->committed; break;
    case Together::products_wait: wait_for_products(m, i); break;
  }
}

}  // namespace ptx
