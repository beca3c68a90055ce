// Where the edges of one column's bins lie: the rules of pruning_ext/ops/reference.py.
#pragma once

#include <cstdint>

#include "mi/mi.h"

namespace pruning_ext::mi {

// `sorted` [n], ascending and finite, n >= 2; for Strategy::uniform, which only the range matters to, the smallest and
// the largest value will do. Writes at most bins - 1 edges, strictly increasing, and returns their number.
template <typename Value>
std::int64_t place_edges(const Value* sorted, std::int64_t n, std::int64_t bins, Strategy strategy, Value* edges);

extern template std::int64_t place_edges(const float*, std::int64_t, std::int64_t, Strategy, float*);
extern template std::int64_t place_edges(const double*, std::int64_t, std::int64_t, Strategy, double*);

}  // namespace pruning_ext::mi
