#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cuda_runtime.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
namespace {

constexpr std::size_t kStack = 256 * 1024;

enum class State { ready, at_warp_barrier, at_block_barrier, until_condition, done };

// Contexts start a thread's stack; from then on switches are jumps, which save no signal masks and cost no system call.
using Jump = void* [5];

struct Thread {
  ucontext_t context;
  Jump jump;
  bool started;
  std::unique_ptr<char[]> stack{new char[kStack]};
  std::function<bool()> condition;
};

std::vector<Thread> threads;
std::vector<State> states;  // of the threads; looked at far more often than the rest
std::vector<Slot> slots;
std::unique_ptr<unsigned char[]> shared_memory;
std::size_t shared_bytes;
const std::function<void()>* thread_body;
Jump scheduler_jump;
unsigned current;

// A jump must not land in the function that makes it.
[[noreturn]] __attribute__((noinline)) void jump_to(Jump& jump) { __builtin_longjmp(jump, 1); }

__attribute__((noinline)) void wait(State state) {
  states[current] = state;
  if (__builtin_setjmp(threads[current].jump) == 0) jump_to(scheduler_jump);
}

__attribute__((noinline)) void resume(Thread& thread) {
  if (__builtin_setjmp(scheduler_jump) != 0) return;
  if (thread.started) jump_to(thread.jump);
  thread.started = true;
  setcontext(&thread.context);
  std::abort();  // never reached; without it the call may be a jump out of this frame, to which scheduler_jump leads
}

void trampoline() {
  (*thread_body)();
  wait(State::done);
}

void start(unsigned t) {
  Thread& thread = threads[t];
  getcontext(&thread.context);
  thread.context.uc_stack.ss_sp = thread.stack.get();
  thread.context.uc_stack.ss_size = kStack;
  thread.context.uc_link = nullptr;
  makecontext(&thread.context, trampoline, 0);
  thread.started = false;
  states[t] = State::ready;
}

// Frees [begin, end) if all that still run wait at this kind of barrier.
bool release(std::size_t begin, std::size_t end, State barrier) {
  bool any = false;
  for (std::size_t t = begin; t < end; ++t) {
    if (states[t] == State::done) continue;
    if (states[t] != barrier) return false;
    any = true;
  }
  for (std::size_t t = begin; t < end && any; ++t) {
    if (states[t] == barrier) states[t] = State::ready;
  }
  return any;
}

bool release_waiting(std::size_t count) {
  bool any = false;
  for (std::size_t t = 0; t < count; ++t) {
    if (states[t] != State::until_condition || !threads[t].condition()) continue;
    states[t] = State::ready;
    any = true;
  }
  return any;
}

void run_block(std::size_t count) {
  static const char* const wanted = std::getenv("EMULATION_ORDER");
  static std::mt19937 random(1);
  const std::string order = wanted == nullptr ? "forward" : wanted;
  std::vector<unsigned> turns;
  for (unsigned t = 0; t < count; ++t) start(t);
  for (std::size_t left = count; left > 0;) {
    turns.clear();
    for (unsigned t = 0; t < count; ++t) {
      if (states[t] == State::ready) turns.push_back(t);
    }
    if (order == "backward") std::reverse(turns.begin(), turns.end());
    if (order == "shuffled") std::shuffle(turns.begin(), turns.end(), random);
    bool progress = !turns.empty();
    for (const unsigned t : turns) {
      current = t;
      threadIdx = dim3(t, 0, 0);
      resume(threads[t]);
      left -= states[t] == State::done;
    }
    for (std::size_t w = 0; w < count; w += kWarp) progress |= release(w, w + kWarp, State::at_warp_barrier);
    progress |= release(0, count, State::at_block_barrier);
    progress |= release_waiting(count);
    if (!progress && left > 0) {
      std::fprintf(stderr, "threads of one block wait for what does not come\n");
      std::abort();
    }
  }
}

}  // namespace

unsigned char* dynamic_shared() { return shared_memory.get(); }
std::size_t dynamic_shared_bytes() { return shared_bytes; }
void block_barrier() { wait(State::at_block_barrier); }
void wait_until(std::function<bool()> condition) {
  if (condition()) return;
  threads[current].condition = std::move(condition);
  wait(State::until_condition);
}
void warp_barrier() { wait(State::at_warp_barrier); }
Slot* warp_slots() { return slots.data() + threadIdx.x / kWarp * kWarp; }

void run(dim3 grid, dim3 block, std::size_t dynamic_shared, const std::function<void()>& body) {
  if (block.x % kWarp != 0 || block.y != 1 || block.z != 1) std::abort();
  gridDim = grid, blockDim = block;
  if (threads.size() < block.x) threads.resize(block.x), states.resize(block.x);
  slots = std::vector<Slot>(block.x);
  thread_body = &body;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        shared_bytes = dynamic_shared;
        shared_memory.reset(new unsigned char[dynamic_shared]);
        std::memset(shared_memory.get(), 0xcd, dynamic_shared);
        blockIdx = dim3(x, y, z);
        run_block(block.x);
      }
    }
  }
}

}  // namespace emulation
