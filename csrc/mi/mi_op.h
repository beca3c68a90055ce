// Arguments of the mutual information ops, checked once for every device.
#pragma once

#include <optional>
#include <string>

#include "common/torch_op.h"
#include "mi/mi_names.h"

namespace pruning_ext::mi {

inline void check_bins(std::int64_t bins, std::int64_t least = 2) {
  check(bins >= least && bins <= 256,
        "bins must be between " + std::to_string(least) + " and 256, is " + std::to_string(bins));
}

inline void check_samples(std::int64_t samples, const char* name) {
  check(samples >= 2, std::string(name) + " must have at least 2 samples, has " + std::to_string(samples));
  check(samples <= INT32_MAX, std::string(name) + " must have less than 2^31 samples, has " + std::to_string(samples));
}

inline Strategy strategy_of(const std::string& name) {
  const std::optional<Strategy> known = strategy_named(name);
  check(known.has_value(), "strategy must be 'quantile', 'uniform' or 'zero-quantile', is '" + name + "'");
  return *known;
}

inline Codes codes_of(const Tensor& codes, const char* name) {
  check(codes.scalar_type() == ScalarType::Byte, std::string(name) + " must be uint8");
  check(codes.dim() == 2, std::string(name) + " must have 2 dimensions [N, T], has " + std::to_string(codes.dim()));
  check_samples(codes.size(1), name);
  return {static_cast<const std::uint8_t*>(codes.const_data_ptr()), codes.size(0), codes.size(1), codes.stride(0),
          codes.stride(1)};
}

inline Pairs pairs_of(const Tensor& codes_x, const std::optional<Tensor>& codes_y, std::int64_t bins) {
  check_bins(bins);
  Pairs pairs;
  pairs.x = codes_of(codes_x, "codes_x");
  pairs.symmetric = !codes_y.has_value();
  pairs.bins = bins;
  if (codes_y.has_value()) {
    pairs.y = codes_of(*codes_y, "codes_y");
    check(pairs.x.samples == pairs.y.samples, "codes_x and codes_y must have the same number of samples, have " +
                                                  std::to_string(pairs.x.samples) + " and " +
                                                  std::to_string(pairs.y.samples));
  }
  return pairs;
}

inline Estimator estimator_of(const std::string& correction, const std::string& normalize, const std::string& unit) {
  const std::optional<Estimator> known = estimator_named(correction, normalize, unit);
  check(known.has_value(), "correction must be None or 'miller-madow', is '" + correction +
                               "'; normalize None, 'min', 'sqrt', 'max' or 'mean', is '" + normalize +
                               "'; unit 'nats' or 'bits', is '" + unit + "'");
  return *known;
}

inline ScalarType scalar_type(bool float64) { return float64 ? ScalarType::Double : ScalarType::Float; }

inline DType dtype_of_result(bool float64) { return float64 ? DType::float64 : DType::float32; }

// A fault counts the rows of x first, then those of y.
inline void raise_code_fault(Status status, const Pairs& pairs) {
  const bool in_y = status.row >= pairs.x.rows;
  if (in_y) status.row -= pairs.x.rows;
  raise_fault(status, in_y ? "codes_y" : "codes_x");
}

}  // namespace pruning_ext::mi
