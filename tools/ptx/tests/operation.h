// One operation of a lane by itself, on rows of operands.
#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <tuple>

#include "lanes.h"
#include "program.h"

namespace ptx::test {

// A predicate among the operands.
using Flag = bool;

template <typename T>
u64 bits_of(T v) {
  if constexpr (std::is_same_v<T, Flag>) {
    return v;
  } else {
    return std::bit_cast<Bits<T>>(v);
  }
}
template <typename T>
constexpr int width_of() {
  return std::is_same_v<T, Flag> ? 0 : static_cast<int>(sizeof(T));
}

// What `op` makes of each row of sources, once by all lanes and once by every second one, while the others keep what
// they have. Widths are bytes, 0 of a predicate; that of the destination comes first.
std::vector<u64> results_of(const std::string& op, const std::vector<int>& widths,
                            const std::vector<std::vector<u64>>& rows);

// All that results_of() was asked for so far.
const std::set<std::string>& operations_tried();

void report(const std::string& op, const std::vector<u64>& row, u64 found, u64 expected);

// NaN is as good as any other NaN.
template <typename D>
bool agree(u64 found, u64 expected) {
  if constexpr (std::is_floating_point_v<D>) {
    const D a = std::bit_cast<D>(static_cast<Bits<D>>(found)), b = std::bit_cast<D>(static_cast<Bits<D>>(expected));
    if (std::isnan(a) && std::isnan(b)) return true;
  }
  return found == expected;
}

// check<D, A, B>("op", {{a, b, expected}, ...})
template <typename D, typename... S>
void check(const std::string& op, const std::vector<std::tuple<S..., D>>& cases) {
  std::vector<std::vector<u64>> rows;
  std::vector<u64> expected;
  for (const auto& one : cases) {
    std::apply([&](auto... v) { rows.push_back({bits_of(v)...}); }, one);
    expected.push_back(rows.back().back());
    rows.back().pop_back();
  }
  const std::vector<u64> found = results_of(op, {width_of<D>(), width_of<S>()...}, rows);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (!agree<D>(found[k], expected[k])) report(op, rows[k], found[k], expected[k]);
  }
}

// A value of any kind: the ends of the range and what lies about zero as often as any bits.
template <typename T>
T any_value(std::mt19937_64& random) {
  if constexpr (std::is_same_v<T, Flag>) {
    return random() % 2 != 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    using L = std::numeric_limits<T>;
    static constexpr T kSome[] = {0,
                                  -T{0},
                                  1,
                                  -1,
                                  0.5,
                                  -1.5,
                                  2.5,
                                  3.5,
                                  L::max(),
                                  L::min(),
                                  L::lowest(),
                                  L::denorm_min(),
                                  L::infinity(),
                                  -L::infinity(),
                                  L::quiet_NaN(),
                                  L::epsilon()};
    const u64 bits = random();
    if (random() % 2 != 0) return kSome[bits % std::size(kSome)];
    if (random() % 2 != 0) return static_cast<T>(static_cast<i64>(bits)) / T{0x1p60};
    return std::bit_cast<T>(static_cast<Bits<T>>(bits));
  } else {
    using L = std::numeric_limits<T>;
    static constexpr T kSome[] = {0,           1, 2, 7, 31, 32, static_cast<T>(-1), L::max(), L::min(), L::max() - 1,
                                  L::min() + 1};
    const u64 bits = random();
    return random() % 2 != 0 ? kSome[bits % std::size(kSome)] : static_cast<T>(bits >> random() % 60);
  }
}

// Against a function of C++ on 512 rows.
template <typename D, typename... S, typename F>
void check_against(const std::string& op, F&& expected) {
  std::mt19937_64 random(std::hash<std::string>{}(op));
  std::vector<std::tuple<S..., D>> cases;
  for (int k = 0; k < 512; ++k) {
    const std::tuple<S...> row{any_value<S>(random)...};
    cases.push_back(std::tuple_cat(row, std::tuple<D>(static_cast<D>(std::apply(expected, row)))));
  }
  check<D, S...>(op, cases);
}

void test_integers();
void test_bits();
void test_floats();
void test_conversions();
void test_predicates();

}  // namespace ptx::test
