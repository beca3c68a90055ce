// The ops that torch knows: schemas, and implementations on the CPU, from the families' lists (bindings/*_ops.h). Those
// on CUDA, and the ops that only CUDA has (names with an underscore), are registered in *_op_cuda.cpp.
#include "bindings/kde_ops.h"
#include "bindings/ken_ops.h"
#include "bindings/mi_ops.h"
#include "bindings/torch/tensor_door.h"

namespace pruning_ext {
namespace {

// An op as torch calls it: without a door.
template <auto op>
struct OnTensors;
template <typename Result, typename... Args, Result (*function)(const TensorDoor&, Args...)>
struct OnTensors<function> {
  static Result call(Args... args) { return function(TensorDoor{}, args...); }
};

template <typename Library>
struct Schemas {
  template <auto>
  void op(const char* name, const char* schema) {
    library.def((std::string(name) + schema).c_str());
  }
  Library& library;
};

template <typename Library>
struct Implementations {
  template <auto function>
  void op(const char* name, const char* /*schema*/) {
    library.impl(name, TORCH_BOX(&OnTensors<function>::call));
  }
  Library& library;
};

template <typename Registry>
void register_all(Registry registry) {
  kde::register_ops<TensorDoor>(registry);
  ken::register_ops<TensorDoor>(registry);
  mi::register_ops<TensorDoor>(registry);
}

}  // namespace
}  // namespace pruning_ext

STABLE_TORCH_LIBRARY(pruning_ext, library) {
  pruning_ext::register_all(pruning_ext::Schemas<decltype(library)>{library});
}

STABLE_TORCH_LIBRARY_IMPL(pruning_ext, CPU, library) {
  pruning_ext::register_all(pruning_ext::Implementations<decltype(library)>{library});
}
