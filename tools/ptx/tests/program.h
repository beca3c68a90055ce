// Kernels in PTX text, compiled and launched: the ground of every test here.
#pragma once

#include <string>
#include <vector>

#include "../../../tests/cpp/check.h"
#include "compile.h"
#include "launch.h"

namespace ptx::test {

// A module with one entry, `test`, whose body finds in registers: its thread's number in the grid %t, the addresses of
// its own 8 bytes of input %given and of output %mine, and those of all input %in and all output %out. There are
// %p0 to %p15, and as many of %h (16 bits), %r (32), %d (64), %f (f32), %g (f64).
std::string module_text(const std::string& body, const std::string& declarations = "");

class Program {
 public:
  explicit Program(const std::string& text);
  Launched launch(Extent grid, Extent block, void** arguments, std::size_t shared = 0);

 private:
  std::unique_ptr<Module> module_;
  Kernel kernel_;
};

struct Setup {
  u32 threads = 32, blocks = 1;
  std::size_t shared = 0;         // dynamic, in bytes
  std::size_t more = 0;           // of output, in units of 8 bytes behind the threads' own
  std::string declarations = {};  // of the module
};

// What a body has written to its output, 8 bytes for each thread, where nothing was written kUntouched; `in` is
// lengthened with zeros to one unit for each thread.
constexpr u64 kUntouched = 0xeeeeeeeeeeeeeeee;
std::vector<u64> run(const std::string& body, std::vector<u64> in = {}, const Setup& setup = {});

// The body's results, compared thread by thread: the lower `bytes` bytes are as expected, the others untouched.
void check_run(const char* what, const std::string& body, const std::vector<u64>& in, const std::vector<u64>& expected,
               int bytes = 4, const Setup& setup = {});

}  // namespace ptx::test
