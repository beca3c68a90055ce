// Threads of our own, for callers without a pool: one is started for each piece of a call and ends with it.
#pragma once

#include <algorithm>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

#include "common/parallel.h"

namespace pruning_ext {

// At most `threads` threads at a time; 0 means as many as the machine has.
inline ParallelFor thread_for(unsigned threads = 0) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  return [threads](std::int64_t begin, std::int64_t end, std::int64_t grain,
                   const std::function<void(std::int64_t, std::int64_t)>& body) {
    const std::int64_t pieces = std::min<std::int64_t>(threads, (end - begin) / std::max<std::int64_t>(grain, 1));
    if (pieces <= 1) return serial_for(begin, end, grain, body);
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(pieces));
    std::vector<std::thread> others;
    const auto run = [&](std::int64_t piece) {
      try {
        body(begin + (end - begin) * piece / pieces, begin + (end - begin) * (piece + 1) / pieces);
      } catch (...) {
        failures[static_cast<std::size_t>(piece)] = std::current_exception();
      }
    };
    others.reserve(static_cast<std::size_t>(pieces));
    std::int64_t started = 1;
    try {
      for (; started < pieces; ++started) others.emplace_back(run, started);
    } catch (const std::system_error&) {
      // The system gives no more threads: the pieces left run here.
    }
    run(0);
    for (; started < pieces; ++started) run(started);
    for (std::thread& other : others) other.join();
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
  };
}

}  // namespace pruning_ext
