// Words and signs of PTX text.
#pragma once

#include <string_view>
#include <vector>

namespace ptx {

struct Token {
  std::string_view text;
  int line;
};

// Of PTX as nvcc writes it; they point into the text.
std::vector<Token> tokens_of(std::string_view text);

}  // namespace ptx
