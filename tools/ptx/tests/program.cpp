#include "program.h"

#include "allocations.h"

namespace ptx::test {

std::string module_text(const std::string& body, const std::string& declarations) {
  return ".version 8.0\n.target sm_90a\n.address_size 64\n" + declarations + R"(
.visible .entry test(.param .u64 in, .param .u64 out)
{
  .reg .pred %p<16>;
  .reg .b16 %h<16>;
  .reg .b32 %r<16>, %t, %in_block, %block, %size;
  .reg .b64 %d<16>, %in, %out, %given, %mine, %slot;
  .reg .f32 %f<16>;
  .reg .f64 %g<16>;
  ld.param.u64 %in, [in];
  ld.param.u64 %out, [out];
  mov.u32 %in_block, %tid.x;
  mov.u32 %block, %ctaid.x;
  mov.u32 %size, %ntid.x;
  mad.lo.s32 %t, %block, %size, %in_block;
  mul.wide.u32 %slot, %t, 8;
  add.s64 %given, %in, %slot;
  add.s64 %mine, %out, %slot;
)" + body +
         "\n  ret;\n}\n";
}

Program::Program(const std::string& text) {
  const Untracked own;
  module_ = parse(text);
  compile(*module_, module_->functions.at("test"), kernel_);
  kernel_.dynamic_shared = 227 * 1024 - kernel_.static_shared;
}

Launched Program::launch(Extent grid, Extent block, void** arguments, std::size_t shared) {
  const Untracked own;
  return ptx::launch(kernel_, grid, block, arguments, shared);
}

std::vector<u64> run(const std::string& body, std::vector<u64> in, const Setup& setup) {
  const std::size_t threads = std::size_t{setup.threads} * setup.blocks;
  if (in.size() < threads) in.resize(threads);
  std::vector<u64> out(threads + setup.more, kUntouched);
  Program program(module_text(body, setup.declarations));
  u64* from = in.data();
  u64* to = out.data();
  void* arguments[] = {&from, &to};
  const Launched end = program.launch({setup.blocks, 1, 1}, {setup.threads, 1, 1}, arguments, setup.shared);
  CHECK(end == Launched::done, "%d", static_cast<int>(end));
  return out;
}

void check_run(const char* what, const std::string& body, const std::vector<u64>& in, const std::vector<u64>& expected,
               int bytes, const Setup& setup) {
  const std::vector<u64> found = run(body, in, setup);
  const u64 written = bytes == 8 ? ~u64{0} : (u64{1} << (8 * bytes)) - 1;
  CHECK(found.size() >= expected.size(), "%s: %zu of %zu", what, found.size(), expected.size());
  for (std::size_t k = 0; k < expected.size() && k < found.size(); ++k) {
    const u64 wanted = (expected[k] & written) | (kUntouched & ~written);
    CHECK(found[k] == wanted, "%s, thread %zu: %016llx instead of %016llx", what, k,
          static_cast<unsigned long long>(found[k]), static_cast<unsigned long long>(wanted));
  }
}

}  // namespace ptx::test
