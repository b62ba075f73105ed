#include "ops/matmul_shapes.h"

namespace ort_cpu {

namespace {

/// Numbers of the matrices that broadcasting `stack` to `target` visits, or a step if they are evenly spaced.
int64_t visit(const Shape& stack, const Shape& target, std::vector<int64_t>& indices) {
  if (stack.size() == 1) return 0;
  if (stack.size() == target.size()) return 1;
  const auto strides = broadcast_strides(stack, target);
  const int64_t total = target.size();
  indices.reserve(static_cast<size_t>(total));
  for (int64_t i = 0; i < total; ++i) {
    int64_t rest = i, index = 0;
    for (int axis = target.rank() - 1; axis >= 0; --axis) {
      index += rest % target[axis] * strides[axis];
      rest /= target[axis];
    }
    indices.push_back(index);
  }
  return 0;
}

Shape without_last(const Shape& shape, int count) {
  return Shape(std::span<const int64_t>(shape.begin(), shape.end() - count));
}

std::vector<int64_t> scaled(std::vector<int64_t> indices, int64_t size) {
  for (int64_t& index : indices) index *= size;
  return indices;
}

}  // namespace

MatMulShapes::MatMulShapes(const Shape& a, const Shape& b, bool transpose_a, bool transpose_b) {
  require(a.rank() >= 1 && b.rank() >= 1, "matrix products need operands of rank 1 or more, got shapes ", a, " and ",
          b);
  Shape left = a, right = b;
  if (a.rank() == 1) left.insert(0, 1);
  if (b.rank() == 1) right.push_back(1);
  if (transpose_a && a.rank() > 1) std::swap(left[left.rank() - 1], left[left.rank() - 2]);
  if (transpose_b && b.rank() > 1) std::swap(right[right.rank() - 1], right[right.rank() - 2]);
  m = left.back(1);
  k = left.back(0);
  n = right.back(0);
  require(k == right.back(1), "the shapes ", a, " and ", b, " do not fit: ", k, " columns meet ", right.back(1),
          " rows");
  const Shape a_stack = without_last(left, 2), b_stack = without_last(right, 2);
  output = broadcast(a_stack, b_stack);
  batch = output.size();
  const Shape stack = output;
  if (a.rank() > 1) output.push_back(m);
  if (b.rank() > 1) output.push_back(n);
  if (output.size() == 0) return;
  if (b_stack.size() == 1 && (!transpose_a || batch == 1)) {
    m *= batch;
    batch = 1;
    return;
  }
  a_step = visit(a_stack, stack, a_indices);
  b_step = visit(b_stack, stack, b_indices);
}

BatchedProduct::Shapes MatMulShapes::batched(bool transpose_a, MatrixLayout layout, int64_t b_size) const {
  if (output.size() == 0) return {};
  if (b_size < 0) b_size = n * k;
  return {.batch = batch,
          .m = m,
          .n = n,
          .k = k,
          .transpose_a = transpose_a,
          .layout = layout,
          .a_step = a_step * m * k,
          .b_step = b_step * b_size,
          .a_offsets = scaled(a_indices, m * k),
          .b_offsets = scaled(b_indices, b_size)};
}

}  // namespace ort_cpu
