// A thread's scratch memory: grows, never shrinks while in use, aligned for the widest vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace pruning_ext {

template <typename T>
class AlignedBuffer {
 public:
  // At least `size` elements; contents are lost when it has to grow.
  T* reserve(std::int64_t size) {
    if (size > capacity_) {
      data_.reset();
      data_.reset(static_cast<T*>(::operator new(static_cast<std::size_t>(size) * sizeof(T), kAlignment)));
      capacity_ = size;
    }
    return data_.get();
  }
  T* data() { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* pointer) const { ::operator delete(pointer, kAlignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t capacity_ = 0;
};

}  // namespace pruning_ext
