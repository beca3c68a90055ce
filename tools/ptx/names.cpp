#include "names.h"

#include <cctype>
#include <set>

namespace ptx {
namespace {

Symbol symbol(Symbol::Kind kind, i64 offset) { return {kind, 0, static_cast<int>(offset)}; }

i64 aligned(i64 at, i64 to) { return (at + to - 1) / to * to; }

// All names in a function and in what it calls; shared memory declared there goes to `own`.
void collect(const Module& module, const Function& f, std::set<std::string>& used, std::vector<Shared>& own) {
  for (const Statement& s : f.body) {
    for (const Operand& o : s.args) used.insert(o.name);
    if (s.kind == Statement::shared_decl) own.push_back({s.name, s.bytes, s.align, false});
    if (s.kind == Statement::instr && s.op.rfind("call", 0) == 0)
      collect(module, module.functions.at(s.name), used, own);
  }
}

}  // namespace

Names::Names(const Module& module, const Function& entry, Kernel& kernel) : k_(kernel), scopes_(1) {
  lay_out_parameters(entry);
  lay_out_shared(module, entry);
  open();
}

void Names::lay_out_parameters(const Function& entry) {
  i64 at = 0;
  for (const Param& p : entry.params) {
    at = aligned(at, p.align);
    k_.param_offsets.push_back(static_cast<int>(at));
    scopes_[0][p.name] = symbol(Symbol::kernel_param, at);
    at += p.bytes;
  }
  k_.params = entry.params;
  k_.param_bytes = static_cast<int>(at);
}

void Names::lay_out_shared(const Module& module, const Function& entry) {
  std::set<std::string> used;
  std::vector<Shared> all = module.shared;
  collect(module, entry, used, all);
  i64 at = kSharedBase + options().shift;
  std::string dynamic;
  for (const Shared& s : all) {
    if (used.count(s.name) == 0 || scopes_[0].count(s.name) != 0) continue;
    if (s.dynamic) {
      dynamic = s.name;
      continue;
    }
    at = aligned(at, s.align);
    scopes_[0][s.name] = symbol(Symbol::shared, at);
    at += s.bytes;
  }
  at = aligned(at, 16);
  k_.static_shared = static_cast<int>(at - kSharedBase);
  if (!dynamic.empty()) scopes_[0][dynamic] = symbol(Symbol::shared, at);
}

void Names::fail(const std::string& what) const { die(k_.name + ", line " + std::to_string(line) + ": " + what); }

void Names::declare_registers(const Statement& s) {
  if (s.count >= 0) {
    scopes_.back()[s.name + "<>"] = {Symbol::family, 0, 0, s.type};
  } else {
    scopes_.back()[s.name] = fresh(s.type);
  }
}

void Names::declare_local(const Statement& s) {
  scopes_.back()[s.name] = symbol(Symbol::local_param, k_.local_bytes);
  k_.local_bytes += static_cast<int>(aligned(s.bytes, 16));
}

Names::Place Names::enter(const Symbols& params) {
  const Place caller{function_scope_, scopes_.size()};
  scopes_.push_back(params);
  function_scope_ = caller.depth;
  return caller;
}

void Names::leave(const Place& caller) {
  scopes_.resize(caller.depth);
  function_scope_ = caller.function_scope;
}

Symbol Names::fresh(const std::string& type) {
  if (type == ".pred") return {Symbol::pred, 0, k_.preds++, type};
  const int width = type_bytes(type);
  return {Symbol::reg, width, new_register(width), type};
}

Symbol Names::lookup(const std::string& name) {
  // Registers come as families, %r<count>, and get their cells when they are first named.
  std::string family = name;
  while (!family.empty() && std::isdigit(static_cast<unsigned char>(family.back())) != 0) family.pop_back();
  family += "<>";
  for (std::size_t s = scopes_.size(); s-- > 0;) {
    if (s < function_scope_ && s != 0) continue;
    Symbols& here = scopes_[s];
    if (const auto found = here.find(name); found != here.end()) return found->second;
    if (const auto found = here.find(family); found != here.end()) {
      const std::string type = found->second.type;
      return here[name] = fresh(type);
    }
  }
  if (name.empty() || name[0] != '%') fail("unknown name " + name);
  k_.special[name] = new_register(4);
  return scopes_[0][name] = {Symbol::reg, 4, k_.special[name]};
}

int Names::new_register(int width) {
  const int at = k_.reg_bytes;
  k_.reg_bytes += width > 4 ? 256 : 128;
  return at;
}

int Names::constant(u64 value, int width) {
  if (width < 8) value &= (u64{1} << (8 * width)) - 1;
  const int slot = width > 4 ? 8 : 4;
  const auto [found, is_new] = constants_.try_emplace({value, slot}, 0);
  if (is_new) {
    found->second = new_register(slot);
    (slot == 8 ? k_.const64 : k_.const32).push_back({found->second, value});
  }
  return found->second;
}

int Names::source(const Operand& o, int width) {
  if (o.kind == Operand::imm) {
    if (width != 0) return constant(o.value, width);
    k_.const_preds.push_back({k_.preds, o.value != 0});
    return k_.preds++;
  }
  const Symbol s = lookup(o.name);
  switch (s.kind) {
    case Symbol::pred:
      if (width != 0) fail("a predicate for a value");
      return s.offset;
    case Symbol::reg:
      if ((s.width > 4) != (width > 4) || width == 0)
        fail("register " + o.name + " is not of " + std::to_string(width) + " bytes");
      return s.offset;
    case Symbol::shared:
    case Symbol::kernel_param: return constant(static_cast<u64>(s.offset), width);
    default: fail("the address of a local parameter is taken: " + o.name);
  }
}

}  // namespace ptx
