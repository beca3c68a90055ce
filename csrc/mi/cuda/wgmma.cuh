// Hopper's instructions for a group of four warps (sm_90a alone): copies that go on by themselves, barriers that count
// arrivals, matrices described to the tensor cores, and their binary products. Each does what PTX says of the
// instruction it is named after.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
#error "wgmma is an instruction of sm_90a: compile this for no other architecture"
#endif

namespace pruning_ext::mi {

constexpr int kAccumulators = 128;  // a thread's of [64, 256]

__device__ inline std::uint32_t shared_address(const void* shared) {
#if defined(PRUNING_EXT_EMULATED)
  return emulation::shared_address(shared);
#else
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
#endif
}

// Registers that each thread of this group of warps may use from here on. All groups start with what the kernel's
// launch bounds leave them.
template <int kRegisters>
__device__ inline void give_registers_back() {
#if defined(__CUDA_ARCH__)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}
template <int kRegisters>
__device__ inline void take_registers() {
#if defined(__CUDA_ARCH__)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}

// Copies 16 bytes from global to shared memory, or zeros where there are none; asynchronous.
__device__ inline void copy_async(void* to, const void* from, bool any) {
#if defined(__CUDA_ARCH__)
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(any ? 16 : 0)
               : "memory");
#elif defined(PRUNING_EXT_EMULATED)
  emulation::copy_async(to, from, any);
#endif
}

// mbarrier: a phase ends when `count` threads have arrived. Threads that waited for it then see what those wrote
// before.
class Barrier {
 public:
  // By one thread; then fence_barriers() by it and __syncthreads() by all.
  __device__ void expect(std::uint32_t count) {
#if defined(__CUDA_ARCH__)
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)), "r"(count) : "memory");
#elif defined(PRUNING_EXT_EMULATED)
    emulation::barrier_init(&state_, count);
#endif
  }

  __device__ void arrive() {
#if defined(__CUDA_ARCH__)
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
#elif defined(PRUNING_EXT_EMULATED)
    emulation::barrier_arrive(&state_);
#endif
  }

  // When the thread's copies so far are there.
  __device__ void arrive_after_copies() {
#if defined(__CUDA_ARCH__)
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(this)) : "memory");
#elif defined(PRUNING_EXT_EMULATED)
    emulation::barrier_arrive_after_copies(&state_);
#endif
  }

  // Until the current phase is not of this parity. The first phase is of parity 0.
  __device__ void wait(std::uint32_t parity) {
#if defined(__CUDA_ARCH__)
    std::uint32_t over = 0;
    while (over == 0) {
      asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                   : "=r"(over)
                   : "r"(shared_address(this)), "r"(parity)
                   : "memory");
    }
#elif defined(PRUNING_EXT_EMULATED)
    emulation::barrier_wait(&state_, parity);
#endif
  }

 private:
  std::uint64_t state_;
};

// Places in a ring, in the order of their use, and the parity of the barriers that go with it.
template <int kPlaces>
struct Turn {
  std::uint32_t count = 0;
  __device__ std::uint32_t place() const { return count % kPlaces; }
  __device__ std::uint32_t parity() const { return count / kPlaces % 2; }
};

__device__ inline void fence_barriers() {
#if defined(__CUDA_ARCH__)
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#endif
}

// Ordinary stores to shared memory, which the tensor cores see after each thread that wrote called show_stores(). On a
// GPU a store as any other; the emulation holds the two together.
template <typename T>
__device__ inline void store_for_tensor_cores(T* at, const T& value) {
  *at = value;
#if defined(PRUNING_EXT_EMULATED)
  emulation::stored_for_async_proxy();
#endif
}
__device__ inline void show_stores() {
#if defined(__CUDA_ARCH__)
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#elif defined(PRUNING_EXT_EMULATED)
  emulation::fence_async_proxy();
#endif
}

// The matrix descriptor of rows of 128 bytes along K, swizzled: 16 bytes number c of row r stand at number c ^ (r % 8)
// of it. `address` is that of the first of 8-row groups of 1024 bytes, which are aligned to their size and follow each
// other, plus 32 bytes for each step of 256 bits along K. Of the descriptor's 64 bits:
//   0-13   the address / 16
//   16-29  leading dimension offset / 16: not looked at where rows along K are swizzled
//   32-45  stride dimension offset / 16, from one group of 8 rows to the next: 1024 / 16
//   49-51  base offset: 0, the groups being aligned
//   62-63  swizzle: 1, of 128 bytes
// so a step along K adds 2.
__device__ inline std::uint64_t swizzled_rows(std::uint32_t address) {
  return (address >> 4 & 0x3fff) | std::uint64_t{1} << 16 | std::uint64_t{1024 >> 4} << 32 | std::uint64_t{1} << 62;
}
constexpr std::uint64_t kNextStep = 32 >> 4;

#define WGMMA_R4(i) "+r"(c[i]), "+r"(c[i + 1]), "+r"(c[i + 2]), "+r"(c[i + 3])
#define WGMMA_R16(i) WGMMA_R4(i), WGMMA_R4(i + 4), WGMMA_R4(i + 8), WGMMA_R4(i + 12)
#define WGMMA_R64(i) WGMMA_R16(i), WGMMA_R16(i + 16), WGMMA_R16(i + 32), WGMMA_R16(i + 48)

// c += A AND B, popcount over 256 bits, A [64, 256] and B [256, 256] by their descriptors; all threads of the group.
// Asynchronous: c is not to be touched before await_products().
//
// Thread t has row 16 (t / 32) + t % 32 / 4 + 8 (i / 2 % 2) and column 8 (i / 4) + 2 (t % 4) + i % 2 in c[i].
__device__ inline void multiply_bits_async(int (&c)[kAccumulators], std::uint64_t a, std::uint64_t b) {
#if defined(__CUDA_ARCH__)
  asm volatile(
      "{ .reg .pred p; setp.ne.b32 p, 1, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n256k256.s32.b1.b1.and.popc {"
      "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,"
      "%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,"
      "%57,%58,%59,%60,%61,%62,%63,%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,"
      "%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95,%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,"
      "%109,%110,%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127}, "
      "%128, %129, p; }"
      : WGMMA_R64(0), WGMMA_R64(64)
      : "l"(a), "l"(b));
#elif defined(PRUNING_EXT_EMULATED)
  emulation::wgmma_and_popc(c, a, b);
#endif
}

// Before the first product that uses registers which other instructions wrote.
__device__ inline void begin_products() {
#if defined(__CUDA_ARCH__)
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
// Makes a group of the products since the last one.
__device__ inline void commit_products() {
#if defined(__CUDA_ARCH__)
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#elif defined(PRUNING_EXT_EMULATED)
  emulation::wgmma_commit();
#endif
}
// Waits until at most kLeft groups are not done.
template <int kLeft>
__device__ inline void await_products() {
#if defined(__CUDA_ARCH__)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
#elif defined(PRUNING_EXT_EMULATED)
  emulation::wgmma_wait(kLeft);
#endif
}
// Holds the compiler from reading c before what stands above.
__device__ inline void pin(int (&c)[kAccumulators]) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : WGMMA_R64(0), WGMMA_R64(64)::"memory");
#else
  static_cast<void>(c);
#endif
}

#undef WGMMA_R4
#undef WGMMA_R16
#undef WGMMA_R64

}  // namespace pruning_ext::mi
