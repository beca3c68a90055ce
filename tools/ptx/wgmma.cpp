#include "wgmma.h"

#include <cstring>
#include <set>

#include "memory.h"

namespace ptx {
namespace {

// A matrix in shared memory, K-major (PTX ISA, matrix descriptor; CUTLASS's canonical layouts).
struct Descriptor {
  u32 start, leading, stride, base, swizzle;
  explicit Descriptor(u64 d)
      : start(static_cast<u32>(d & 0x3fff) << 4),
        leading(static_cast<u32>(d >> 16 & 0x3fff) << 4),
        stride(static_cast<u32>(d >> 32 & 0x3fff) << 4),
        base(static_cast<u32>(d >> 49 & 7)),
        swizzle(static_cast<u32>(d >> 62)) {}
  u32 span() const { return swizzle == 1 ? 128 : swizzle == 2 ? 64 : 32; }  // bytes of a row of the atom
  // Of 16-byte unit `unit` (0, 1) of row `row`.
  u32 address(u32 row, u32 unit) const {
    if (swizzle == 0) return start + row / 8 * stride + row % 8 * 16 + unit * leading;
    const u32 linear = start + row / 8 * stride + row % 8 * span() + unit * 16;
    const u32 mask = span() / 16 - 1;  // Swizzle<log2 of it, 4, 3>
    return linear ^ ((linear >> 7 & mask) << 4);
  }
};

void check_descriptor(Machine& m, const Inst& i, u64 bits) {
  const auto shown = static_cast<unsigned long long>(bits);
  if ((bits & (u64{3} << 14 | u64{3} << 30 | u64{7} << 46 | u64{0x3ff} << 52)) != 0)
    m.trap(i, 1, "descriptor %016llx has bits that mean nothing", shown);
  const Descriptor d(bits);
  const u32 begins = d.start & ~(d.span() - 1);
  if (d.swizzle != 0 && (begins % (8 * d.span()) != 0 || d.base != 0))
    m.trap(i, 1, "descriptor %016llx: the swizzle's pattern begins at %u, base offset %u", shown, begins, d.base);
}

// Stores are seen through the asynchronous proxy behind a proxy fence of the thread that stored, and a barrier.
void check_unit(Machine& m, const Inst& i, u32 at) {
  const Block& b = m.block;
  if (at < kSharedBase || at + 16 > b.memory.size()) m.trap(i, ~0u, "wgmma leaves shared memory at %u", at);
  for (u32 k = at; k < at + 16; ++k) {
    if (b.written[k] == 0) m.trap(i, ~0u, "wgmma reads shared byte %u, never written", k);
    if (b.proxy_thread[k] != 0 && b.fences[b.proxy_thread[k] - 1] == b.proxy_count[k])
      m.trap(i, ~0u, "wgmma reads shared byte %u, stored by thread %d without a proxy fence after it", k,
             b.proxy_thread[k] - 1);
    if (!m.races) continue;
    const SharedByte& s = b.races[k];
    if (s.write_epoch == m.epoch && b.clocks[thread_of(m, 0)][s.writer] < s.write_clock)
      m.trap(i, ~0u, "race: wgmma reads shared byte %u, written by thread %u with nothing between", k, s.writer);
  }
}

// Rows [first, first + rows) of 256 bits.
void read_rows(Machine& m, const Inst& i, u64 descriptor, u32 first, u32 rows, u64 (*out)[4]) {
  check_descriptor(m, i, descriptor);
  const Descriptor d(descriptor);
  for (u32 row = 0; row < rows; ++row) {
    for (u32 unit = 0; unit < 2; ++unit) {
      const u32 at = d.address(first + row, unit);
      check_unit(m, i, at);
      std::memcpy(&out[row][2 * unit], m.block.memory.data() + at, 16);
    }
  }
}

// This warp's quarter of the product.
void happen(Machine& m, Issued& p) {
  p.done = true;
  const Inst& i = *p.inst;
  static u64 a[16][4], b[256][4];
  read_rows(m, i, p.a, 16 * static_cast<u32>(m.warp->id % 4), 16, a);
  read_rows(m, i, p.b, 0, 256, b);
  for (int r = 0; r < 128; ++r) {
    u32* const d = cells<u32>(*m.warp, i.list[r]);
    for (int lane = 0; lane < 32; ++lane) {
      // D: thread values (2, 2, N/8) with strides of one column, 8 rows, 8 columns; lanes (4, 8) of two columns, a row.
      const int row = lane / 4 + r / 2 % 2 * 8, column = lane % 4 * 2 + r % 2 + r / 4 * 8;
      for (int k = 0; k < 4; ++k) d[lane] += static_cast<u32>(std::popcount(a[row][k] & b[column][k]));
    }
  }
}

template <bool kWrites>
void guarded(Machine& m, const Inst& i, u32 mask) {
  if (!m.warp->issued.empty()) m.trap(i, mask, "an accumulator of a product that was not waited for");
  if (kWrites) m.warp->unfenced = true;
  i.inner(m, i, mask);
}

}  // namespace

void issue_product(Machine& m, const Inst& i) {
  Warp& w = *m.warp;
  if (w.unfenced) m.trap(i, ~0u, "wgmma on registers that were written after the last wgmma.fence");
  if (w.preds[i.a] != ~0u) m.trap(i, ~0u, "scale-d is %08x; only all ones is modelled", w.preds[i.a]);
  const u64* const a = cells<u64>(w, i.b);
  const u64* const b = cells<u64>(w, i.c);
  for (int l = 1; l < 32; ++l) {
    if (a[l] != a[0] || b[l] != b[0]) m.trap(i, ~0u, "descriptors differ between lanes");
  }
  // The four warps of a group execute the same products.
  auto& log = m.block.products[w.id / 4];
  if (w.products == log.size()) log.push_back({a[0], b[0]});
  if (log[w.products] != std::pair{a[0], b[0]})
    m.trap(i, ~0u, "product %llu differs from the one of another warp of the group",
           static_cast<unsigned long long>(w.products));
  ++w.products;
  Issued p{&i, a[0], b[0], w.committed, false};
  bool is_next = true;  // they happen in order
  for (const Issued& q : w.issued) is_next &= q.done;
  if (is_next && m.chance(2)) happen(m, p);
  w.issued.push_back(p);
}

void wait_for_products(Machine& m, const Inst& i) {
  Warp& w = *m.warp;
  const int last = w.committed - static_cast<int>(i.imm);  // groups below it are to be done
  std::vector<Issued> left;
  for (Issued& p : w.issued) {
    if (p.group >= last) {
      left.push_back(p);
    } else if (!p.done) {
      happen(m, p);
    }
  }
  w.issued = left;
}

void set_registers(Machine& m, const Inst& i) {
  Warp& w = *m.warp;
  const bool is_more = i.text.find(".inc.") != std::string::npos;
  const int n = static_cast<int>(i.imm);
  if (n % 8 != 0 || n < 24 || n > 256) m.trap(i, ~0u, "setmaxnreg to %d", n);
  if (is_more ? n < w.registers : n > w.registers) m.trap(i, ~0u, "setmaxnreg from %d to %d", w.registers, n);
  w.registers = n;
  // There may be too many for a while: the instruction waits for registers.
  m.block.registers = 0;
  for (const Warp& other : m.block.warps) m.block.registers += other.registers * 32;
}

void check_registers(Machine& m, const Inst& i) {
  if (m.block.registers > 65536) m.trap(i, 1, "setmaxnreg: %d registers in all", m.block.registers);
  for (std::size_t w = 0; w < m.block.warps.size(); ++w) {
    if (m.block.warps[w].registers != m.block.warps[w / 4 * 4].registers)
      m.trap(i, 1, "setmaxnreg differs between the warps of a group");
  }
}

void guard_accumulators(Kernel& kernel) {
  const auto is_product = [](const Inst& i) { return i.op == Op::warp_sync && i.together == Together::products_issue; };
  std::set<int> accumulators;
  for (const Inst& i : kernel.code) {
    if (is_product(i)) accumulators.insert(i.list.begin(), i.list.end());
  }
  for (Inst& i : kernel.code) {
    if (accumulators.empty() || is_product(i)) continue;
    const bool touches_first = accumulators.count(i.d[0]) != 0;
    const bool writes = touches_first && i.fn != &store;
    bool reads = touches_first && i.fn == &store;
    for (const int r : {i.a, i.b, i.c, i.e}) reads |= accumulators.count(r) != 0;
    if (!reads && !writes) continue;
    if (i.op == Op::warp_sync) die(kernel.name + ": lanes exchange accumulators, which is not modelled: " + i.text);
    if (i.op != Op::plain) continue;
    i.inner = i.fn;
    i.fn = writes ? &guarded<true> : &guarded<false>;
  }
}

}  // namespace ptx
