// Translation of one statement into an instruction whose operands are found.
#pragma once

#include "names.h"

namespace ptx {

std::string describe(const Statement& s);
void emit(Kernel& kernel, Inst i);

class Instruction {
 public:
  // `i` has line, text and guard.
  Instruction(Names& names, Kernel& kernel, const Statement& s, Inst i);
  // Appends it to the kernel's code. Ends the program where it is not modelled.
  void emit();

 private:
  Names& names_;
  Kernel& k_;
  const Statement& s_;
  const std::vector<Operand>& a_;
  std::vector<std::string> parts_;  // of the opcode, between dots
  Inst i_;

  bool starts(const char* what) const { return s_.op.rfind(what, 0) == 0; }
  void done() { ptx::emit(k_, std::move(i_)); }
  void memory_base(const Operand& o);
  void load_or_store();
  void move_parts();
  void change_window();
  void elementwise();
  int converted_source(const Operand& o, int width);
  void atomic();
  void copy_async();
  void multiply();
  void multiply_group();
  void shuffle();
  void with_lanes(Together what, const Operand* members);
  bool is_memory();
  bool is_together();
  bool is_group();
  bool is_async();
};

}  // namespace ptx
