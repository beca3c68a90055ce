#include "operation.h"

#include <algorithm>

namespace ptx::test {
namespace {

std::set<std::string>& tried() {
  static std::set<std::string> all;
  return all;
}

constexpr int kUnits = 8;  // of 8 bytes of input for a row: its sources, and whether it is executed

std::string register_of(int width, int k) {
  const char* const kind = width == 0 ? "%p" : width <= 2 ? "%h" : width == 4 ? "%r" : "%d";
  return kind + std::to_string(k);
}
std::string bits_type(int width) { return ".b" + std::to_string(8 * width); }

// A register to or from memory; predicates by way of one of 32 bits.
std::string load(int width, int k) {
  const std::string at = ", [%d15+" + std::to_string(8 * k) + "];\n";
  if (width != 0) return "  ld.global" + bits_type(width) + " " + register_of(width, k) + at;
  const std::string flag = "%r" + std::to_string(k);
  return "  ld.global.b32 " + flag + at + "  setp.ne.u32 " + register_of(0, k) + ", " + flag + ", 0;\n";
}
std::string store(int width, int k) {
  if (width != 0) return "  st.global" + bits_type(width) + " [%mine], " + register_of(width, k) + ";\n";
  return "  selp.b32 %r14, 1, 0, " + register_of(0, k) + ";\n  st.global.b32 [%mine], %r14;\n";
}

std::string text_of(const std::string& op, const std::vector<int>& widths) {
  const int sources = static_cast<int>(widths.size()) - 1, target = sources;
  std::string body = "  mul.wide.u32 %d14, %t, " + std::to_string(8 * kUnits) + ";\n  add.s64 %d15, %in, %d14;\n";
  std::string line = "  @%p15 " + op + " " + register_of(widths[0], target);
  for (int k = 0; k < sources; ++k) {
    body += load(widths[k + 1], k);
    line += ", " + register_of(widths[k + 1], k);
  }
  body += load(widths[0], target);
  body += "  ld.global.b32 %r15, [%d15+" + std::to_string(8 * (kUnits - 1)) + "];\n  setp.ne.u32 %p15, %r15, 0;\n";
  return body + line + ";\n" + store(widths[0], target);
}

}  // namespace

const std::set<std::string>& operations_tried() { return tried(); }

std::vector<u64> results_of(const std::string& op, const std::vector<int>& widths,
                            const std::vector<std::vector<u64>>& rows) {
  tried().insert(op);
  const std::size_t sources = widths.size() - 1;
  const std::size_t lanes = (rows.size() + 31) / 32 * 32;
  const u64 written = widths[0] == 8 ? ~u64{0} : (u64{1} << (widths[0] == 0 ? 32 : 8 * widths[0])) - 1;
  const u64 kept = widths[0] == 0 ? 1 : 0x123456789abcdef7 & written;
  const std::string body = text_of(op, widths);
  std::vector<u64> found;
  for (const std::size_t step : {2, 1}) {  // every second lane, then all of them
    std::vector<u64> in(lanes * kUnits);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      u64* const row = &in[lane * kUnits];
      std::copy_n(rows[lane % rows.size()].begin(), sources, row);
      row[sources] = kept;
      row[kUnits - 1] = lane % step == 0;
    }
    Setup setup;
    setup.blocks = static_cast<u32>(lanes / 32);
    found = run(body, in, setup);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      CHECK((found[lane] & ~written) == (kUntouched & ~written), "%s writes more than its result", op.c_str());
      found[lane] &= written;
      if (lane % step != 0)
        CHECK(found[lane] == kept, "%s: lane %zu does not execute it and has another result", op.c_str(), lane);
    }
  }
  return found;
}

void report(const std::string& op, const std::vector<u64>& row, u64 found, u64 expected) {
  std::string sources;
  for (const u64 v : row) {
    char text[32];
    std::snprintf(text, sizeof text, " %llx", static_cast<unsigned long long>(v));
    sources += text;
  }
  CHECK(false, "%s of%s: %llx instead of %llx", op.c_str(), sources.c_str(), static_cast<unsigned long long>(found),
        static_cast<unsigned long long>(expected));
}

}  // namespace ptx::test
