// State of the interpreter: instructions, warps, a block's shared memory and what is known of each byte of it.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "options.h"
#include "statements.h"

namespace ptx {

struct Machine;
struct Inst;
struct Warp;
using Fn = void (*)(Machine&, const Inst&, u32 mask);

// What the runner has to know of an instruction; a plain one concerns only the lanes that execute it.
enum class Op : u8 { plain, branch, exit, warp_sync, block_bar, try_wait };
// What lanes do together.
enum class Together : u8 {
  shuffle_butterfly,
  shuffle_up,
  shuffle_down,
  shuffle_index,
  ballot,
  reduce_min,
  match_any,
  warp_barrier,
  multiply_bits,
  multiply_bytes,
  set_registers,
  products_fence,
  products_issue,
  products_commit,
  products_wait
};
enum class Space : u8 { global, shared, kernel_param, local_param, generic };

struct Inst {
  Fn fn = nullptr;
  Fn inner = nullptr;  // behind a wrapper that guards the accumulators of wgmma
  Op op = Op::plain;
  Space space = Space::global;
  u8 element = 0, vec = 1, slot = 4;  // loads and stores: bytes of an element, elements, bytes of a register's slot
  bool sign = false;                  // loads: extended by it
  bool guard_negated = false, source_negated = false;
  bool wide_address = false;  // of 64 bits
  bool aligned = false;       // by all lanes of the warp together, or not at all
  int guard = -1;
  // Offsets into the registers, or predicates; -1 is none.
  int d[4] = {-1, -1, -1, -1};
  int a = -1, b = -1, c = -1, e = -1;
  int members = -1;  // register with the mask of lanes
  i64 imm = 0;
  Together together{};
  u32 target = 0, pc = 0;
  std::vector<int> list;  // registers of mma, wgmma and of moves from and to several
  int line = 0;
  std::string text;
};

struct Kernel {
  std::string name;
  std::vector<Inst> code;
  int reg_bytes = 1 << 16;  // from where no predicate is counted, so that an operand says which it is
  int preds = 0, local_bytes = 0;
  std::vector<std::pair<int, u64>> const32, const64;  // cells that hold a constant
  std::vector<std::pair<int, bool>> const_preds;
  std::map<std::string, int> special;  // %tid.x ... -> cell
  std::vector<Param> params;
  std::vector<int> param_offsets;
  int param_bytes = 0, static_shared = 0, max_threads = 1024;
  int dynamic_shared = 0;  // admitted
  bool has_wgmma = false;
  std::vector<u8> hit, taken, fallen;
  std::vector<u32> late;  // how often parts of a warp waited for each other at an aligned instruction
  u64 launches = 0, executed = 0;
};

// Where the windows of shared memory and of the parameters lie among generic addresses.
constexpr u64 kGenericShared = u64{0x7fe1} << 48, kGenericParam = u64{0x7fe2} << 48;
constexpr u32 kSharedBase = 1024;  // the system's own

// Lanes of a warp that are at one instruction, with what they wait for there.
enum class Wait : u8 { ready, warp_sync, block_bar };
struct Group {
  u32 pc, mask;
  Wait wait;
};

struct Issued {  // a product that is not yet waited for
  const Inst* inst;
  u64 a, b;
  int group;
  bool done;
};

struct Warp {
  int id = 0;
  u8* regs = nullptr;
  u32* preds = nullptr;
  u8* local = nullptr;
  u32 exited = 0;
  std::vector<Group> groups;
  bool failed_wait = false;
  // Of wgmma.
  std::vector<Issued> issued;
  int committed = 0;
  bool unfenced = false;  // registers were written since the last wgmma.fence
  u64 products = 0;       // issued so far
  int registers = 0;
};

// For races: who wrote last and who read since. Epochs are counted by barriers of the block, clocks by each thread.
struct SharedByte {
  u32 write_epoch = 0, write_clock = 0, read_epoch = 0, read_clock = 0;
  u16 writer = 0, reader = 0;
  u8 reads = 0;  // 0 none, 1 one thread, 2 several of a warp, 3 several warps
  bool atomic = false;
};

struct AsyncCopy {
  u32 to;
  u64 from;
  u32 bytes;
  int inst;
};
struct AsyncArrival {
  u32 barrier;
  int thread;
  std::vector<AsyncCopy> copies;
};
struct MBarrier {
  u32 expected, pending, phase;
  std::vector<u32> clock;  // for races: what waiters come to know
};

struct Block {
  u32 id[3];
  std::vector<u8> memory, written;
  std::vector<SharedByte> races;
  std::vector<u16> proxy_thread, proxy_count;  // generic writes, for fence.proxy.async
  std::vector<u16> fences;                     // of each thread
  std::map<u32, MBarrier> barriers;
  std::vector<std::vector<AsyncCopy>> copies;  // of each thread
  std::vector<AsyncArrival> arrivals;
  std::vector<Warp> warps;
  std::vector<std::vector<u32>> clocks;         // races: [thread][thread]
  std::vector<std::array<u32, 32>> seen_reads;  // [thread][lane]: reads that a collective instruction put before
  std::vector<std::vector<std::pair<u64, u64>>> products;  // [group of warps][n]: descriptors
  int registers = 0;                                       // of all its threads
};

// An allocation, while its generation is the present one.
struct Range {
  u64 low = 1, high = 0;
  u64 generation = 0;
};

// What a launch changes; one block runs at a time.
struct Machine {
  const Kernel* kernel = nullptr;
  Kernel* stats = nullptr;
  Block block;
  Warp* warp = nullptr;
  u32 grid[3], threads = 0;
  std::vector<u8> param;
  u32 epoch = 0;   // of the block barrier, over all blocks
  u64 events = 0;  // that may let a warp go on which waits
  std::mt19937_64 random{options().seed};
  const bool hostile = options().hostile, races = options().races, global_races = options().global_races;
  u32 block_first_epoch = 0;
  std::unordered_map<u64, std::array<SharedByte, 8>> global_bytes;  // of this launch, by address / 8
  std::vector<Range> cache;                                         // by instruction

  // Ends the program: what the kernel does is wrong, or not modelled.
  [[noreturn]] void trap(const Inst& i, u32 lanes, const char* format, ...);
  bool chance(u32 in) { return random() % in == 0; }
};

}  // namespace ptx
