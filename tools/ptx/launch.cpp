#include "launch.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "lanes.h"
#include "run.h"

namespace ptx {
namespace {

constexpr u32 kRegisters = 65536;  // of a block

const char* reason_against(const Kernel& k, const Extent& grid, const Extent& block) {
  const u64 threads = u64{block.x} * block.y * block.z;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffffu)
    return "grid";
  if (threads == 0 || threads > 1024 || threads > static_cast<u64>(k.max_threads)) return "threads";
  if (threads % 32 != 0 || block.y != 1 || block.z != 1) return "the interpreter wants whole warps in one dimension";
  return nullptr;
}

// PTX_CLAMP="direct_kernel:xy finish_kernel:y": of these kernels one block or two along these axes, whatever was asked
// for: they loop over what is left, and so these loops run.
Extent clamped(const Kernel& k, Extent grid) {
  const std::string& all = options().clamp;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find(' ', at), all.size()), colon = all.find(':', at);
    if (colon > end) die("PTX_CLAMP wants name:axes, not " + all.substr(at, end - at));
    if (k.name.find(all.substr(at, colon - at)) != std::string::npos) {
      const std::string axes = all.substr(colon + 1, end - colon - 1);
      const u32 most = 1 + static_cast<u32>(k.launches % 2);
      if (axes.find('x') != std::string::npos) grid.x = std::min(grid.x, most);
      if (axes.find('y') != std::string::npos) grid.y = std::min(grid.y, most);
      if (axes.find('z') != std::string::npos) grid.z = std::min(grid.z, most);
    }
    at = end + 1;
  }
  return grid;
}

u32 special(const Machine& m, const std::string& name, u32 warp, u32 lane) {
  const auto axis = static_cast<u32>(name.back() - 'x');
  if (name == "%laneid") return lane;
  if (axis > 2) die("special register " + name);
  if (name.rfind("%tid.", 0) == 0) return axis == 0 ? 32 * warp + lane : 0;
  if (name.rfind("%ntid.", 0) == 0) return axis == 0 ? m.threads : 1;
  if (name.rfind("%ctaid.", 0) == 0) return m.block.id[axis];
  if (name.rfind("%nctaid.", 0) == 0) return m.grid[axis];
  die("special register " + name);
}

void start_block(Machine& m, const Kernel& k, u64 number, std::size_t shared) {
  Block& b = m.block;
  b.id[0] = static_cast<u32>(number % m.grid[0]);
  b.id[1] = static_cast<u32>(number / m.grid[0] % m.grid[1]);
  b.id[2] = static_cast<u32>(number / m.grid[0] / m.grid[1]);
  const std::size_t bytes = kSharedBase + static_cast<std::size_t>(k.static_shared) + shared;
  b.memory.assign(bytes, 0xcd);
  b.written.assign(bytes, 0);
  if (m.races) {
    b.races.resize(bytes);
    if (b.clocks.empty()) {  // they count on over the blocks of a launch
      b.seen_reads.assign(m.threads, {});
      b.clocks.assign(m.threads, std::vector<u32>(m.threads, 0));
      for (u32 t = 0; t < m.threads; ++t) b.clocks[t][t] = 1;
    }
  }
  if (k.has_wgmma) b.proxy_thread.assign(bytes, 0), b.proxy_count.assign(bytes, 0), b.fences.assign(m.threads, 0);
  b.barriers.clear();
  b.copies.assign(m.threads, {});
  b.arrivals.clear();
  b.products.assign(m.threads / 128 + 1, {});
  b.registers = 0;
  m.block_first_epoch = ++m.epoch;
  for (Warp& w : b.warps) {
    w.exited = 0;
    w.groups.assign(1, {0, ~0u, Wait::ready});
    w.issued.clear();
    w.committed = 0, w.products = 0, w.unfenced = false;
    w.registers = static_cast<int>(kRegisters / m.threads / 8 * 8);
    for (const auto& [name, at] : k.special) {
      for (u32 l = 0; l < 32; ++l) cells<u32>(w, at)[l] = special(m, name, static_cast<u32>(w.id), l);
    }
  }
}

// Registers, predicates and parameters of calls, of all warps: what was never written is noise.
struct Files {
  std::vector<u8> registers, local;
  std::vector<u32> preds;

  Files(const Kernel& k, std::vector<Warp>& warps) {
    const std::size_t regs = (static_cast<std::size_t>(k.reg_bytes) + 63) / 64 * 64;
    const std::size_t locals = static_cast<std::size_t>(k.local_bytes) * 32;
    const std::size_t flags = static_cast<std::size_t>(k.preds) + 1;
    registers.assign(warps.size() * regs + 64, 0xdb);
    local.assign(warps.size() * locals + 16, 0xdb);
    preds.assign(warps.size() * flags, 0xb6db6db6);
    for (std::size_t n = 0; n < warps.size(); ++n) {
      Warp& w = warps[n];
      w.id = static_cast<int>(n);
      w.regs = aligned(registers.data(), 64) + n * regs;
      w.local = aligned(local.data(), 16) + n * locals;
      w.preds = preds.data() + n * flags;
      for (const auto& [at, value] : k.const_preds) w.preds[at] = value ? ~0u : 0;
      for (const auto& [at, value] : k.const32) std::fill_n(cells<u32>(w, at), 32, static_cast<u32>(value));
      for (const auto& [at, value] : k.const64) std::fill_n(cells<u64>(w, at), 32, value);
    }
  }

  static u8* aligned(u8* p, u64 to) { return p + (to - reinterpret_cast<u64>(p) % to) % to; }
};

std::vector<u64> order_of_blocks(Machine& m) {
  std::vector<u64> order(u64{m.grid[0]} * m.grid[1] * m.grid[2]);
  for (u64 n = 0; n < order.size(); ++n) order[n] = n;
  if (m.hostile) std::shuffle(order.begin(), order.end(), m.random);
  return order;
}

}  // namespace

Launched launch(Kernel& k, Extent grid, Extent block, void** arguments, std::size_t shared) {
  if (const char* const reason = reason_against(k, grid, block)) {
    std::fprintf(stderr, "launch of %s refused: %s\n", k.name.c_str(), reason);
    return Launched::bad_configuration;
  }
  if (static_cast<i64>(shared) > k.dynamic_shared) {
    std::fprintf(stderr, "launch of %s refused: %zu bytes of dynamic shared memory, %d admitted\n", k.name.c_str(),
                 shared, k.dynamic_shared);
    return Launched::bad_shared_memory;
  }
  static Machine& m = *new Machine;
  grid = clamped(k, grid);
  m.kernel = m.stats = &k;
  ++k.launches;
  m.threads = block.x;
  m.grid[0] = grid.x, m.grid[1] = grid.y, m.grid[2] = grid.z;
  m.param.assign(static_cast<std::size_t>(k.param_bytes), 0);
  for (std::size_t p = 0; p < k.params.size(); ++p)
    std::memcpy(m.param.data() + k.param_offsets[p], arguments[p], static_cast<std::size_t>(k.params[p].bytes));
  m.cache.assign(k.code.size(), Range{});
  m.global_bytes.clear();
  m.block.clocks.clear();
  m.block.warps.assign(m.threads / 32, Warp{});
  const Files files(k, m.block.warps);
  Runner runner(m);
  for (const u64 n : order_of_blocks(m)) {
    start_block(m, k, n, shared);
    runner.run_block();
  }
  return Launched::done;
}

}  // namespace ptx
