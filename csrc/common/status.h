// Faults in the data of a call, and the row each is in; bindings turn them into sentences.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace pruning_ext {

enum class Fault : std::int8_t {
  none,
  not_finite,
  bad_bandwidth,
  bad_weights,
  bad_points,
  bad_code,
  bad_edges,
  constant_row,
  one_value,
  no_samples,  // these concern no row, but the sizes of a call
  no_points,
  negative_k
};

struct Status {
  Fault fault = Fault::none;
  std::int64_t row = -1;  // the first row (or column) at fault; -1 if none is

  explicit operator bool() const { return fault == Fault::none; }
};

// The sentence for a user: `subject` is the argument whose rows (or columns: `unit`) the status counts.
inline std::string fault_sentence(const Status& status, const std::string& subject, const std::string& unit = "row") {
  const std::string row = unit + " " + std::to_string(status.row), where = " in " + row;
  switch (status.fault) {
    case Fault::none: return "";
    case Fault::not_finite: return subject + " has NaN or infinity" + where;
    case Fault::bad_points: return "points has NaN or infinity" + where;
    case Fault::bad_bandwidth: return "bandwidth must be positive and finite; it is not" + where;
    case Fault::bad_weights: return "weights must be finite, not negative and not all zero; " + row + " is not";
    case Fault::bad_code: return subject + " has a code that is not below bins" + where;
    case Fault::bad_edges: return "edges must not decrease; they do" + where;
    case Fault::constant_row:
      return subject + " is constant" + where + ", so that no rule gives it a bandwidth; pass a number or one per row";
    case Fault::one_value:
      return subject + " has all its weight at one value" + where +
             ", so that no rule gives it a bandwidth; pass a number or one per row";
    case Fault::no_samples: return subject + " has rows without entries";
    case Fault::no_points: return "num_points must be at least 1";
    case Fault::negative_k: return "k must not be negative";
  }
  return "";
}

// Keeps the fault of the lowest row, whichever thread finds it first, so that the message does not depend on threads.
class FirstFault {
 public:
  void report(Fault fault, std::int64_t row) {
    const std::int64_t mine = row * kFaults + static_cast<std::int64_t>(fault);
    std::int64_t seen = packed_.load(std::memory_order_relaxed);
    while (mine < seen && !packed_.compare_exchange_weak(seen, mine)) {
    }
  }
  Status status() const {
    const std::int64_t packed = packed_.load();
    if (packed == kNone) return {};
    return {static_cast<Fault>(packed % kFaults), packed / kFaults};
  }

 private:
  static constexpr std::int64_t kFaults = 16;
  static constexpr std::int64_t kNone = INT64_MAX;
  std::atomic<std::int64_t> packed_{kNone};
};

}  // namespace pruning_ext
