// Comparisons, selections and the logic of predicates, PTX ISA 9.7.6 and 9.7.8.
#include "operation.h"

namespace ptx::test {
namespace {

// Below, equal, above, unordered: what a comparison says of each.
struct Relation {
  const char* name;
  bool below, equal, above, unordered;
};
constexpr Relation kOrdered[] = {{"eq", false, true, false, false}, {"ne", true, false, true, false},
                                 {"lt", true, false, false, false}, {"le", true, true, false, false},
                                 {"gt", false, false, true, false}, {"ge", false, true, true, false}};
constexpr Relation kUnordered[] = {{"equ", false, true, false, true}, {"neu", true, false, true, true},
                                   {"ltu", true, false, false, true}, {"leu", true, true, false, true},
                                   {"gtu", false, false, true, true}, {"geu", false, true, true, true},
                                   {"num", true, true, true, false},  {"nan", false, false, false, true}};

template <typename T>
void test_integers(const std::string& type) {
  using L = std::numeric_limits<T>;
  for (const Relation& r : kOrdered) {
    check<Flag, T, T>("setp." + std::string(r.name) + "." + type,
                      {{1, 2, r.below},
                       {2, 2, r.equal},
                       {2, 1, r.above},
                       {L::min(), L::max(), r.below},
                       {L::max(), L::min(), r.above},
                       {static_cast<T>(-1), 1, L::is_signed ? r.below : r.above},
                       {L::min(), L::min(), r.equal}});
  }
}

template <typename U>
void test_bits_alike(const std::string& type) {
  const U top = static_cast<U>(U{1} << (8 * sizeof(U) - 1));
  check<Flag, U, U>("setp.eq." + type, {{top, top, true}, {top, 0, false}, {5, 5, true}});
  check<Flag, U, U>("setp.ne." + type, {{top, top, false}, {top, 0, true}, {5, 5, false}});
}

template <typename T>
void test_floats(const std::string& type) {
  using L = std::numeric_limits<T>;
  const T nan = L::quiet_NaN(), infinity = L::infinity();
  const auto test = [&](const Relation& r) {
    check<Flag, T, T>("setp." + std::string(r.name) + "." + type, {{1, 2, r.below},
                                                                   {2, 2, r.equal},
                                                                   {2, 1, r.above},
                                                                   {0, -T{0}, r.equal},
                                                                   {-infinity, infinity, r.below},
                                                                   {infinity, infinity, r.equal},
                                                                   {nan, 1, r.unordered},
                                                                   {1, nan, r.unordered},
                                                                   {nan, nan, r.unordered},
                                                                   {L::denorm_min(), 0, r.above}});
  };
  for (const Relation& r : kOrdered) test(r);
  for (const Relation& r : kUnordered) test(r);
}

template <typename T>
void test_moves(const std::string& size, bool has_float) {
  const T a = static_cast<T>(0x0123456789abcdef), b = static_cast<T>(0xfedcba9876543210);
  for (const std::string letter : {"b", "u", "s", "f"}) {
    if (letter == "f" && !has_float) continue;
    check<T, T>("mov." + letter + size, {{a, a}, {b, b}});
    check<T, T, T, Flag>("selp." + letter + size, {{a, b, true, a}, {a, b, false, b}});
  }
}

void test_logic() {
  check<Flag, Flag>("mov.pred", {{false, false}, {true, true}});
  check<Flag, Flag>("not.pred", {{false, true}, {true, false}});
  check<Flag, Flag, Flag>("and.pred",
                          {{false, false, false}, {false, true, false}, {true, false, false}, {true, true, true}});
  check<Flag, Flag, Flag>("or.pred",
                          {{false, false, false}, {false, true, true}, {true, false, true}, {true, true, true}});
  check<Flag, Flag, Flag>("xor.pred",
                          {{false, false, false}, {false, true, true}, {true, false, true}, {true, true, false}});
}

// !%p selects the other source.
void test_negated_selection() {
  check_run("selp by !p", R"(
    setp.lt.u32 %p1, %t, 5;
    selp.b32 %r1, 10, 20, !%p1;
    st.global.u32 [%mine], %r1;)",
            {}, {20, 20, 20, 20, 20, 10, 10, 10});
}

}  // namespace

void test_predicates() {
  test_integers<std::int16_t>("s16");
  test_integers<u16>("u16");
  test_integers<std::int32_t>("s32");
  test_integers<u32>("u32");
  test_integers<std::int64_t>("s64");
  test_integers<u64>("u64");
  test_bits_alike<u16>("b16");
  test_bits_alike<u32>("b32");
  test_bits_alike<u64>("b64");
  test_floats<float>("f32");
  test_floats<double>("f64");
  test_moves<u16>("16", false);
  test_moves<u32>("32", true);
  test_moves<u64>("64", true);
  test_logic();
  test_negated_selection();
}

}  // namespace ptx::test
