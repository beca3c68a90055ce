// Statements of PTX text, not yet instructions. Only what nvcc makes of the project's kernels is known; anything else
// ends the program with its line.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ptx {
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;

// Ends the program: the interpreter does not know what it is to do.
[[noreturn]] void die(const std::string& what);

struct Operand {
  enum Kind { reg, imm, sym, mem, vec, none } kind = none;
  std::string name;      // register or symbol; of mem: its base
  bool negated = false;  // !%p
  u64 value = 0;         // immediate
  i64 offset = 0;        // of mem
  std::string second;    // %r|%p
  std::vector<Operand> parts;
};

struct Statement {
  enum Kind { label, instr, reg_decl, param_decl, shared_decl, local_decl, open, close } kind;
  int line = 0;
  std::string op;     // opcode, label name
  std::string guard;  // predicate
  bool guard_negated = false;
  std::vector<Operand> args;
  std::vector<std::string> call_args, call_rets;  // of call: names of parameters
  // Of declarations.
  std::string type, name;
  int count = -1;  // %r<count>
  i64 bytes = 0, align = 1;
};

struct Param {
  std::string name;
  i64 bytes, align;
};

struct Shared {
  std::string name;
  i64 bytes, align;
  bool dynamic;
};

struct Function {
  std::string name;
  bool entry = false, has_body = false;
  std::vector<Param> rets, params;
  std::vector<Statement> body;
  int max_threads = 1024;
};

struct Module {
  std::map<std::string, Function> functions;
  std::vector<Shared> shared;
};

// Of ".f64" and the like; 0 of predicates.
int type_bytes(std::string_view type);

std::unique_ptr<Module> parse(std::string text);

}  // namespace ptx
