// PTX text -> statements, by descent.
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "statements.h"
#include "tokens.h"

namespace ptx {

void die(const std::string& what) {
  std::fflush(stdout);
  std::fprintf(stderr, "PTX interpreter: %s\n", what.c_str());
  std::fflush(stderr);
  _exit(4);
}

int type_bytes(std::string_view type) {
  return type == ".pred" ? 0 : std::atoi(std::string(type.substr(2)).c_str()) / 8;
}

namespace {

class Parser {
 public:
  Parser(Module& module, std::string_view text) : m_(module), t_(tokens_of(text)) { module_scope(); }

 private:
  Module& m_;
  std::vector<Token> t_;
  std::size_t at_ = 0;

  std::string_view peek(std::size_t k = 0) const { return at_ + k < t_.size() ? t_[at_ + k].text : std::string_view(); }
  int line() const { return at_ < t_.size() ? t_[at_].line : t_.back().line; }
  std::string_view next() {
    if (at_ == t_.size()) die("the text ends too early");
    return t_[at_++].text;
  }
  std::string name() { return std::string(next()); }
  bool take(std::string_view s) {
    if (peek() != s) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view s) {
    if (!take(s))
      die("line " + std::to_string(line()) + ": expected " + std::string(s) + ", not " + std::string(peek()));
  }
  i64 number() { return static_cast<i64>(std::strtoull(name().c_str(), nullptr, 0)); }

  void module_scope() {
    while (at_ < t_.size()) {
      if (take(".version") || take(".address_size")) {
        next();
      } else if (take(".target")) {
        next();
        while (take(",")) next();
      } else if (take(".shared")) {
        bool dynamic = false;
        const Param p = variable(&dynamic);
        m_.shared.push_back({p.name, p.bytes, p.align, dynamic});
        expect(";");
      } else if (peek() == ".entry" || peek() == ".func") {
        function();
      } else if (!take(".extern") && !take(".visible") && !take(".weak")) {
        die("line " + std::to_string(line()) + ": unknown directive " + std::string(peek()));
      }
    }
  }

  void function() {
    Function f;
    f.entry = next() == ".entry";
    if (peek() == "(") f.rets = params();
    f.name = name();
    if (peek() == "(") f.params = params();
    while (peek() != "{" && peek() != ";") {
      if (!take(".maxntid")) {
        next();
        continue;
      }
      f.max_threads = static_cast<int>(number());
      while (take(",")) next();
    }
    if (take(";")) {
      m_.functions.try_emplace(f.name, f);
      return;
    }
    f.has_body = true;
    body(f);
    m_.functions[f.name] = std::move(f);
  }

  // [.align N] .type name[bytes]
  Param variable(bool* unsized = nullptr) {
    Param p{"", 0, 0};
    while (peek() == ".align" || peek() == ".ptr") {
      if (next() == ".align") p.align = number();
    }
    const int element = type_bytes(next());
    p.name = name();
    p.bytes = element;
    if (p.align == 0) p.align = element;
    if (!take("[")) return p;
    if (take("]")) {
      if (unsized != nullptr) *unsized = true;
      p.bytes = 0;
    } else {
      p.bytes = element * number();
      expect("]");
    }
    return p;
  }

  std::vector<Param> params() {
    std::vector<Param> all;
    expect("(");
    while (!take(")")) {
      expect(".param");
      all.push_back(variable());
      take(",");
    }
    return all;
  }

  Operand operand() {
    Operand o;
    if (take("!")) o.negated = true;
    if (take("{")) {
      o.kind = Operand::vec;
      while (!take("}")) {
        o.parts.push_back(operand());
        take(",");
      }
      return o;
    }
    if (take("[")) return address();
    if (take("-")) {
      o = operand();
      o.value = 0 - o.value;
      return o;
    }
    const std::string s = name();
    if (std::isdigit(static_cast<unsigned char>(s[0]))) {
      o.kind = Operand::imm;
      const bool is_bits = s.size() > 2 && s[0] == '0' && std::string_view("dDfF").find(s[1]) != std::string_view::npos;
      o.value = is_bits ? std::strtoull(s.c_str() + 2, nullptr, 16) : std::strtoull(s.c_str(), nullptr, 0);
      return o;
    }
    o.kind = s == "_" ? Operand::none : s[0] == '%' ? Operand::reg : Operand::sym;
    o.name = s;
    if (take("|")) o.second = name();
    return o;
  }

  Operand address() {  // behind its "["
    Operand o;
    o.kind = Operand::mem;
    const Operand base = operand();
    if (base.kind == Operand::imm) {
      o.offset = static_cast<i64>(base.value);
    } else {
      o.name = base.name;
    }
    if (take("+")) {
      const bool minus = take("-");
      const i64 n = number();
      o.offset += minus ? -n : n;
    } else if (take("-")) {
      o.offset -= number();
    }
    expect("]");
    return o;
  }

  void body(Function& f) {
    expect("{");
    for (int depth = 1; depth > 0;) {
      Statement s;
      s.line = line();
      const std::string_view p = peek();
      if (take("{")) {
        ++depth;
        s.kind = Statement::open;
      } else if (take("}")) {
        s.kind = Statement::close;
        if (--depth == 0) return;
      } else if (take(";")) {
        continue;
      } else if (p == ".pragma" || p == ".loc") {
        while (next() != ";") {
        }
        continue;
      } else if (p == ".reg") {
        registers(f, s);
        continue;
      } else if (p == ".param" || p == ".shared" || p == ".local") {
        s.kind = p == ".param"    ? Statement::param_decl
                 : p == ".shared" ? Statement::shared_decl
                                  : Statement::local_decl;
        next();
        const Param v = variable();
        s.name = v.name, s.bytes = v.bytes, s.align = v.align;
        expect(";");
      } else if (peek(1) == ":") {
        s.kind = Statement::label;
        s.op = name();
        expect(":");
      } else {
        instruction(s);
      }
      f.body.push_back(s);
    }
  }

  // .reg .type name<count>, ...;
  void registers(Function& f, Statement s) {
    next();
    s.kind = Statement::reg_decl;
    s.type = name();
    do {
      s.name = name();
      s.count = -1;
      if (take("<")) {
        s.count = static_cast<int>(number());
        expect(">");
      }
      f.body.push_back(s);
    } while (take(","));
    expect(";");
  }

  void instruction(Statement& s) {
    s.kind = Statement::instr;
    if (take("@")) {
      s.guard_negated = take("!");
      s.guard = name();
    }
    s.op = name();
    if (s.op.rfind("call", 0) == 0) return call(s);
    while (!take(";")) {
      s.args.push_back(operand());
      if (peek() != ";") expect(",");
    }
  }

  // (returned), function, (arguments);
  void call(Statement& s) {
    if (peek() == "(") {
      s.call_rets = names();
      expect(",");
    }
    s.name = name();
    if (take(",")) s.call_args = names();
    expect(";");
  }

  std::vector<std::string> names() {
    std::vector<std::string> all;
    expect("(");
    while (!take(")")) {
      all.push_back(name());
      take(",");
    }
    return all;
  }
};

}  // namespace

std::unique_ptr<Module> parse(std::string text) {
  auto module = std::make_unique<Module>();
  Parser parser(*module, text);
  return module;
}

}  // namespace ptx
