// A Matrix of any dtype and any strides gives, bit for bit, what its entries give as contiguous float64.
#include "common/matrix.h"

#include "check.h"
#include "common/threads.h"
#include "kde/kde.h"
#include "ken/ken.h"
#include "truth.h"

using namespace pruning_ext;
using truth::Row;

namespace {

// The value of 16 bits with so many of them in the exponent, by the definition of the format.
double value_of(std::uint16_t bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - bias - fraction_bits)
                                         : std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
  return bits >> 15 ? -magnitude : magnitude;
}

struct Buffer {  // entries of one dtype, and what they are worth
  DType dtype;
  std::vector<std::uint64_t> storage;
  Row values;

  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(storage.data());
  }
};

Buffer buffer_of(DType dtype, std::size_t size) {
  Buffer buffer{dtype, std::vector<std::uint64_t>(size), truth::normal(static_cast<std::int64_t>(size))};
  for (std::size_t i = 0; i < size; ++i) {
    double& value = buffer.values[i];
    // Any finite 16 bits of moderate size, subnormals and both zeros among them.
    const auto bits = static_cast<std::uint16_t>(truth::generator()());
    switch (dtype) {
      case DType::float64: buffer.as<double>()[i] = value; break;
      case DType::float32: value = buffer.as<float>()[i] = static_cast<float>(value); break;
      case DType::float16: {
        const std::uint16_t half = i % 7 == 0 ? bits & 0x83ff : i % 7 == 1 ? bits & 0x8000 : bits & 0xbfff;
        buffer.as<std::uint16_t>()[i] = half;
        value = value_of(half, 5);
        break;
      }
      case DType::bfloat16: {
        const std::uint16_t brain = i % 7 == 1 ? bits & 0x8000 : bits & 0x80ff ? (bits & 0x81ff) | 0x3e00 : 0x3f80;
        buffer.as<std::uint16_t>()[i] = brain;
        value = value_of(brain, 8);
        break;
      }
    }
  }
  return buffer;
}

struct View {
  const char* name;
  std::int64_t first, row_stride, col_stride;
};

std::vector<View> views(std::int64_t rows, std::int64_t cols) {
  return {
      {"contiguous", 0, cols, 1},
      {"transposed", 0, 1, rows},
      {"every second entry", 1, 2 * cols, 2},
      {"rows backwards", (rows - 1) * cols, -cols, 1},
      {"columns backwards", cols - 1, cols, -1},
      {"both backwards, every third", 3 * rows * cols - 1, -3 * cols, -3},
      {"one row for all", 3, 0, 1},
      {"overlapping rows", 0, 1, 1},
  };
}

const void* entry(Buffer& buffer, std::int64_t i) {
  return reinterpret_cast<const char*>(buffer.storage.data()) + i * dtype_size(buffer.dtype);
}

Row densities(const Matrix& samples, const Matrix& points, const Matrix& weights) {
  const Row h(static_cast<std::size_t>(samples.rows), 0.3);
  Row density(static_cast<std::size_t>(samples.rows * points.cols));
  kde::KdeParams params;
  params.samples = samples;
  params.points = points;
  params.weights = weights;
  params.bandwidth = h.data();
  params.density = density.data();
  params.density_dtype = DType::float64;
  const Status status = kde::gaussian_kde_cpu(params, serial_for);
  CHECK(static_cast<bool>(status), "%s", fault_sentence(status, "samples").c_str());
  return density;
}

std::vector<char> masks(const Matrix& weight) {
  std::vector<char> mask(static_cast<std::size_t>(weight.rows * weight.cols));
  ken::KenParams params;
  params.weight = weight;
  params.k = weight.cols / 3;
  params.mask = reinterpret_cast<bool*>(mask.data());
  const Status status = ken::ken_mask_cpu(params, serial_for);
  CHECK(static_cast<bool>(status), "%s", fault_sentence(status, "weight").c_str());
  return mask;
}

void same_as_contiguous(DType dtype, std::int64_t rows, std::int64_t cols) {
  Buffer buffer = buffer_of(dtype, static_cast<std::size_t>(3 * rows * cols + 8));
  for (const View& view : views(rows, cols)) {
    const Matrix strided{entry(buffer, view.first), dtype, rows, cols, view.row_stride, view.col_stride};
    Row plain, magnitudes;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) {
        plain.push_back(
            buffer.values[static_cast<std::size_t>(view.first + r * view.row_stride + c * view.col_stride)]);
      }
    }
    const Matrix contiguous{plain.data(), DType::float64, rows, cols, cols, 1};
    const Row weights = truth::uniform(cols, 0, 1);
    const Matrix shared{weights.data(), DType::float64, rows, cols, 0, 1};
    CHECK(densities(strided, strided, {}) == densities(contiguous, contiguous, {}), "dtype %d, [%lld, %lld], %s",
          static_cast<int>(dtype), static_cast<long long>(rows), static_cast<long long>(cols), view.name);
    CHECK(densities(strided, strided, shared) == densities(contiguous, contiguous, shared),
          "dtype %d, [%lld, %lld], %s, weights", static_cast<int>(dtype), static_cast<long long>(rows),
          static_cast<long long>(cols), view.name);
    CHECK(masks(strided) == masks(contiguous), "mask of dtype %d, [%lld, %lld], %s", static_cast<int>(dtype),
          static_cast<long long>(rows), static_cast<long long>(cols), view.name);
  }
}

void run() {
  for (const DType dtype : {DType::float64, DType::float32, DType::float16, DType::bfloat16}) {
    for (std::int64_t cols = 1; cols <= 70; ++cols) same_as_contiguous(dtype, 3, cols);
    same_as_contiguous(dtype, 70, 5);
    same_as_contiguous(dtype, 2, 600);
  }
  // A constant row: one entry, read with stride 0.
  const double value = 0.75;
  const Matrix constant{&value, DType::float64, 4, 33, 0, 0};
  const Row copied(4 * 33, value);
  CHECK(densities(constant, constant, {}) == densities({copied.data(), DType::float64, 4, 33, 33, 1}, constant, {}),
        "stride 0 in both dimensions");
  CHECK(masks({nullptr, DType::float32, 0, 5, 5, 1}).empty(), "no rows");
}

}  // namespace

CHECK_MAIN(run)
