#include "allocations.h"

#include <pthread.h>

#include <cstdlib>
#include <new>

namespace ptx {
namespace {

// The table of allocations must not come to stand in itself.
template <typename T>
struct Malloc {
  using value_type = T;
  Malloc() = default;
  template <typename U>
  Malloc(const Malloc<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(std::malloc(n * sizeof(T))); }
  void deallocate(T* p, std::size_t) { std::free(p); }
  bool operator==(const Malloc&) const { return true; }
};
using Allocations = std::map<u64, u64, std::less<u64>, Malloc<std::pair<const u64, u64>>>;  // address -> bytes

u64 generation = 1;  // counts what was given back
bool tracks = true;

Allocations& allocations() {  // never destroyed: memory is given back until the end
  static Allocations* const all = new (std::malloc(sizeof(Allocations))) Allocations;
  return *all;
}

Range stack_of_this_thread() {
  pthread_attr_t attributes;
  void* low;
  std::size_t size;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  return {reinterpret_cast<u64>(low), reinterpret_cast<u64>(low) + size, generation};
}

void* take(std::size_t n) {
  // As little aligned as a tensor may be: 16 bytes behind a multiple of 32.
  void* const p = std::aligned_alloc(32, (n + 16 + 31) / 32 * 32 + 32);
  if (p == nullptr) die("out of memory");
  u8* const at = static_cast<u8*>(p) + 16;
  if (tracks) allocations()[reinterpret_cast<u64>(at)] = n;
  return at;
}

void give_back(void* p) {
  if (p == nullptr) return;
  if (allocations().erase(reinterpret_cast<u64>(p)) != 0) ++generation;
  std::free(static_cast<u8*>(p) - 16);
}

}  // namespace

bool find_range(u64 address, Range& range) {
  const Allocations& all = allocations();
  auto after = all.upper_bound(address);
  range = {};
  if (after != all.begin()) {
    --after;
    range = {after->first, after->first + after->second, generation};
    if (address < range.high) return true;
  }
  static const Range stack = stack_of_this_thread();
  if (address < stack.low || address >= stack.high) return false;
  range = {stack.low, stack.high, generation};
  return true;
}

bool is_present(const Range& range) { return range.generation == generation; }

Untracked::Untracked() : before_(tracks) { tracks = false; }
Untracked::~Untracked() { tracks = before_; }

}  // namespace ptx

void* operator new(std::size_t n) { return ptx::take(n); }
void* operator new[](std::size_t n) { return ptx::take(n); }
void operator delete(void* p) noexcept { ptx::give_back(p); }
void operator delete[](void* p) noexcept { ptx::give_back(p); }
void operator delete(void* p, std::size_t) noexcept { ptx::give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { ptx::give_back(p); }
