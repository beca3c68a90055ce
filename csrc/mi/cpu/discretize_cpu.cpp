// Columns over threads. A tile of columns is copied out of the samples' rows first, since a column alone would touch
// every cache line of x.
#include <algorithm>
#include <cstring>
#include <limits>

#include "common/aligned_buffer.h"
#include "common/row_kernels.h"
#include "mi/cpu/column_sorter.h"
#include "mi/cpu/encode_kernels.h"
#include "mi/edges.h"
#include "mi/mi.h"

namespace pruning_ext::mi {
namespace {

constexpr std::int64_t kTileColumns = 16;

// A thread's own: the columns of x, one at a time, as Value.
template <typename Value>
class Columns {
 public:
  explicit Columns(const Matrix& x) : x_(x) {}

  struct Column {
    const Value* values;  // [T], or nullptr if one is not finite
    Value range[2];       // the smallest and the largest
  };

  Column load(std::int64_t column) {
    const std::int64_t samples = x_.rows;
    if (column < first_ || column >= last_) copy_tile(column);
    double* doubles = doubles_.reserve(samples);
    const Matrix tile{tile_.data(), x_.dtype, kTileColumns, samples, 1, kTileColumns};  // a column is a row of it
    const RowRange range = load_row(tile, column - first_, doubles);
    if (!range.finite) return {nullptr, {}};
    Value* values = values_.reserve(samples);
    for (std::int64_t t = 0; t < samples; ++t) values[t] = static_cast<Value>(doubles[t]);
    return {values, {static_cast<Value>(range.low), static_cast<Value>(range.high)}};
  }

 private:
  void copy_tile(std::int64_t column) {
    first_ = column;
    last_ = std::min(column + kTileColumns, x_.cols);
    const std::int64_t size = dtype_size(x_.dtype), width = last_ - first_;
    char* tile = tile_.reserve(x_.rows * kTileColumns * size);
    for (std::int64_t t = 0; t < x_.rows; ++t) {
      const char* row = static_cast<const char*>(x_.row(t)) + first_ * x_.col_stride * size;
      char* out = tile + t * kTileColumns * size;
      if (x_.col_stride == 1) {
        std::memcpy(out, row, static_cast<std::size_t>(width * size));
      } else {
        for (std::int64_t c = 0; c < width; ++c) {
          std::memcpy(out + c * size, row + c * x_.col_stride * size, static_cast<std::size_t>(size));
        }
      }
    }
  }

  const Matrix& x_;
  std::int64_t first_ = 0, last_ = 0;
  AlignedBuffer<char> tile_;  // [T, kTileColumns], as x has them
  AlignedBuffer<double> doubles_;
  AlignedBuffer<Value> values_;
};

void encode(const float* values, std::int64_t n, const float* edges, std::int64_t num_edges, std::uint8_t* codes) {
  encoding::active_kernels().encode32(values, n, edges, num_edges, codes);
}

void encode(const double* values, std::int64_t n, const double* edges, std::int64_t num_edges, std::uint8_t* codes) {
  encoding::active_kernels().encode64(values, n, edges, num_edges, codes);
}

template <typename Value>
Status discretize(const DiscretizeParams& params, const ParallelFor& parallel_for) {
  const std::int64_t samples = params.x.rows, slots = params.bins - 1;
  FirstFault faults;
  const auto bins = static_cast<unsigned>(params.bins);
  parallel_for(0, params.x.cols, kTileColumns, [&](std::int64_t begin, std::int64_t end) {
    Columns<Value> columns(params.x);
    ColumnSorter sorter;
    AlignedBuffer<Value> sorted_buffer;
    for (std::int64_t column = begin; column < end; ++column) {
      const auto [values, range] = columns.load(column);
      if (values == nullptr) {
        faults.report(Fault::not_finite, column);
        continue;
      }
      Value* edges = static_cast<Value*>(params.edges) + column * slots;
      const Value* ascending = range;  // all that Strategy::uniform asks of a column
      std::int64_t count = 2;
      if (params.strategy != Strategy::uniform) {
        Value* sorted = sorted_buffer.reserve(samples);
        std::copy(values, values + samples, sorted);
        sorter.sort(sorted, samples);
        ascending = sorted, count = samples;
      }
      const auto at = [ascending](std::uint64_t i) { return ascending[i]; };
      const std::int64_t used = place_edges(at, static_cast<std::uint64_t>(count), bins, params.strategy, edges);
      std::fill(edges + used, edges + slots, std::numeric_limits<Value>::infinity());
      encode(values, samples, edges, used, params.codes + column * samples);
    }
  });
  return faults.status();
}

template <typename Value>
Status encode(const EncodeParams& params, const ParallelFor& parallel_for) {
  const std::int64_t samples = params.x.rows;
  FirstFault faults;
  parallel_for(0, params.x.cols, kTileColumns, [&](std::int64_t begin, std::int64_t end) {
    Columns<Value> columns(params.x);
    for (std::int64_t column = begin; column < end; ++column) {
      const Value* edges = static_cast<const Value*>(params.edges) + column * params.num_edges;
      const Value* values = columns.load(column).values;
      if (values == nullptr || !are_edges(edges, params.num_edges)) {
        faults.report(values == nullptr ? Fault::not_finite : Fault::bad_edges, column);
        continue;
      }
      const Value* unused = std::lower_bound(edges, edges + params.num_edges, std::numeric_limits<Value>::infinity());
      encode(values, samples, edges, unused - edges, params.codes + column * samples);
    }
  });
  return faults.status();
}

}  // namespace

Status discretize_cpu(const DiscretizeParams& params, const ParallelFor& parallel_for) {
  return params.edges_dtype == DType::float64 ? discretize<double>(params, parallel_for)
                                              : discretize<float>(params, parallel_for);
}

Status encode_cpu(const EncodeParams& params, const ParallelFor& parallel_for) {
  if (params.x.rows == 0) return {};
  return params.edges_dtype == DType::float64 ? encode<double>(params, parallel_for)
                                              : encode<float>(params, parallel_for);
}

}  // namespace pruning_ext::mi
