// `Tensor`: a typed view of row-major memory that somebody else owns.
#pragma once

#include <span>
#include <vector>

#include "engine/dtype.h"
#include "engine/shape.h"

namespace ort_cpu {

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::none;
  Shape shape;

  int64_t size() const { return shape.size(); }
  size_t size_bytes() const { return static_cast<size_t>(shape.size()) * size_of(dtype); }

  /// The elements, without a check of the type.
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  /// The elements as a span, without a check of the type.
  template <class T>
  std::span<T> elements() const {
    return {static_cast<T*>(data), static_cast<size_t>(size())};
  }
};

/// Bytes of a tensor. Raises InvalidArgument when the product overflows.
inline size_t checked_size_bytes(DType dtype, const Shape& shape) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(shape.size()), size_of(dtype), &bytes) || bytes > (size_t{1} << 62))
    throw_invalid("a tensor of shape ", shape, " is larger than memory can address");
  return bytes;
}

/// The integers of an int32 or int64 tensor. Raises InvalidArgument for other types.
std::vector<int64_t> to_int64(const Tensor& tensor);

}  // namespace ort_cpu
