// Indices that come from data: reading them, and checking them against the axis that they index.
#pragma once

#include "engine/tensor.h"

namespace ort_cpu {

/// The position in [0, size) that `index` names, negative ones counted from the end. Raises InvalidArgument outside.
inline int64_t checked_index(int64_t index, int64_t size) {
  const int64_t position = index < 0 ? index + size : index;
  if (position < 0 || position >= size) [[unlikely]]
    throw_invalid("the index ", index, " is out of range for an axis of ", size);
  return position;
}

/// The elements of an int32 or int64 tensor, as int64.
class IndexReader {
 public:
  explicit IndexReader(const Tensor& tensor) : data_(tensor.data), is_narrow_(tensor.dtype == DType::i32) {}
  int64_t operator[](int64_t i) const {
    return is_narrow_ ? static_cast<const int32_t*>(data_)[i] : static_cast<const int64_t*>(data_)[i];
  }

 private:
  const void* data_;
  bool is_narrow_;
};

}  // namespace ort_cpu
