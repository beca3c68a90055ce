// The callback by which a kernel asks its caller for threads: it runs on torch's pool, on OpenMP or on one thread
// alike.
#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "common/standard_arithmetic.h"

namespace pruning_ext {

// Any callable that calls body(first, last) on disjoint pieces of [begin, end), each of at least `grain` items, and
// returns when all are done. No result may depend on how the range was cut, nor on which thread takes a piece.
class ParallelFor {
 public:
  using Body = std::function<void(std::int64_t first, std::int64_t last)>;
  using Schedule = std::function<void(std::int64_t begin, std::int64_t end, std::int64_t grain, const Body& body)>;

  template <typename Callable>
    requires(std::is_constructible_v<Schedule, Callable> && !std::is_same_v<std::decay_t<Callable>, ParallelFor>)
  ParallelFor(Callable&& schedule) : schedule_(std::forward<Callable>(schedule)) {}

  void operator()(std::int64_t begin, std::int64_t end, std::int64_t grain, const Body& body) const {
    schedule_(begin, end, grain, [&body](std::int64_t first, std::int64_t last) {
      const StandardArithmetic standard;
      body(first, last);
    });
  }

 private:
  Schedule schedule_;
};

// Everything on the calling thread.
inline void serial_for(std::int64_t begin, std::int64_t end, std::int64_t /*grain*/, const ParallelFor::Body& body) {
  if (begin < end) body(begin, end);
}

}  // namespace pruning_ext
