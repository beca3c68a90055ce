#include <unistd.h>

#include <cstdarg>
#include <cstdio>

#include "machine.h"

namespace ptx {

void Machine::trap(const Inst& i, u32 lanes, const char* format, ...) {
  char text[512];
  va_list all;
  va_start(all, format);
  std::vsnprintf(text, sizeof text, format, all);
  va_end(all);
  std::fflush(stdout);
  std::fprintf(stderr, "TRAP in %s\n  line %d: %s\n  block (%u, %u, %u), warp %d, lanes %08x: %s\n",
               kernel->name.c_str(), i.line, i.text.c_str(), block.id[0], block.id[1], block.id[2],
               warp != nullptr ? warp->id : -1, lanes, text);
  std::fflush(stderr);
  _exit(3);
}

}  // namespace ptx
