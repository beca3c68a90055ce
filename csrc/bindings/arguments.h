// Arguments and results of the ops at both front doors: views of tensors and arrays, checks, refusals.
//
// A door is a type with an `Array`, static functions `view`, `empty` and `data`, and `run`, which calls a CPU kernel:
// TensorDoor (torch/tensor_door.h) and ArrayDoor (numpy/array_door.h). The ops are templates over it (kde_ops.h, ...).
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "common/matrix.h"
#include "common/status.h"

namespace pruning_ext {

enum class Element : std::int8_t { float64, float32, float16, bfloat16, uint8, int32, int64, boolean, other };

constexpr std::int64_t element_size(Element element) {
  switch (element) {
    case Element::float64:
    case Element::int64: return 8;
    case Element::float32:
    case Element::int32: return 4;
    case Element::float16:
    case Element::bfloat16: return 2;
    default: return 1;
  }
}

// A tensor or an array as it lies in memory.
struct View {
  const void* data = nullptr;
  Element element = Element::other;
  bool contiguous = false;
  std::int64_t dimensions = 0;
  std::int64_t sizes[2] = {};    // of the first two dimensions
  std::int64_t strides[2] = {};  // in bytes
};

template <typename Door>
using Array = typename Door::Array;
template <typename Door>
using MaybeArray = std::optional<typename Door::Array>;

// Parameters of a kernel, and the arrays that it points to and writes.
template <typename Params, typename Door>
struct Prepared {
  Params params;
  Array<Door> result;
};

template <typename Params, typename Door>
struct PreparedPair {
  Params params;
  Array<Door> first, second;
};

// A sentence for the user, who gets it as a ValueError. torch hands on text alone: pruning_ext/ops/_native.py knows the
// sentence by the mark before it.
class Refused : public std::runtime_error {
 public:
  explicit Refused(std::string sentence)
      : std::runtime_error("pruning_ext: " + sentence), sentence_(std::move(sentence)) {}
  const std::string& sentence() const { return sentence_; }

 private:
  std::string sentence_;
};

inline void check(bool condition, const std::string& sentence) {
  if (!condition) throw Refused(sentence);
}

// `unit`: row or column, as the status counts them.
inline void raise_fault(const Status& status, const std::string& subject, const std::string& unit = "row") {
  check(static_cast<bool>(status), fault_sentence(status, subject, unit));
}

// For a status that counts the rows of one argument first, then those of another.
inline void raise_fault_of_two(Status status, std::int64_t rows, const char* first, const char* second,
                               const char* unit = "row") {
  const bool in_second = status.row >= rows;
  if (in_second) status.row -= rows;
  raise_fault(status, in_second ? second : first, unit);
}

inline void check_two_dimensions(const View& view, const std::string& name) {
  check(view.dimensions == 2, name + " must have 2 dimensions, has " + std::to_string(view.dimensions));
}

inline DType dtype_of(Element element, const std::string& name) {
  switch (element) {
    case Element::float64: return DType::float64;
    case Element::float32: return DType::float32;
    case Element::float16: return DType::float16;
    case Element::bfloat16: return DType::bfloat16;
    default: throw Refused(name + " must be float64, float32, float16 or bfloat16 in native byte order");
  }
}

inline Element element_of(DType dtype) { return dtype == DType::float64 ? Element::float64 : Element::float32; }

inline Matrix matrix_of(const View& view, const std::string& name) {
  check_two_dimensions(view, name);
  const DType dtype = dtype_of(view.element, name);
  const std::int64_t size = element_size(view.element);
  for (int i = 0; i < 2; ++i) {
    check(view.sizes[i] <= 1 || view.strides[i] % size == 0,
          name + " must have strides that are whole elements; copy it first");
  }
  return {view.data, dtype, view.sizes[0], view.sizes[1], view.strides[0] / size, view.strides[1] / size};
}

template <typename Choice, std::size_t count>
Choice choice_of(const std::pair<std::string_view, Choice> (&known)[count], const std::string& name,
                 const std::string& argument) {
  std::string names;
  for (const auto& [word, choice] : known) {
    if (word == name) return choice;
    names += (names.empty() ? "'" : ", '") + std::string(word) + "'";
  }
  throw Refused(argument + " must be one of " + names + ", is '" + name + "'");
}

}  // namespace pruning_ext
