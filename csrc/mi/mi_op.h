// Arguments of the mutual information ops, checked once for every device.
#pragma once

#include <optional>
#include <string>

#include "common/torch_op.h"
#include "mi/mi.h"

namespace pruning_ext::mi {

inline void check_bins(std::int64_t bins, std::int64_t least = 2) {
  check(bins >= least && bins <= 256,
        "bins must be between " + std::to_string(least) + " and 256, is " + std::to_string(bins));
}

inline void check_samples(std::int64_t samples, const char* name) {
  check(samples >= 2, std::string(name) + " must have at least 2 samples, has " + std::to_string(samples));
  check(samples <= INT32_MAX, std::string(name) + " must have less than 2^31 samples, has " + std::to_string(samples));
}

inline Strategy strategy_named(const std::string& name) {
  if (name == "quantile") return Strategy::quantile;
  if (name == "uniform") return Strategy::uniform;
  check(name == "zero-quantile", "strategy must be 'quantile', 'uniform' or 'zero-quantile', is '" + name + "'");
  return Strategy::zero_quantile;
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
  Estimator estimator;
  check(correction == "none" || correction == "miller-madow",
        "correction must be None or 'miller-madow', is '" + correction + "'");
  estimator.miller_madow = correction == "miller-madow";
  if (normalize == "min") {
    estimator.normalization = Normalization::min;
  } else if (normalize == "sqrt") {
    estimator.normalization = Normalization::sqrt;
  } else if (normalize == "max") {
    estimator.normalization = Normalization::max;
  } else if (normalize == "mean") {
    estimator.normalization = Normalization::mean;
  } else {
    check(normalize == "none", "normalize must be None, 'min', 'sqrt', 'max' or 'mean', is '" + normalize + "'");
  }
  check(unit == "nats" || unit == "bits", "unit must be 'nats' or 'bits', is '" + unit + "'");
  estimator.bits = unit == "bits";
  return estimator;
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
