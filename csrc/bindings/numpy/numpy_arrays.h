// Between NumPy and the kernels: views of arrays, faults as ValueErrors, the interpreter's lock. For numpy_*.cpp only.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/matrix.h"
#include "common/status.h"
#include "common/threads.h"

namespace pruning_ext {

namespace py = pybind11;

// The ops of mutual information; those of rows are in numpy_module.cpp.
void define_mutual_information(py::module_& module);

inline void check(bool condition, const std::string& sentence) {
  if (!condition) throw py::value_error(sentence);
}

inline void raise_fault(const Status& status, const char* subject, const char* unit = "row") {
  check(static_cast<bool>(status), fault_sentence(status, subject, unit));
}

inline Matrix matrix_of(const py::array& array, const char* name) {
  check(array.ndim() == 2, std::string(name) + " must have 2 dimensions, has " + std::to_string(array.ndim()));
  const py::ssize_t size = array.itemsize();
  const bool is_float = array.dtype().kind() == 'f' && array.dtype().byteorder() != '>' && size <= 8;
  if (!is_float) throw py::type_error(std::string(name) + " must be float64, float32 or float16 in native byte order");
  check(array.strides(0) % size == 0 && array.strides(1) % size == 0,
        std::string(name) + " must have strides that are whole elements; copy it first");
  const DType dtype = size == 8 ? DType::float64 : size == 4 ? DType::float32 : DType::float16;
  return {array.data(), dtype, array.shape(0), array.shape(1), array.strides(0) / size, array.strides(1) / size};
}

// float64 in gives float64 out, everything else float32.
inline DType result_dtype(const Matrix& samples) {
  return samples.dtype == DType::float64 ? DType::float64 : DType::float32;
}

inline py::array empty_result(DType dtype, std::vector<py::ssize_t> shape) {
  return py::array(py::dtype(dtype == DType::float64 ? "float64" : "float32"), std::move(shape));
}

// Runs a kernel without the interpreter's lock.
template <typename Params>
Status run(Status (*kernel)(const Params&, const ParallelFor&), const Params& params, unsigned num_threads) {
  py::gil_scoped_release release;
  return kernel(params, thread_for(num_threads));
}

}  // namespace pruning_ext
