// The sums by the lattice, for rows of any length: a block takes one segment of a row's samples and one of its points,
// sorts in shared memory what does not come in order, and walks over the lattice (lattice.cuh). Sums over segments add
// up in finish.cu, so a single long row occupies the whole device.
//
// Shared memory for n samples and k points: keys and indexes of both (6 bytes an entry, 10 for float64), and a scratch
// that the sorts and the lattice take in turn. 768 x 384: 27 KB; 4096 x 2048: 64 KB, three blocks to a multiprocessor
// of an H100; 4096 x 4096: 81 KB, two. The sort waits for its own results most of the time, so the coarse lattice is
// held to the registers of three blocks: 80, where left alone it takes 86 and two blocks would fill the multiprocessor.
//
// Machine code for sm_90: moments and sums are DFMA and DADD, folded across lanes by SHFL.BFLY; there is no
// MUFU.EX2, and nothing in local memory.
#include "common/block_sort.cuh"
#include "common/element.h"
#include "kde/cuda/kde_cuda.h"
#include "kde/cuda/lattice.cuh"

namespace pruning_ext::kde {
namespace {

constexpr int kThreads = 256;

template <typename Key>
using KeyValue = decltype(ordered_value(Key{}));

template <typename Key>
struct SortedSamples {
  const Key* keys;
  const std::uint16_t* index;
  unsigned count;
  Matrix weights;
  double factor;  // of the weights
  std::int64_t row, first;
  __device__ double value(unsigned i) const { return ordered_value(keys[i]); }
  __device__ double weight(unsigned i) const {
    return weights.data == nullptr ? 1.0 : factor * element<double>(weights, row, first + index[i]);
  }
};

template <typename Key>
struct SortedPoints {
  const Key* keys;
  unsigned count;
  __device__ double value(unsigned j) const { return ordered_value(keys[j]); }
};

template <typename Key>
__host__ __device__ inline std::int64_t align16(std::int64_t count) {
  return (count * static_cast<std::int64_t>(sizeof(Key)) + 15) / 16 * 16;
}

// The pieces of shared memory, in bytes; `n` and `k` are the most entries a segment has.
template <typename Shape, typename Key>
struct Layout {
  std::int64_t sample_keys, sample_index, point_keys, point_index, scratch, end;
  __host__ __device__ Layout(std::int64_t n, std::int64_t k) {
    const std::int64_t most = n > k ? n : k;
    sample_keys = 0;
    sample_index = sample_keys + align16<Key>(n);
    point_keys = sample_index + align16<std::uint16_t>(n);
    point_index = point_keys + align16<Key>(k);
    scratch = point_index + align16<std::uint16_t>(k);
    const std::int64_t sort =
        align16<Key>(most) + align16<std::uint16_t>(most) + align16<std::uint16_t>(kDigits * (kThreads / kWarp));
    const std::int64_t tile = sizeof(LatticeTile<Shape>);
    end = scratch + (sort > tile ? sort : tile);
  }
};

// keys [count] and index [count]: entries [first, first + count) of row r of m, ascending, and where each stood. What
// comes in order, as a grid does, is not sorted.
template <typename Key>
__device__ void load_sorted(const Matrix& m, std::int64_t r, std::int64_t first, unsigned count, Key* keys,
                            std::uint16_t* index, unsigned char* scratch) {
  Key* const raw = reinterpret_cast<Key*>(scratch);
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
    keys[i] = raw[i] = ordered_bits(element<KeyValue<Key>>(m, r, first + i));
    index[i] = static_cast<std::uint16_t>(i);
  }
  __syncthreads();
  int falls = 0;
  for (unsigned i = threadIdx.x + 1; i < count; i += blockDim.x) falls |= raw[i] < raw[i - 1];
  if (block_reduce(falls, Or{}) == 0) return;
  std::uint16_t* const other = reinterpret_cast<std::uint16_t*>(scratch + align16<Key>(count));
  std::uint16_t* const counters = other + align16<std::uint16_t>(count) / 2;
  const std::uint16_t* const sorted =
      block_argsort<8 * sizeof(Key)>([raw](unsigned i) { return raw[i]; }, count, index, other, counters);
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
    keys[i] = raw[sorted[i]];
    index[i] = sorted[i];
  }
  __syncthreads();
}

template <typename Shape, typename Key>
__global__ void __launch_bounds__(kThreads, Shape::kTerms <= CoarseLattice::kTerms ? 3 : 2)
    lattice_kernel(const __grid_constant__ SumsJob job, const __grid_constant__ LatticeConstants<Shape> constants,
                   std::int64_t point_segment) {  // blocks: rows x segments of points x segments of samples
  PRUNING_EXT_DYNAMIC_SHARED(shared);
  const std::int64_t n = job.params.samples.cols, k = job.points;
  const Layout<Shape, Key> layout(job.segment_size, point_segment);
  Key* const sample_keys = reinterpret_cast<Key*>(shared + layout.sample_keys);
  std::uint16_t* const sample_index = reinterpret_cast<std::uint16_t*>(shared + layout.sample_index);
  Key* const point_keys = reinterpret_cast<Key*>(shared + layout.point_keys);
  std::uint16_t* const point_index = reinterpret_cast<std::uint16_t*>(shared + layout.point_index);
  unsigned char* const scratch = shared + layout.scratch;
  LatticeTile<Shape>& tile = *reinterpret_cast<LatticeTile<Shape>*>(scratch);

  for (std::int64_t row = blockIdx.x; row < job.rows; row += gridDim.x) {
    const std::int64_t r = job.first_row + row;
    if (job.statistics[r].fault != Fault::none) continue;
    for (std::int64_t segment = blockIdx.z; segment < job.segments; segment += gridDim.z) {
      const std::int64_t first_sample = segment * job.segment_size;
      const unsigned samples = static_cast<unsigned>(min(job.segment_size, n - first_sample));
      load_sorted(job.params.samples, r, first_sample, samples, sample_keys, sample_index, scratch);
      const SortedSamples<Key> sorted{
          sample_keys, sample_index, samples, job.params.weights, job.statistics[r].weight_factor, r, first_sample};
      for (std::int64_t first = blockIdx.y * point_segment; first < k; first += gridDim.y * point_segment) {
        const unsigned points = static_cast<unsigned>(min(point_segment, k - first));
        load_sorted(job.params.points, r, job.first_point + first, points, point_keys, point_index, scratch);
        double* const sums = job.sums + (segment * job.rows + row) * k + first;
        gaussian_sums<Shape>(constants, sorted, SortedPoints<Key>{point_keys, points}, job.params.bandwidth[r], tile,
                             [&](unsigned j, double sum) { sums[point_index[j]] = sum; });
      }
    }
  }
}

bool any_double(const KdeParams& params) {
  return params.samples.dtype == DType::float64 || params.points.dtype == DType::float64;
}

template <typename Shape, typename Key>
cudaError_t launch_shape(const SumsJob& job, const CudaContext& context) {
  const std::int64_t k = job.points;
  const std::int64_t point_segment = std::min(k, lattice_segment(job.params));
  const dim3 blocks = blocks_for(job.rows, (k + point_segment - 1) / point_segment, job.segments);
  const Layout<Shape, Key> layout(job.segment_size, point_segment);
  return launch(lattice_kernel<Shape, Key>, blocks, kThreads, layout.end, context.stream, job,
                lattice_constants<Shape>(), point_segment);
}

}  // namespace

std::int64_t lattice_segment(const KdeParams& params) { return any_double(params) ? 2048 : 4096; }

cudaError_t launch_lattice(const SumsJob& job, const CudaContext& context) {
  // float64 always takes the fine lattice: its time is the sort's.
  if (any_double(job.params)) return launch_shape<FineLattice, std::uint64_t>(job, context);
  if (job.params.accuracy == Accuracy::relative_1e5) return launch_shape<CoarseLattice, std::uint32_t>(job, context);
  return launch_shape<FineLattice, std::uint32_t>(job, context);
}

}  // namespace pruning_ext::kde
