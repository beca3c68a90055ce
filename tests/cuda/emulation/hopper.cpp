#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <vector>

#include "cuda_runtime.h"

namespace emulation {
namespace {

constexpr std::uint32_t kFirstAddress = 0x410;  // of dynamic shared memory
std::mt19937 chance(2);

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// The 8 bytes of a barrier.
struct State {
  std::uint16_t count, pending;
  std::uint32_t phase;
};
static_assert(sizeof(State) == sizeof(std::uint64_t));

State read(const std::uint64_t* barrier) {
  State state;
  std::memcpy(&state, barrier, sizeof state);
  return state;
}

void arrive(std::uint64_t* barrier) {
  State state = read(barrier);
  if (state.pending == 0) fail("more arrivals at a barrier than it expects");
  if (--state.pending == 0) {
    ++state.phase;
    state.pending = state.count;
  }
  std::memcpy(barrier, &state, sizeof state);
}

struct Copy {
  void* to;
  const void* from;
  bool any;
};
using Copies = std::vector<Copy>;
std::map<std::uint64_t*, std::vector<Copies>> arrivals;  // that wait for copies, which have not happened

void happen(std::uint64_t* barrier, const Copies& copies) {
  for (const Copy& copy : copies) {
    std::memset(copy.to, 0, 16);
    if (copy.any) std::memcpy(copy.to, copy.from, 16);
  }
  arrive(barrier);
}

// A matrix descriptor, read bit by bit. Offsets are in bytes.
struct Operand {
  explicit Operand(std::uint64_t descriptor)
      : start(field(descriptor, 0, 14) << 4),
        leading(field(descriptor, 16, 14) << 4),
        stride(field(descriptor, 32, 14) << 4),
        swizzle(field(descriptor, 62, 2)) {
    if (field(descriptor, 14, 2) | field(descriptor, 30, 2) | field(descriptor, 46, 3) | field(descriptor, 52, 10))
      fail("a matrix descriptor with bits that have no meaning");
    if (field(descriptor, 49, 3) != 0) fail("no base offset other than 0 is emulated");
    // Without one the pattern repeats from an address on that is a multiple of its size.
    if (swizzle != 0 && start % (8 * pitch()) >= pitch()) fail("a swizzled matrix that begins within a pattern");
  }

  static std::uint32_t field(std::uint64_t from, int first, int bits) {
    return static_cast<std::uint32_t>(from >> first & ((std::uint64_t{1} << bits) - 1));
  }

  // From one of eight rows to the next: 16 bytes without a swizzle, else what it spans.
  std::uint32_t pitch() const { return swizzle == 0 ? 16 : 256 >> swizzle; }

  // 8 bytes from `byte` of 32 on, of a row: along K, rows being of M or N.
  std::uint64_t at(std::uint32_t row, std::uint32_t byte) const {
    std::uint32_t address = start + row / 8 * stride + row % 8 * pitch();
    // 16 bytes by 8 rows are one piece where nothing is swizzled, and the next along K is `leading` on.
    address += swizzle == 0 ? byte / 16 * leading + byte % 16 : byte;
    if (swizzle != 0) address ^= (address >> 7 & (7u >> (swizzle - 1))) << 4;
    if (address < kFirstAddress || address + 8 > kFirstAddress + dynamic_shared_bytes())
      fail("a matrix descriptor that leaves shared memory");
    std::uint64_t bits;
    std::memcpy(&bits, dynamic_shared() + (address - kFirstAddress), sizeof bits);
    return bits;
  }

  std::uint32_t start, leading, stride, swizzle;
};

struct Product {
  int (*c)[kAccumulators];
  std::uint64_t a, b;
};

struct Stream {  // of one thread
  std::vector<Product> open;
  std::deque<std::vector<Product>> groups;
  Copies copies;
  bool unfenced = false;
};
std::vector<Stream> streams;

Stream& mine() {
  if (streams.size() < blockDim.x) streams.resize(blockDim.x);
  return streams[threadIdx.x];
}

void happen(const Product& product) {
  const Operand a(product.a), b(product.b);
  const unsigned warp = threadIdx.x / kWarp % 4, lane = threadIdx.x % kWarp;
  for (unsigned i = 0; i < kAccumulators; ++i) {
    const unsigned row = 16 * warp + lane / 4 + 8 * (i / 2 % 2), column = 8 * (i / 4) + lane % 4 * 2 + i % 2;
    for (unsigned byte = 0; byte < 32; byte += 8)
      (*product.c)[i] += __builtin_popcountll(a.at(row, byte) & b.at(column, byte));
  }
}

}  // namespace

std::uint32_t shared_address(const void* at) {
  return kFirstAddress + static_cast<std::uint32_t>(static_cast<const unsigned char*>(at) - dynamic_shared());
}

void barrier_init(std::uint64_t* barrier, std::uint32_t count) {
  if (shared_address(barrier) % 8 != 0) fail("a barrier that is not aligned to 8 bytes");
  const auto all = static_cast<std::uint16_t>(count);
  const State state{all, all, 0};
  std::memcpy(barrier, &state, sizeof state);
}

void barrier_arrive(std::uint64_t* barrier) {
  mine();
  for (unsigned lane = 0, first = threadIdx.x / kWarp * kWarp; lane < kWarp; ++lane) {
    if (streams[first + lane].unfenced) fail("an arrival after stores that the tensor cores may not see");
  }
  arrive(barrier);
}

void barrier_wait(std::uint64_t* barrier, std::uint32_t parity) {
  wait_until([=] {
    if (const auto late = arrivals.find(barrier); late != arrivals.end()) {
      for (const Copies& copies : late->second) happen(barrier, copies);
      arrivals.erase(late);
    }
    return read(barrier).phase % 2 != parity;
  });
}

void copy_async(void* to, const void* from, bool any) {
  if (shared_address(to) % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
    fail("an asynchronous copy that is not of aligned 16 bytes");
  mine().copies.push_back({to, from, any});
}

void barrier_arrive_after_copies(std::uint64_t* barrier) {
  Copies copies = std::move(mine().copies);
  mine().copies.clear();
  if (chance() % 2 == 0) {
    happen(barrier, copies);
  } else {
    arrivals[barrier].push_back(std::move(copies));
  }
}

void stored_for_async_proxy() { mine().unfenced = true; }
void fence_async_proxy() { mine().unfenced = false; }

void wgmma_and_popc(int (&c)[kAccumulators], std::uint64_t a, std::uint64_t b) {
  const std::array<std::uint64_t, 2> descriptors{a, b};
  std::array<std::uint64_t, 2> all[kWarp];
  exchange(descriptors, all);
  for (const auto& other : all) {
    if (other != descriptors) fail("descriptors that differ between the lanes of a warp");
  }
  const Product product{&c, a, b};
  if (chance() % 2 == 0) {
    happen(product);
  } else {
    mine().open.push_back(product);
  }
}

void wgmma_commit() {
  Stream& stream = mine();
  stream.groups.push_back(std::move(stream.open));
  stream.open.clear();
}

void wgmma_wait(std::size_t groups_left) {
  Stream& stream = mine();
  for (; stream.groups.size() > groups_left; stream.groups.pop_front()) {
    for (const Product& product : stream.groups.front()) happen(product);
  }
}

}  // namespace emulation
