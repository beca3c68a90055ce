#include "instructions.h"

#include <algorithm>

#include "memory.h"
#include "operations.h"

namespace ptx {
namespace {

std::vector<std::string> split(const std::string& op) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= op.size();) {
    const std::size_t dot = std::min(op.find('.', at), op.size());
    parts.push_back(op.substr(at, dot - at));
    at = dot + 1;
  }
  return parts;
}

std::string ending(const std::string& name) { return name.substr(name.size() > 40 ? name.size() - 40 : 0); }

}  // namespace

std::string describe(const Statement& s) {
  std::string t;
  if (!s.guard.empty()) t.append(s.guard_negated ? "@!" : "@").append(s.guard).append(" ");
  t += s.op;
  for (const Operand& o : s.args) {
    t += ' ';
    switch (o.kind) {
      case Operand::imm: t += std::to_string(static_cast<i64>(o.value)); break;
      case Operand::mem:
        t.append("[").append(ending(o.name)).append("+").append(std::to_string(o.offset)) += ']';
        break;
      case Operand::vec: t.append("{").append(o.parts.empty() ? "" : o.parts[0].name).append("...}"); break;
      default: t += ending(o.name);
    }
  }
  return t;
}

void emit(Kernel& kernel, Inst i) {
  i.pc = static_cast<u32>(kernel.code.size());
  kernel.code.push_back(std::move(i));
}

Instruction::Instruction(Names& names, Kernel& kernel, const Statement& s, Inst i)
    : names_(names), k_(kernel), s_(s), a_(s.args), parts_(split(s.op)), i_(std::move(i)) {}

void Instruction::emit() {
  if (is_memory() || is_together() || is_group() || is_async()) return;
  if (s_.op == "bar.sync" || s_.op == "barrier.sync.aligned") {
    if (a_.size() != 1 || a_[0].kind != Operand::imm || a_[0].value != 0)
      names_.fail("a barrier other than 0 of all threads");
    i_.op = Op::block_bar;
    i_.aligned = true;
    return done();
  }
  elementwise();
}

// ---- Loads, stores, moves

bool Instruction::is_memory() {
  if (parts_[0] == "ld" || parts_[0] == "st") {
    load_or_store();
  } else if (parts_[0] == "mov" && (a_[0].kind == Operand::vec || a_[1].kind == Operand::vec)) {
    move_parts();
  } else if (parts_[0] == "cvta") {
    change_window();
  } else if (parts_[0] == "atom") {
    atomic();
  } else {
    return false;
  }
  return true;
}

void Instruction::memory_base(const Operand& o) {
  if (o.kind != Operand::mem) names_.fail("no address");
  i_.imm = o.offset;
  i_.wide_address = true;
  if (o.name.empty()) {
    i_.a = names_.constant(0, 8);
    return;
  }
  const Symbol s = names_.lookup(o.name);
  if (s.kind == Symbol::pred) names_.fail("a predicate for an address");
  if (s.kind == Symbol::reg) {
    i_.a = s.offset, i_.wide_address = s.width > 4;
    return;
  }
  i_.a = names_.constant(static_cast<u64>(s.offset), 8);
  if (s.kind == Symbol::local_param) i_.space = Space::local_param;
}

void Instruction::load_or_store() {
  const bool is_load = parts_[0] == "ld";
  i_.fn = is_load ? &load : &store;
  i_.space = Space::generic;
  for (std::size_t k = 1; k < parts_.size(); ++k) {
    const std::string& q = parts_[k];
    if (q == "global") {
      i_.space = Space::global;
    } else if (q == "shared") {
      i_.space = Space::shared;
    } else if (q == "param") {
      i_.space = Space::kernel_param;
    } else if (q == "v2" || q == "v4") {
      i_.vec = q == "v2" ? 2 : 4;
    } else if (k + 1 == parts_.size()) {
      i_.element = static_cast<u8>(type_bytes("." + q)), i_.sign = q[0] == 's';
    } else if (q != "nc") {
      names_.fail("unknown qualifier " + q);
    }
  }
  const Operand& value = a_[is_load ? 0 : 1];
  memory_base(a_[is_load ? 1 : 0]);
  const std::vector<Operand> all = value.kind == Operand::vec ? value.parts : std::vector<Operand>{value};
  if (all.size() != i_.vec) names_.fail("a vector of another length");
  for (std::size_t v = 0; v < all.size(); ++v) {
    i_.slot = i_.element > 4 ? 8 : 4;
    if (all[v].kind != Operand::imm) {
      const Symbol s = names_.lookup(all[v].name);
      if (s.kind == Symbol::reg) {  // which may be wider than the element
        i_.slot = s.width > 4 ? 8 : s.width == 2 ? 2 : 4;
        i_.d[v] = s.offset;
        continue;
      }
    }
    i_.d[v] = names_.source(all[v], i_.slot);
  }
  done();
}

// Several registers to one, or one to several.
void Instruction::move_parts() {
  const int width = type_bytes("." + parts_.back());
  const bool packs = a_[1].kind == Operand::vec;
  const std::vector<Operand>& pieces = a_[packs ? 1 : 0].parts;
  const int piece = width / static_cast<int>(pieces.size());
  i_.fn = packs ? pack_of(width) : unpack_of(width);
  i_.slot = piece > 4 ? 8 : 4;
  (packs ? i_.d[0] : i_.a) = names_.source(a_[packs ? 0 : 1], width);
  for (const Operand& o : pieces) i_.list.push_back(o.kind == Operand::none ? -1 : names_.source(o, piece));
  done();
}

// cvta: generic addresses have windows of shared memory and parameters; elsewhere they are global ones.
void Instruction::change_window() {
  u64 base = 0;
  if (starts("cvta.param.")) {
    base = kGenericParam;
  } else if (starts("cvta.shared.")) {
    base = kGenericShared;
  } else if (starts("cvta.to.shared.")) {
    base = 0 - kGenericShared;
  } else if (!starts("cvta.to.global.") && !starts("cvta.global.")) {
    names_.fail("unknown " + s_.op);
  }
  i_.fn = find_operation("add.s64")->fn;
  i_.d[0] = names_.source(a_[0], 8), i_.a = names_.source(a_[1], 8), i_.b = names_.constant(base, 8);
  done();
}

void Instruction::atomic() {
  const bool is_min = parts_[2] == "min", is_wide = parts_.back() == "u64";
  if (!is_min && parts_[2] != "add") names_.fail("unknown " + s_.op);
  i_.space = parts_[1] == "shared" ? Space::shared : parts_[1] == "global" ? Space::global : Space::generic;
  i_.fn = atomic_of(is_min, is_wide);
  memory_base(a_[1]);
  i_.d[0] = names_.source(a_[0], is_wide ? 8 : 4), i_.b = names_.source(a_[2], is_wide ? 8 : 4);
  done();
}

// ---- Lane by lane

void Instruction::elementwise() {
  const Operation* const operation = find_operation(s_.op);
  if (operation == nullptr) names_.fail("unknown instruction " + s_.op);
  const std::vector<int>& width = operation->width;
  if (a_.size() != width.size() && operation->form != Form::predicates) names_.fail("operands of " + s_.op);
  if (!a_[0].second.empty()) names_.fail("a second destination");
  i_.fn = operation->fn;
  i_.d[0] = names_.source(a_[0], width[0]);
  int* const to[] = {&i_.a, &i_.b, &i_.c, &i_.e};
  for (std::size_t k = 1; k < a_.size(); ++k) {
    *to[k - 1] = parts_[0] == "cvt" ? converted_source(a_[k], width.at(k)) : names_.source(a_[k], width.at(k));
    if (!a_[k].negated) continue;
    if (operation->form != Form::selection || k != 3) names_.fail("a negated source");
    i_.source_negated = true;
  }
  done();
}

// A source may be wider than what is converted of it.
int Instruction::converted_source(const Operand& o, int width) {
  if (width > 4 || o.kind != Operand::reg || names_.lookup(o.name).width != 8) return names_.source(o, width);
  Inst narrow = i_;
  narrow.fn = find_operation("cvt.u32.u64")->fn;
  narrow.d[0] = names_.new_register(4), narrow.a = names_.source(o, 8);
  const int narrowed = narrow.d[0];
  ptx::emit(k_, std::move(narrow));
  return narrowed;
}

}  // namespace ptx
