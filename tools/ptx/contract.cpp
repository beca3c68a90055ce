#include <cstdio>
#include <set>

#include "compile.h"
#include "operations.h"

namespace ptx {
namespace {

bool is_named(const Inst& i, const char* what) { return i.op == Op::plain && i.text.rfind(what, 0) == 0; }
bool is_product(const Inst& i) { return is_named(i, "mul.f64") || is_named(i, "mul.f32"); }

class Contraction {
 public:
  explicit Contraction(Kernel& kernel) : k_(kernel) {
    std::set<u32> targets;
    for (const Inst& i : k_.code) {
      if (i.op == Op::branch) targets.insert(i.target);
    }
    for (u32 pc = 0; pc < k_.code.size(); ++pc) {
      Inst& i = k_.code[pc];
      if (targets.count(pc) != 0 || i.op == Op::branch) products_.clear();
      fuse(i);
      forget(i);
      if (is_product(i)) products_[i.d[0]] = pc;
    }
    if (fused_ > 0) std::fprintf(stderr, "%d products fused in %s\n", fused_, k_.name.c_str());
  }

 private:
  Kernel& k_;
  std::map<int, u32> products_;  // register -> where it was made
  int fused_ = 0;

  void fuse(Inst& i) {
    const bool is_difference = is_named(i, "sub.f64");
    const bool is_double = is_difference || is_named(i, "add.f64");
    if (!is_double && !is_named(i, "add.f32")) return;
    for (const bool second : {false, true}) {
      const auto found = products_.find(second ? i.b : i.a);
      if (found == products_.end() || (is_difference && second)) continue;
      const Inst& p = k_.code[found->second];
      if (is_named(p, "mul.f64") != is_double) continue;
      i.c = second ? i.a : i.b, i.a = p.a, i.b = p.b;
      i.fn = is_difference ? &fused_difference : find_operation(is_double ? "fma.rn.f64" : "fma.rn.f32")->fn;
      ++fused_;
      return;
    }
  }

  // What the instruction makes void: products that it overwrites, or whose factors it does.
  void forget(const Inst& i) {
    for (auto at = products_.begin(); at != products_.end();) {
      const Inst& p = k_.code[at->second];
      const bool gone = i.d[0] == at->first || i.d[0] == p.a || i.d[0] == p.b;
      at = gone ? products_.erase(at) : std::next(at);
    }
  }
};

}  // namespace

void contract(Kernel& kernel) { Contraction all(kernel); }

}  // namespace ptx
