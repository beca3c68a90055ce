// The names that users know choices by. What is unknown comes back as nothing.
#pragma once

#include <optional>
#include <string>

#include "mi/mi.h"

namespace pruning_ext::mi {

template <typename Choice, std::size_t count>
std::optional<Choice> choice_named(const std::pair<std::string_view, Choice> (&known)[count], const std::string& name) {
  for (const auto& [word, choice] : known) {
    if (word == name) return choice;
  }
  return std::nullopt;
}

inline std::optional<Strategy> strategy_named(const std::string& name) { return choice_named(kStrategies, name); }

inline std::optional<Estimator> estimator_named(const std::string& correction, const std::string& normalize,
                                                const std::string& unit) {
  const std::optional<Correction> corrected = choice_named(kCorrections, correction);
  const std::optional<Normalization> normalized = choice_named(kNormalizations, normalize);
  const std::optional<bool> bits = choice_named(kUnits, unit);
  if (!corrected || !normalized || !bits) return std::nullopt;
  return Estimator{*corrected, *normalized, *bits};
}

}  // namespace pruning_ext::mi
