// Histogram mutual information of all pairs of columns: discretise, count, score.
//
//   I(x; y) = sum_ab p[a, b] ln(p[a, b] / (p[a] p[b])),   p[a, b] = #{t : code_x[t] = a, code_y[t] = b} / T
#pragma once

#include <string_view>
#include <utility>

#include "common/matrix.h"
#include "common/parallel.h"
#include "common/status.h"

namespace pruning_ext::mi {

enum class Strategy : std::int8_t { quantile, uniform, zero_quantile };
enum class Correction : std::int8_t { none, miller_madow };
enum class Normalization : std::int8_t { none, min, sqrt, max, mean };

// The names that users know these by; a unit is whether information is in bits.
inline constexpr std::pair<std::string_view, Strategy> kStrategies[] = {
    {"quantile", Strategy::quantile}, {"uniform", Strategy::uniform}, {"zero-quantile", Strategy::zero_quantile}};
inline constexpr std::pair<std::string_view, Correction> kCorrections[] = {{"none", Correction::none},
                                                                           {"miller-madow", Correction::miller_madow}};
inline constexpr std::pair<std::string_view, Normalization> kNormalizations[] = {{"none", Normalization::none},
                                                                                 {"min", Normalization::min},
                                                                                 {"sqrt", Normalization::sqrt},
                                                                                 {"max", Normalization::max},
                                                                                 {"mean", Normalization::mean}};
inline constexpr std::pair<std::string_view, bool> kUnits[] = {{"nats", false}, {"bits", true}};

struct Codes {  // [rows, samples], one row for each variable; borrowed, any strides
  const std::uint8_t* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t samples = 0;
  std::int64_t row_stride = 0;
  std::int64_t sample_stride = 1;

  std::uint8_t at(std::int64_t row, std::int64_t sample) const {
    return data[row * row_stride + sample * sample_stride];
  }
};

struct DiscretizeParams {
  Matrix x;                // [T, N]
  std::int64_t bins = 16;  // 2 to 256
  Strategy strategy = Strategy::quantile;
  void* edges = nullptr;               // [N, bins - 1], contiguous: increasing, then +infinity
  DType edges_dtype = DType::float32;  // float64 for float64 x, else float32
  std::uint8_t* codes = nullptr;       // [N, T], contiguous: how many of the column's edges are at most the value
};

struct EncodeParams {
  Matrix x;                            // [T, N]
  const void* edges = nullptr;         // [N, num_edges], contiguous, not decreasing
  std::int64_t num_edges = 0;          // at most 255
  DType edges_dtype = DType::float32;  // float64 for float64 x, else float32
  std::uint8_t* codes = nullptr;       // [N, T], contiguous
};

struct Pairs {             // what is compared with what: T >= 2, equal in both
  Codes x;                 // [N, T]
  Codes y;                 // [M, T]; ignored if symmetric
  bool symmetric = true;   // y is x
  std::int64_t bins = 16;  // 2 to 256, every code below

  const Codes& partners() const { return symmetric ? x : y; }
};

struct Estimator {
  Correction correction = Correction::none;           // of each of the three entropies
  Normalization normalization = Normalization::none;  // by the two entropies; 0 where their norm is 0
  bool bits = false;                                  // not nats
};

struct ContingencyParams {
  Pairs pairs;
  std::int32_t* counts = nullptr;  // [N, M, bins, bins], contiguous
};

struct InformationParams {
  Pairs pairs;
  Estimator estimator;
  void* information = nullptr;   // [N, M], contiguous
  DType dtype = DType::float32;  // float32 or float64
};

struct ColumnsParams {     // discretised and scored in one call; the kernels choose the layout of the codes
  Matrix x;                // [T, N]; T >= 2, equal in both
  Matrix y;                // [T, M]; ignored if symmetric
  bool symmetric = true;   // y is x
  std::int64_t bins = 16;  // 2 to 256
  Strategy strategy = Strategy::quantile;
  Estimator estimator;
  void* information = nullptr;   // [N, M], contiguous
  DType dtype = DType::float32;  // float32 or float64

  const Matrix& partners() const { return symmetric ? x : y; }
};

struct TopKParams {  // a row is no partner of its own
  Pairs pairs;
  Estimator estimator;
  std::int64_t k = 0;               // at most the number of partners
  void* values = nullptr;           // [N, k], contiguous, best first, the lower index first at a tie
  std::int64_t* indices = nullptr;  // [N, k], contiguous
  DType dtype = DType::float32;     // of values, float32 or float64; they are compared as such
};

struct SumParams {  // a row is no partner of its own
  Pairs pairs;
  Estimator estimator;
  double* sums = nullptr;  // [N]
};

// A fault names the column of x.
Status discretize_cpu(const DiscretizeParams& params, const ParallelFor& parallel_for);
Status encode_cpu(const EncodeParams& params, const ParallelFor& parallel_for);

// A fault names the column of x, or, counted on from there, of y.
Status mutual_information_of_columns_cpu(const ColumnsParams& params, const ParallelFor& parallel_for);

// A fault names the row of x, or, counted on from there, of y.
Status contingency_cpu(const ContingencyParams& params, const ParallelFor& parallel_for);
Status mutual_information_cpu(const InformationParams& params, const ParallelFor& parallel_for);
Status top_k_cpu(const TopKParams& params, const ParallelFor& parallel_for);
Status sum_cpu(const SumParams& params, const ParallelFor& parallel_for);

}  // namespace pruning_ext::mi
