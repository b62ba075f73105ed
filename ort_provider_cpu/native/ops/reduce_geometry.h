// How a tensor falls apart when some of its axes are reduced.
#pragma once

#include <array>
#include <cstdint>

#include "engine/shape.h"

namespace ort_cpu {

/// Nested loops over memory: sizes and strides in elements, outermost first.
struct LoopNest {
  int depth = 0;
  std::array<int64_t, kMaxRank> sizes{}, strides{};

  void push(int64_t size, int64_t stride) {
    sizes[depth] = size;
    strides[depth++] = stride;
  }
  int64_t size() const {
    int64_t product = 1;
    for (int i = 0; i < depth; ++i) product *= sizes[i];
    return product;
  }
  /// Where iteration `i` of `size()` begins.
  int64_t offset(int64_t i) const {
    int64_t offset = 0;
    for (int d = depth - 1; d > 0; --d) {
      offset += i % sizes[d] * strides[d];
      i /= sizes[d];
    }
    return depth > 0 ? offset + i * strides[0] : 0;
  }
};

/// A tensor seen as kept and reduced loops around contiguous runs of `inner` elements, which are reduced or kept.
struct ReduceLayout {
  LoopNest kept, reduced;
  int64_t inner = 1;
  bool inner_is_reduced = true;
  /// Elements of the tensor, and how many fall into one result. Of an empty tensor nothing but `size` is known.
  int64_t size = 0, count = 1;

  ReduceLayout() = default;
  ReduceLayout(const Shape& shape, const std::array<bool, kMaxRank>& is_reduced) : size(shape.size()) {
    if (size == 0) return;
    LoopNest merged;
    std::array<bool, kMaxRank> merged_is_reduced{};
    const auto strides = strides_of(shape);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (is_reduced[axis]) count *= shape[axis];
      if (shape[axis] == 1) continue;
      if (merged.depth > 0 && merged_is_reduced[merged.depth - 1] == is_reduced[axis]) {
        merged.sizes[merged.depth - 1] *= shape[axis];
        merged.strides[merged.depth - 1] = strides[axis];
      } else {
        merged_is_reduced[merged.depth] = is_reduced[axis];
        merged.push(shape[axis], strides[axis]);
      }
    }
    if (merged.depth == 0) return;
    inner = merged.sizes[merged.depth - 1];
    inner_is_reduced = merged_is_reduced[merged.depth - 1];
    for (int i = 0; i < merged.depth - 1; ++i)
      (merged_is_reduced[i] ? reduced : kept).push(merged.sizes[i], merged.strides[i]);
  }
};

/// A tensor seen as [outer, n, inner] around one axis.
struct AxisLayout {
  int64_t outer = 0, n = 0, inner = 0;

  AxisLayout() = default;
  AxisLayout(const Shape& shape, int axis)
      : outer(shape.size() == 0 ? 0 : shape.size_to(axis)),
        n(shape[axis]),
        inner(shape.size() == 0 ? 0 : shape.size_from(axis + 1)) {}
};

}  // namespace ort_cpu
