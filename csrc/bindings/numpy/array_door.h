// The NumPy front door: views of arrays, results from NumPy's allocator, threads without the interpreter's lock.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <vector>

#include "bindings/arguments.h"
#include "common/threads.h"

namespace pruning_ext {

namespace py = pybind11;

struct ArrayDoor {
  using Array = py::array;

  unsigned num_threads = 0;  // 0: as many as the machine has

  static View view(const py::array& array) {
    View view{array.data(), element_of(array.dtype()), (array.flags() & py::array::c_style) != 0, array.ndim(), {}, {}};
    for (py::ssize_t i = 0; i < array.ndim() && i < 2; ++i) {
      view.sizes[i] = array.shape(i);
      view.strides[i] = array.strides(i);
    }
    return view;
  }

  template <typename... Sizes>
  static py::array empty(const py::array& /*like*/, Element element, Sizes... sizes) {
    return py::array(py::dtype(dtype_name(element)), std::vector<py::ssize_t>{sizes...});
  }

  static void* data(py::array& array) { return array.mutable_data(); }

  template <typename Params>
  Status run(Status (*kernel)(const Params&, const ParallelFor&), const Params& params) const {
    py::gil_scoped_release release;
    return kernel(params, thread_for(num_threads));
  }

 private:
  static Element element_of(const py::dtype& dtype) {
    const char kind = dtype.kind();
    const py::ssize_t size = dtype.itemsize();
    if (dtype.byteorder() == '>') return Element::other;
    if (kind == 'u' && size == 1) return Element::uint8;
    if (kind != 'f') return Element::other;
    return size == 8 ? Element::float64 : size == 4 ? Element::float32 : size == 2 ? Element::float16 : Element::other;
  }

  static const char* dtype_name(Element element) {
    switch (element) {
      case Element::float64: return "float64";
      case Element::uint8: return "uint8";
      case Element::int32: return "int32";
      case Element::int64: return "int64";
      case Element::boolean: return "bool";
      default: return "float32";
    }
  }
};

}  // namespace pruning_ext
