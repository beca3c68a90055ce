// Moves, selections and what is done to predicates; the table of all operations.
#include "operations.h"

#include "elementwise.h"

namespace ptx {
namespace {

// d = {list}
template <typename T>
void pack(Machine& m, const Inst& i, u32 mask) {
  auto* const d = cells<T>(*m.warp, i.d[0]);
  const u32 bits = static_cast<u32>(8 * sizeof(T) / i.list.size());
  const u64 part = bits == 64 ? ~u64{0} : (u64{1} << bits) - 1;
  LANES(mask, {
    u64 all = 0;
    for (std::size_t k = 0; k < i.list.size(); ++k) {
      const u64 piece = i.slot == 8 ? cells<u64>(*m.warp, i.list[k])[l] : cells<u32>(*m.warp, i.list[k])[l];
      all |= (piece & part) << (bits * k);
    }
    d[l] = static_cast<T>(all);
  })
}

// {list} = a; what is not wanted of it is -1.
template <typename T>
void unpack(Machine& m, const Inst& i, u32 mask) {
  const u32 bits = static_cast<u32>(8 * sizeof(T) / i.list.size());
  LANES(mask, {
    const u64 all = cells<T>(*m.warp, i.a)[l];
    for (std::size_t k = 0; k < i.list.size(); ++k) {
      if (i.list[k] >= 0)
        cells<u32>(*m.warp, i.list[k])[l] = static_cast<u32>(all >> (bits * k) & ((u64{1} << bits) - 1));
    }
  })
}

// Whatever the type is called, bits are moved.
template <typename T>
void add_moves(Operations& all, const char* size, bool has_float) {
  for (const char* const letter : {"b", "u", "s", "f"}) {
    if (*letter == 'f' && !has_float) continue;
    all[std::string("mov.") + letter + size] = of_one<T, T>([](T a) { return a; });
    all[std::string("selp.") + letter + size] = selection<T>();
  }
}

Operations make() {
  Operations all;
  add_moves<u16>(all, "16", false);
  add_moves<u32>(all, "32", true);
  add_moves<u64>(all, "64", true);
  all["mov.pred"] = predicates([](u32 a, u32) { return a; });
  all["not.pred"] = predicates([](u32 a, u32) { return ~a; });
  all["and.pred"] = predicates([](u32 a, u32 b) { return a & b; });
  all["or.pred"] = predicates([](u32 a, u32 b) { return a | b; });
  all["xor.pred"] = predicates([](u32 a, u32 b) { return a ^ b; });
  add_integer_operations(all);
  add_float_operations(all);
  return all;
}

}  // namespace

const Operations& all_operations() {
  static const Operations all = make();
  return all;
}

const Operation* find_operation(const std::string& name) {
  const Operations& all = all_operations();
  const auto found = all.find(name);
  return found == all.end() ? nullptr : &found->second;
}

Fn pack_of(int width) { return width == 8 ? &pack<u64> : &pack<u32>; }
Fn unpack_of(int width) { return width == 8 ? &unpack<u64> : &unpack<u32>; }

}  // namespace ptx
