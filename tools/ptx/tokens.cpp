#include "tokens.h"

#include <cctype>

namespace ptx {
namespace {

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : s_(text) {}

  std::vector<Token> all() {
    std::vector<Token> tokens;
    while (skip_blank()) {
      const std::size_t end = end_of_token();
      tokens.push_back({s_.substr(at_, end - at_), line_});
      at_ = end;
    }
    return tokens;
  }

 private:
  std::string_view s_;
  std::size_t at_ = 0;
  int line_ = 1;

  bool starts(std::string_view what) const { return s_.compare(at_, what.size(), what) == 0; }
  bool is_word(std::size_t k) const {
    const char c = k < s_.size() ? s_[k] : ' ';
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '.' || c == '%';
  }

  // To the next token, over blanks and comments; false at the end.
  bool skip_blank() {
    while (at_ < s_.size() && s_[at_] != '\0') {
      if (starts("//")) {
        while (at_ < s_.size() && s_[at_] != '\n') ++at_;
      } else if (starts("/*")) {
        while (!starts("*/")) line_ += s_[at_++] == '\n';
        at_ += 2;
      } else if (std::isspace(static_cast<unsigned char>(s_[at_]))) {
        line_ += s_[at_++] == '\n';
      } else {
        return true;
      }
    }
    return false;
  }

  std::size_t end_of_token() const {
    if (s_[at_] == '"') return s_.find('"', at_ + 1) + 1;
    if (!is_word(at_)) return at_ + 1;
    std::size_t end = at_;
    // "::" belongs to qualifiers (shared::cta), one ':' ends a label.
    while (end < s_.size()) {
      if (is_word(end)) {
        ++end;
      } else if (s_.compare(end, 2, "::") == 0 && is_word(end + 2)) {
        end += 2;
      } else {
        break;
      }
    }
    return end;
  }
};

}  // namespace

std::vector<Token> tokens_of(std::string_view text) { return Tokenizer(text).all(); }

}  // namespace ptx
