// How a kernel asks its caller for threads, so that it runs on torch's pool, on OpenMP or on one thread alike.
#pragma once

#include <cstdint>
#include <functional>

namespace pruning_ext {

// Calls body(first, last) on disjoint pieces of [begin, end), each of at least `grain` items; returns when all are
// done. No result may depend on how the range was cut.
using ParallelFor = std::function<void(std::int64_t begin, std::int64_t end, std::int64_t grain,
                                       const std::function<void(std::int64_t, std::int64_t)>& body)>;

// Everything on the calling thread.
inline void serial_for(std::int64_t begin, std::int64_t end, std::int64_t /*grain*/,
                       const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (begin < end) body(begin, end);
}

}  // namespace pruning_ext
