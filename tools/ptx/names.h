// Meaning and storage of names where they stand: registers, predicates, addresses.
#pragma once

#include "machine.h"

namespace ptx {

struct Symbol {
  enum Kind { reg, pred, family, shared, kernel_param, local_param } kind = reg;
  int width = 0, offset = 0;  // of a register: bytes, and where its cells are
  std::string type = {};
};
using Symbols = std::map<std::string, Symbol>;

class Names {
 public:
  // Lays out the entry's parameters, and the shared memory that it and what it calls name.
  Names(const Module& module, const Function& entry, Kernel& kernel);

  void declare_registers(const Statement& s);
  void declare_local(const Statement& s);
  void open() { scopes_.emplace_back(); }
  void close() { scopes_.pop_back(); }

  // Of a function's body, where only its parameters are known beside the module's names.
  struct Place {
    std::size_t function_scope, depth;
  };
  Place enter(const Symbols& params);
  void leave(const Place& caller);

  // By value: the next name may make room for another. Ends the program at unknown names.
  Symbol lookup(const std::string& name);
  int new_register(int width);
  int constant(u64 value, int width);

  // The cells of a source of `width` bytes, a predicate where that is 0.
  int source(const Operand& o, int width);

  int line = 0;  // of what is being compiled, for messages
  [[noreturn]] void fail(const std::string& what) const;

 private:
  Kernel& k_;
  std::vector<Symbols> scopes_;  // the module's, then blocks within blocks
  std::size_t function_scope_ = 1;
  std::map<std::pair<u64, int>, int> constants_;

  void lay_out_parameters(const Function& entry);
  void lay_out_shared(const Module& module, const Function& entry);
  Symbol fresh(const std::string& type);
};

}  // namespace ptx
