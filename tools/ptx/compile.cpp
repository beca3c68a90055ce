#include "compile.h"

#include "instructions.h"
#include "wgmma.h"

namespace ptx {
namespace {

class Compiler {
 public:
  Compiler(const Module& module, const Function& entry, Kernel& kernel)
      : module_(module), k_(kernel), names_(module, entry, kernel) {
    function(entry, true);
  }

 private:
  const Module& module_;
  Kernel& k_;
  Names names_;

  struct Labels {
    std::map<std::string, u32> at;
    std::vector<std::pair<u32, std::string>> wanted;
    std::vector<u32> returns;
  };

  u32 here() const { return static_cast<u32>(k_.code.size()); }

  void function(const Function& f, bool is_entry) {
    Labels labels;
    for (const Statement& s : f.body) {
      names_.line = s.line;
      switch (s.kind) {
        case Statement::open: names_.open(); break;
        case Statement::close: names_.close(); break;
        case Statement::label: labels.at[s.op] = here(); break;
        case Statement::reg_decl: names_.declare_registers(s); break;
        case Statement::param_decl: names_.declare_local(s); break;
        case Statement::shared_decl: break;
        case Statement::local_decl: names_.fail("local memory");
        case Statement::instr: instruction(s, labels, is_entry);
      }
    }
    for (const auto& [pc, name] : labels.wanted) {
      if (labels.at.count(name) == 0) names_.fail("no label " + name);
      k_.code[pc].target = labels.at[name];
    }
    for (const u32 pc : labels.returns) k_.code[pc].target = here();
  }

  void call(const Statement& s) {
    const Function& f = module_.functions.at(s.name);
    if (!f.has_body) names_.fail("no body of " + s.name);
    Symbols params;
    for (std::size_t k = 0; k < f.params.size(); ++k) params[f.params[k].name] = names_.lookup(s.call_args.at(k));
    for (std::size_t k = 0; k < f.rets.size(); ++k) params[f.rets[k].name] = names_.lookup(s.call_rets.at(k));
    const int line = names_.line;
    const Names::Place caller = names_.enter(params);
    function(f, false);
    names_.leave(caller);
    names_.line = line;
  }

  void instruction(const Statement& s, Labels& labels, bool is_entry) {
    Inst i;
    i.line = s.line;
    i.text = describe(s);
    if (!s.guard.empty()) {
      const Symbol p = names_.lookup(s.guard);
      if (p.kind != Symbol::pred) names_.fail("a guard that is no predicate");
      i.guard = p.offset, i.guard_negated = s.guard_negated;
    }
    const std::string what = s.op.substr(0, s.op.find('.'));
    const bool leaves = what == "exit" || (what == "ret" && is_entry);
    if (what == "call") {
      if (i.guard >= 0) names_.fail("a guarded call");
      return call(s);
    }
    if (leaves) {
      i.op = Op::exit;
      if (i.guard >= 0) names_.fail("a guarded exit");
    } else if (what == "ret") {
      i.op = Op::branch;
      labels.returns.push_back(here());
    } else if (what == "bra") {
      i.op = Op::branch;
      labels.wanted.push_back({here(), s.args[0].name});
    } else {
      return Instruction(names_, k_, s, std::move(i)).emit();
    }
    emit(k_, std::move(i));
  }
};

}  // namespace

void compile(const Module& module, const Function& entry, Kernel& kernel) {
  kernel.name = entry.name;
  kernel.max_threads = entry.max_threads;
  Compiler(module, entry, kernel);
  const std::size_t size = kernel.code.size();
  kernel.hit.resize(size), kernel.taken.resize(size), kernel.fallen.resize(size), kernel.late.resize(size);
  if (options().contract) contract(kernel);
  guard_accumulators(kernel);
}

}  // namespace ptx
