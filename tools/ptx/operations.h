// Operations of each lane by itself: one function for each opcode and type, over the lanes of a mask.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "machine.h"

namespace ptx {

enum class Form : u8 { plain, selection, predicates };

struct Operation {
  Fn fn;
  Form form;
  std::vector<int> width;  // of destination and sources, in bytes; 0 of a predicate
};
using Operations = std::unordered_map<std::string, Operation>;

// By opcode and type ("add.s32").
const Operations& all_operations();
// nullptr of what is not modelled.
const Operation* find_operation(const std::string& name);

// Of several registers one, and back; `width` bytes in all.
Fn pack_of(int width);
Fn unpack_of(int width);

// a b - c, rounded once. No instruction of PTX's, but what ptxas may make of two.
void fused_difference(Machine& m, const Inst& i, u32 mask);

void add_integer_operations(Operations& all);
void add_float_operations(Operations& all);

}  // namespace ptx
