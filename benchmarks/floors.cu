// What this GPU can do at most, measured: the ceilings that kernels are compared with. One JSON object on stdout.
//
//   nvcc -O3 -std=c++20 -DFLOORS_WGMMA -gencode=arch=compute_90a,code=sm_90a -o floors benchmarks/floors.cu && ./floors
//
// (elsewhere than on sm_90 without FLOORS_WGMMA, and the architecture's own number: those rates are then 0).
// Every rate is the best of kRounds launches that fill the chip, after one that warms up; what a launch computes is
// stored, so that nothing is optimised away. Rates of matrix instructions do not depend on memory: operands stay in
// registers (or, wgmma, in shared memory), and are random bits, since zeros draw less power and run faster.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr int kRounds = 5, kThreads = 256, kChains = 8;

#define CHECK_CUDA(expression)                                                            \
  do {                                                                                    \
    const cudaError_t error = (expression);                                               \
    if (error != cudaSuccess) {                                                           \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(error)); \
      std::exit(1);                                                                       \
    }                                                                                     \
  } while (0)

__device__ std::uint32_t scrambled(std::uint32_t seed) {
  seed ^= seed >> 16, seed *= 0x7feb352du, seed ^= seed >> 15, seed *= 0x846ca68bu;
  return seed ^ seed >> 16;
}

// c += A B of one warp's instruction; kChains independent accumulators hide its latency.
struct BitMma {
  static constexpr double kProducts = 16.0 * 8 * 256;
  static __device__ void multiply(int (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};
struct ByteMma {
  static constexpr double kProducts = 16.0 * 8 * 32;
  static __device__ void multiply(int (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

template <typename Mma>
__global__ void __launch_bounds__(kThreads) mma_kernel(int steps, int* sink) {
  std::uint32_t a[4], b[2];
  const std::uint32_t seed = blockIdx.x * kThreads + threadIdx.x;
  for (int i = 0; i < 4; ++i) a[i] = scrambled(8 * seed + i);
  for (int i = 0; i < 2; ++i) b[i] = scrambled(8 * seed + 4 + i);
  int c[kChains][4] = {};
  for (int step = 0; step < steps; ++step) {
#pragma unroll
    for (int chain = 0; chain < kChains; ++chain) Mma::multiply(c[chain], a, b);
  }
  int sum = 0;
  for (int chain = 0; chain < kChains; ++chain) {
    for (int i = 0; i < 4; ++i) sum += c[chain][i];
  }
  sink[seed] = sum;
}

// The same by a group of four warps: A [64, K] and B [K, 128] in shared memory, K of 32 bytes, unswizzled. The result
// is of no account, only the rate.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define HAS_WGMMA 1
#endif

__device__ std::uint64_t descriptor(const void* shared) {
  const std::uint64_t address = static_cast<std::uint64_t>(__cvta_generic_to_shared(shared));
  // Start address, and the distances between core matrices of 8 x 16 bytes along K and along M or N, in units of 16.
  return (address >> 4 & 0x3fff) | std::uint64_t{128 >> 4} << 16 | std::uint64_t{256 >> 4} << 32;
}

#define WGMMA_REGISTERS                                                                                              \
  "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,"  \
  "%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57," \
  "%58,%59,%60,%61,%62,%63}"
#define R4(i) "+r"(c[i]), "+r"(c[i + 1]), "+r"(c[i + 2]), "+r"(c[i + 3])
#define R16(i) R4(i), R4(i + 4), R4(i + 8), R4(i + 12)
#define WGMMA(instruction)                                                                                \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, 1, 0; " instruction " " WGMMA_REGISTERS ", %64, %65, p; }" \
               : R16(0), R16(16), R16(32), R16(48)                                                        \
               : "l"(a), "l"(b))

struct BitWgmma {
  static constexpr double kProducts = 64.0 * 128 * 256;
  static __device__ void multiply(int (&c)[64], std::uint64_t a, std::uint64_t b) {
#if defined(HAS_WGMMA)
    WGMMA("wgmma.mma_async.sync.aligned.m64n128k256.s32.b1.b1.and.popc");
#endif
  }
};
struct ByteWgmma {
  static constexpr double kProducts = 64.0 * 128 * 32;
  static __device__ void multiply(int (&c)[64], std::uint64_t a, std::uint64_t b) {
#if defined(HAS_WGMMA)
    WGMMA("wgmma.mma_async.sync.aligned.m64n128k32.s32.u8.u8");
#endif
  }
};

template <typename Mma>
__global__ void __launch_bounds__(kThreads) wgmma_kernel(int steps, int* sink) {
#if defined(HAS_WGMMA)
  __shared__ alignas(128) std::uint32_t operands[(64 + 128) * 8];
  for (int i = threadIdx.x; i < (64 + 128) * 8; i += kThreads) operands[i] = scrambled(blockIdx.x * 4096 + i);
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const std::uint64_t a = descriptor(operands), b = descriptor(operands + 64 * 8);
  int c[64] = {};
  for (int step = 0; step < steps; ++step) {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int i = 0; i < 4; ++i) Mma::multiply(c, a, b);
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
  }
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  int sum = 0;
  for (int i = 0; i < 64; ++i) sum += c[i];
  sink[blockIdx.x * kThreads + threadIdx.x] = sum;
#endif
}

__global__ void __launch_bounds__(kThreads) exp2_kernel(int steps, float* sink) {
  float x[kChains];
  for (int chain = 0; chain < kChains; ++chain) x[chain] = -1e-3f * static_cast<float>(threadIdx.x + chain);
  for (int step = 0; step < steps; ++step) {
#pragma unroll
    for (int chain = 0; chain < kChains; ++chain) {
      // Of -x: the chain stays near 0.64, far from infinity.
      asm volatile("{ .reg .f32 n; neg.f32 n, %0; ex2.approx.ftz.f32 %0, n; }" : "+f"(x[chain]));
    }
  }
  float sum = 0;
  for (int chain = 0; chain < kChains; ++chain) sum += x[chain];
  sink[blockIdx.x * kThreads + threadIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) copy_kernel(const uint4* from, uint4* to, std::int64_t count) {
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += std::int64_t{gridDim.x} * kThreads)
    to[i] = from[i];
}

// Reads the same few megabytes again and again: from the second-level cache.
__global__ void __launch_bounds__(kThreads) read_kernel(const uint4* from, std::int64_t count, int passes, int* sink) {
  unsigned sum = 0;
  for (int pass = 0; pass < passes; ++pass) {
#pragma unroll 4
    for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
         i += std::int64_t{gridDim.x} * kThreads) {
      uint4 v;
      asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
                   : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                   : "l"(from + i));
      sum += v.x ^ v.y ^ v.z ^ v.w;
    }
  }
  sink[blockIdx.x * kThreads + threadIdx.x] = static_cast<int>(sum);
}

// The least seconds that a launch took.
template <typename Launch>
double seconds_of(const Launch& launch) {
  cudaEvent_t begin, end;
  CHECK_CUDA(cudaEventCreate(&begin));
  CHECK_CUDA(cudaEventCreate(&end));
  float best = 1e30f;
  for (int round = 0; round <= kRounds; ++round) {
    CHECK_CUDA(cudaEventRecord(begin));
    launch();
    CHECK_CUDA(cudaGetLastError());
    CHECK_CUDA(cudaEventRecord(end));
    CHECK_CUDA(cudaEventSynchronize(end));
    float milliseconds;
    CHECK_CUDA(cudaEventElapsedTime(&milliseconds, begin, end));
    if (round > 0) best = std::min(best, milliseconds);
  }
  CHECK_CUDA(cudaEventDestroy(begin));
  CHECK_CUDA(cudaEventDestroy(end));
  return best / 1e3;
}

}  // namespace

int main() {
  int device, multiprocessors, major, minor;
  CHECK_CUDA(cudaGetDevice(&device));
  CHECK_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  CHECK_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  cudaDeviceProp properties;
  CHECK_CUDA(cudaGetDeviceProperties(&properties, device));
  const int blocks = multiprocessors * 4;
  constexpr std::int64_t kBytes = std::int64_t{1} << 31;  // several times the second-level cache
  uint4 *from, *to;
  CHECK_CUDA(cudaMalloc(&from, kBytes));
  CHECK_CUDA(cudaMalloc(&to, kBytes));
  CHECK_CUDA(cudaMemset(from, 0x5a, kBytes));
  int* const sink = reinterpret_cast<int*>(to);
  constexpr int kSteps = 20000;

  const double warps = static_cast<double>(blocks) * kThreads / 32, groups = warps / 4, threads = 32 * warps;
  const double bit_mma = warps * kSteps * kChains * BitMma::kProducts /
                         seconds_of([&] { mma_kernel<BitMma><<<blocks, kThreads>>>(kSteps, sink); });
  const double byte_mma = warps * kSteps * kChains * ByteMma::kProducts /
                          seconds_of([&] { mma_kernel<ByteMma><<<blocks, kThreads>>>(kSteps, sink); });
  const double exp2 = threads * kSteps * kChains /
                      seconds_of([&] { exp2_kernel<<<blocks, kThreads>>>(kSteps, reinterpret_cast<float*>(sink)); });
  const double copy =
      2.0 * kBytes / seconds_of([&] { copy_kernel<<<multiprocessors * 16, kThreads>>>(from, to, kBytes / 16); });
  constexpr std::int64_t kCached = 16 << 20;
  constexpr int kPasses = 200;
  const double cache = static_cast<double>(kPasses) * kCached / seconds_of([&] {
                         read_kernel<<<multiprocessors * 8, kThreads>>>(from, kCached / 16, kPasses, sink);
                       });
  double bit_wgmma = 0, byte_wgmma = 0;
#if defined(FLOORS_WGMMA)
  if (major == 9) {
    bit_wgmma = groups * kSteps * 4 * BitWgmma::kProducts /
                seconds_of([&] { wgmma_kernel<BitWgmma><<<blocks, kThreads>>>(kSteps, sink); });
    byte_wgmma = groups * kSteps * 4 * ByteWgmma::kProducts /
                 seconds_of([&] { wgmma_kernel<ByteWgmma><<<blocks, kThreads>>>(kSteps, sink); });
  }
#endif
  std::printf(
      "{\"device\": \"%s\", \"capability\": \"%d.%d\", \"multiprocessors\": %d, \"second_level_cache_bytes\": %d,\n"
      " \"copy_bytes_per_second\": %.4g, \"cache_bytes_per_second\": %.4g, \"exp2_per_second\": %.4g,\n"
      " \"bit_products_per_second\": {\"mma\": %.4g, \"wgmma\": %.4g},\n"
      " \"byte_products_per_second\": {\"mma\": %.4g, \"wgmma\": %.4g}}\n",
      properties.name, major, minor, multiprocessors, properties.l2CacheSize, copy, cache, exp2, bit_mma, bit_wgmma,
      byte_mma, byte_wgmma);
  CHECK_CUDA(cudaFree(from));
  CHECK_CUDA(cudaFree(to));
  return 0;
}
