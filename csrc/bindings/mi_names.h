// The names that users know choices by. What is unknown comes back as nothing.
#pragma once

#include <optional>
#include <string>

#include "mi/mi.h"

namespace pruning_ext::mi {

inline std::optional<Strategy> strategy_named(const std::string& name) {
  if (name == "quantile") return Strategy::quantile;
  if (name == "uniform") return Strategy::uniform;
  if (name == "zero-quantile") return Strategy::zero_quantile;
  return std::nullopt;
}

inline std::optional<Normalization> normalization_named(const std::string& name) {
  if (name == "none") return Normalization::none;
  if (name == "min") return Normalization::min;
  if (name == "sqrt") return Normalization::sqrt;
  if (name == "max") return Normalization::max;
  if (name == "mean") return Normalization::mean;
  return std::nullopt;
}

inline std::optional<Estimator> estimator_named(const std::string& correction, const std::string& normalize,
                                                const std::string& unit) {
  const std::optional<Normalization> normalization = normalization_named(normalize);
  if (!normalization || (correction != "none" && correction != "miller-madow") || (unit != "nats" && unit != "bits")) {
    return std::nullopt;
  }
  return Estimator{correction == "miller-madow", *normalization, unit == "bits"};
}

}  // namespace pruning_ext::mi
