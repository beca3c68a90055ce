// `pruning_ext._core`: what this build and this CPU can do, and the ops on NumPy arrays, from the families' lists
// (bindings/*_ops.h). No torch. The public face, with docstrings and broadcasting, is pruning_ext/numpy, which hands
// over arguments in order, the number of threads last.
#include "bindings/kde_ops.h"
#include "bindings/ken_ops.h"
#include "bindings/mi_ops.h"
#include "bindings/numpy/array_door.h"
#include "common/cpu_isa.h"
#include "common/probe_kernels.h"

namespace pruning_ext {
namespace {

// An op as Python calls it: with the number of threads in place of a door.
template <auto op>
struct OnArrays;
template <typename Result, typename... Args, Result (*function)(const ArrayDoor&, Args...)>
struct OnArrays<function> {
  static Result call(Args... args, unsigned num_threads) { return function(ArrayDoor{num_threads}, args...); }
};

struct Functions {
  template <auto function>
  void op(const char* name, const char* /*schema*/) {
    module.def(name, &OnArrays<function>::call);
  }
  py::module_& module;
};

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const Refused& refused) {
    PyErr_SetString(PyExc_ValueError, refused.sentence().c_str());
  }
}

// Runs a probe `repeats` times on this thread; how many elementary steps that were, for the caller to time.
std::int64_t probe_steps(const std::string& name, std::int64_t repeats) {
  const probe::Kernels& kernels = probe::active_kernels();
  constexpr std::size_t words = 1024;  // two of them in the first cache
  const std::vector<std::uint64_t> a(words, 0x5555aaaa3333ccccu), b(words, 0x0ff0f00f0f0ff0f0u);
  check(name == "and_popcount" || name == "carry_save", "no probe is called " + name);
  check(repeats >= 0, "repeats must not be negative, is " + std::to_string(repeats));
  py::gil_scoped_release release;
  if (name == "and_popcount") {
    kernels.and_popcount(a.data(), b.data(), words, repeats);
    return repeats * std::int64_t{words} * 64;
  }
  kernels.carry_save(a[0], repeats);
  return repeats * kernels.additions_per_repeat;
}

}  // namespace
}  // namespace pruning_ext

PYBIND11_MODULE(_core, module) {
  using namespace pruning_ext;
  module.doc() = "The torch-free core of pruning_ext; pruning_ext.numpy is its public face.";
  py::register_local_exception_translator(&translate);
  module.def("isa", [] { return std::string(isa_name(cpu_isa())); }, "The instruction set that the kernels use here.");
  module.def("isa_problem", &isa_problem, "A sentence if PRUNING_EXT_ISA names no instruction set, else empty.");
  module.def("probe_steps", &probe_steps, py::arg("name"), py::arg("repeats"),
             "Runs `and_popcount` or `carry_save` for pruning_ext.bench; the number of bits it went through.");
  Functions functions{module};
  kde::register_ops<ArrayDoor>(functions);
  ken::register_ops<ArrayDoor>(functions);
  mi::register_ops<ArrayDoor>(functions);
}
