// Indices that come from data: reading them, checking them against the axis that they index, and where they lead.
#pragma once

#include "engine/tensor.h"

namespace ort_cpu {

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_index(int64_t index, int64_t size) {
  throw_invalid("the index ", index, " is out of range for an axis of ", size);
}

/// The position in [0, size) that `index` names, negative ones counted from the end. Raises InvalidArgument outside.
inline int64_t checked_index(int64_t index, int64_t size) {
  const int64_t position = index < 0 ? index + size : index;
  if (static_cast<uint64_t>(position) >= static_cast<uint64_t>(size)) [[unlikely]]
    throw_index(index, size);
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

/// How GatherElements and ScatterElements walk: the rows (along the last axis) of `indices`, and for each where it lies
/// in `data`. Element i of a row belongs to `offset(row) + i * step + index * stride`. Raises InvalidArgument for
/// indices of another rank than data, or larger outside `axis`.
struct ElementRows {
  ElementRows(const Shape& data, const Shape& indices, int64_t given_axis) : shape(indices) {
    const int rank = data.rank();
    require(rank > 0, "the data must have at least one dimension");
    require(indices.rank() == rank, "indices have the shape ", indices, ", another rank than the data of the shape ",
            data);
    axis = normalize_axis(given_axis, rank);
    for (int i = 0; i < rank; ++i)
      require(i == axis || indices[i] <= data[i], "indices of the shape ", indices,
              " are larger than the data of the shape ", data);
    count = indices.size_to(rank - 1);
    length = indices.back();
    size = data[axis];
    if (indices.size() == 0 || data.size() == 0) return;
    strides = strides_of(data);
    stride = strides[axis];
    step = axis == rank - 1 ? 0 : 1;
    strides[axis] = 0;
  }

  int64_t offset(int64_t row) const {
    int64_t at = 0;
    for (int i = shape.rank() - 2; i >= 0; --i) {
      at += row % shape[i] * strides[i];
      row /= shape[i];
    }
    return at;
  }

  Shape shape;  // of the indices
  int axis;
  int64_t count, length, size;
  int64_t stride = 0, step = 0;
  std::array<int64_t, kMaxRank> strides{};
};

/// How GatherND and ScatterND find the slice that a tuple of indices names.
struct SliceAddress {
  /// Tuples of `depth` indices into the axes of `data` from `first_axis` on.
  SliceAddress(const Shape& data, int first_axis, int64_t tuple_length) : depth(static_cast<int>(tuple_length)) {
    length = data.size_from(first_axis + depth);
    for (int i = depth - 1, step_axis = first_axis + depth; i >= 0; --i) {
      sizes[i] = data[first_axis + i];
      strides[i] = data.size() == 0 ? 0 : data.product(first_axis + i + 1, step_axis) * length;
    }
  }
  int64_t offset(const int64_t* tuple) const {
    int64_t at = 0;
    for (int i = 0; i < depth; ++i) at += checked_index(tuple[i], sizes[i]) * strides[i];
    return at;
  }

  int depth;
  int64_t length;  // elements of a slice
  std::array<int64_t, kMaxRank> sizes{}, strides{};
};

}  // namespace ort_cpu
