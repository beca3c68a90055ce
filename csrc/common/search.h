// Binary search by one thread, for CPU and CUDA.
#pragma once

#include <type_traits>

#include "common/macros.h"

namespace pruning_ext {

// The first i in [begin, end) for which `below(i)` is false, where it is true up to some point; `end` if nowhere.
PRUNING_EXT_ANY_CALLABLE
template <typename Index = unsigned, typename Below>
PRUNING_EXT_HOST_DEVICE inline Index partition_point(std::type_identity_t<Index> begin, std::type_identity_t<Index> end,
                                                     const Below& below) {
  while (begin < end) {
    const Index middle = begin + (end - begin) / 2;
    if (below(middle)) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

}  // namespace pruning_ext
