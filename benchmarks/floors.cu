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

#if defined(FLOORS_WGMMA)
// The same by a group of four warps: A [64, K] and B [K, 256] in shared memory, K of 32 bytes, unswizzled: byte k of a
// row stands where place() says.
constexpr int kRowsA = 64, kRowsB = 256, kRowBytes = 32, kAccumulators = 128;

__device__ int place(int row, int k) { return row / 8 * 256 + k / 16 * 128 + row % 8 * 16 + k % 16; }

__device__ std::uint64_t descriptor(const void* shared) {
  const std::uint64_t address = static_cast<std::uint64_t>(__cvta_generic_to_shared(shared));
  // Start address, and the distances between core matrices of 8 x 16 bytes along K and along M or N, in units of 16.
  return (address >> 4 & 0x3fff) | std::uint64_t{128 >> 4} << 16 | std::uint64_t{256 >> 4} << 32;
}

#define WGMMA_REGISTERS                                                                                              \
  "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,"  \
  "%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57," \
  "%58,%59,%60,%61,%62,%63,%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,%84,%85," \
  "%86,%87,%88,%89,%90,%91,%92,%93,%94,%95,%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,"  \
  "%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127}"
#define R4(i) "+r"(c[i]), "+r"(c[i + 1]), "+r"(c[i + 2]), "+r"(c[i + 3])
#define R16(i) R4(i), R4(i + 4), R4(i + 8), R4(i + 12)
#define R64(i) R16(i), R16(i + 16), R16(i + 32), R16(i + 48)
#define WGMMA(instruction)                                                                                  \
  asm volatile("{ .reg .pred p; setp.ne.b32 p, 1, 0; " instruction " " WGMMA_REGISTERS ", %128, %129, p; }" \
               : R64(0), R64(64)                                                                            \
               : "l"(a), "l"(b))

struct BitWgmma {
  static constexpr double kProducts = 64.0 * 256 * 256;
  static __device__ void multiply(int (&c)[kAccumulators], std::uint64_t a, std::uint64_t b) {
    WGMMA("wgmma.mma_async.sync.aligned.m64n256k256.s32.b1.b1.and.popc");
  }
  static __device__ int product(int a, int b) { return __popc(a & b); }
};
struct ByteWgmma {
  static constexpr double kProducts = 64.0 * 256 * 32;
  static __device__ void multiply(int (&c)[kAccumulators], std::uint64_t a, std::uint64_t b) {
    WGMMA("wgmma.mma_async.sync.aligned.m64n256k32.s32.u8.u8");
  }
  static __device__ int product(int a, int b) { return a * b; }
};

struct Operands {
  alignas(128) unsigned char a[kRowsA * kRowBytes], b[kRowsB * kRowBytes];
};

// Random ones, for wgmma to read.
__device__ void fill(Operands* operands, int threads) {
  std::uint32_t* const words = reinterpret_cast<std::uint32_t*>(operands);
  for (int i = threadIdx.x; i < static_cast<int>(sizeof *operands / 4); i += threads)
    words[i] = scrambled(blockIdx.x * 4096 + i);
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
}

__device__ void begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kLeft>
__device__ void await() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
}

// How many entries of one product are not what its operands give: a descriptor that is wrong has a rate all the same.
template <typename Mma>
__global__ void __launch_bounds__(128) check_kernel(int* wrong) {
  __shared__ Operands operands;
  fill(&operands, 128);
  int c[kAccumulators] = {};
  begin();
  Mma::multiply(c, descriptor(operands.a), descriptor(operands.b));
  commit();
  await<0>();
  asm volatile("" : R64(0), R64(64)::"memory");
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int differences = 0;
#pragma unroll
  for (int i = 0; i < kAccumulators; ++i) {
    const int row = 16 * warp + lane / 4 + 8 * (i / 2 % 2), column = 8 * (i / 4) + lane % 4 * 2 + i % 2;
    int expected = 0;
#pragma unroll 1
    for (int k = 0; k < kRowBytes; ++k)
      expected += Mma::product(operands.a[place(row, k)], operands.b[place(column, k)]);
    differences += c[i] != expected;
  }
  atomicAdd(wrong, differences);
}

template <typename Mma>
__global__ void __launch_bounds__(kThreads) wgmma_kernel(int steps, int* sink) {
  __shared__ Operands operands;
  fill(&operands, kThreads);
  const std::uint64_t a = descriptor(operands.a), b = descriptor(operands.b);
  int c[kAccumulators] = {};
  for (int step = 0; step < steps; ++step) {
    begin();
#pragma unroll
    for (int i = 0; i < 4; ++i) Mma::multiply(c, a, b);
    commit();
    await<1>();
  }
  await<0>();
  asm volatile("" : R64(0), R64(64)::"memory");
  int sum = 0;
  for (int i = 0; i < kAccumulators; ++i) sum += c[i];
  sink[blockIdx.x * kThreads + threadIdx.x] = sum;
}
#endif

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

#if defined(FLOORS_WGMMA)
// Leaves the program where wgmma does not compute what it is asked for.
template <typename Mma>
void check_products(const char* what, int* wrong) {
  CHECK_CUDA(cudaMemset(wrong, 0, sizeof *wrong));
  check_kernel<Mma><<<1, 128>>>(wrong);
  CHECK_CUDA(cudaGetLastError());
  int differences;
  CHECK_CUDA(cudaMemcpy(&differences, wrong, sizeof differences, cudaMemcpyDeviceToHost));
  if (differences == 0) return;
  std::fprintf(stderr, "wgmma of %s: %d of %d products are wrong, so its rate means nothing\n", what, differences,
               kRowsA * kRowsB);
  std::exit(1);
}
#endif

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

  const double warps = static_cast<double>(blocks) * kThreads / 32, threads = 32 * warps;
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
    const double groups = warps / 4;
    check_products<BitWgmma>("bits", sink);
    check_products<ByteWgmma>("bytes", sink);
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
