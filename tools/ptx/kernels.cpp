#include "kernels.h"

#include <cstdio>
#include <cstdlib>

#include "allocations.h"
#include "compile.h"

namespace ptx {
namespace {

// Never destroyed: the report at exit reads them.
struct Registry {
  std::map<const void*, std::string> functions;
  std::map<std::string, Kernel> kernels;
  std::vector<std::unique_ptr<Module>> modules;
};
Registry& registry() {
  static Registry* const all = new Registry;
  return *all;
}

// For every kernel a line "K name instructions launches executed", then one for each instruction: its number, its line
// of PTX, whether it was executed, what branch it is (0 none, 1 always, 2 by a guard), whether that was taken and not
// taken, how often lanes came late to it, and its text.
void write_coverage(const char* path) {
  FILE* const file = std::fopen(path, "w");
  if (file == nullptr) die(std::string("cannot write ") + path);
  for (const auto& [name, k] : registry().kernels) {
    std::fprintf(file, "K %s %zu %llu %llu\n", name.c_str(), k.code.size(), static_cast<unsigned long long>(k.launches),
                 static_cast<unsigned long long>(k.executed));
    for (std::size_t pc = 0; pc < k.code.size(); ++pc) {
      const Inst& i = k.code[pc];
      const int branch = i.op != Op::branch ? 0 : i.guard >= 0 ? 2 : 1;
      std::fprintf(file, "%zu %d %d %d %d %d %u %s\n", pc, i.line, k.hit[pc], branch, k.taken[pc], k.fallen[pc],
                   k.late[pc], i.text.c_str());
    }
  }
  std::fclose(file);
}

void report() {
  const Untracked own;
  if (options().coverage != nullptr) write_coverage(options().coverage);
  u64 launches = 0;
  for (const auto& [name, k] : registry().kernels) launches += k.launches;
  std::fprintf(stderr, "%llu launches, %llu warp instructions\n", static_cast<unsigned long long>(launches),
               static_cast<unsigned long long>(instructions_executed()));
}

void make(const std::string& name, Kernel& kernel) {
  for (const auto& module : registry().modules) {
    const auto f = module->functions.find(name);
    if (f == module->functions.end() || !f->second.has_body) continue;
    compile(*module, f->second, kernel);
    kernel.dynamic_shared = 48 * 1024 - kernel.static_shared;
    return;
  }
  die("no PTX of " + name);
}

}  // namespace

u64 instructions_executed() {
  u64 executed = 0;
  for (const auto& [name, k] : registry().kernels) executed += k.executed;
  return executed;
}

void register_module(std::string text) {
  const Untracked own;
  registry().modules.push_back(parse(std::move(text)));
}

void register_function(const void* host, const char* name) {
  const Untracked own;
  registry().functions[host] = name;
}

Kernel& kernel_of(const void* host) {
  Registry& all = registry();
  const auto function = all.functions.find(host);
  if (function == all.functions.end()) die("a function that was not registered");
  if (all.kernels.empty()) std::atexit(report);
  const auto [kernel, is_new] = all.kernels.try_emplace(function->second);
  if (is_new) make(function->second, kernel->second);
  return kernel->second;
}

}  // namespace ptx
