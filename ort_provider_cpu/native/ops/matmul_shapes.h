// The shapes of matrix products: `numpy.matmul` broadcasting, and how that becomes a batch of products of one shape.
#pragma once

#include "ops/gemm.h"

namespace ort_cpu {

/// A product of stacks of matrices.
struct MatMulShapes {
  Shape output;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  /// Which matrix of A and of B each product takes: product i takes number i * step, or the listed one.
  int64_t a_step = 0, b_step = 0;
  std::vector<int64_t> a_indices = {}, b_indices = {};

  /// Shapes of `numpy.matmul(a, b)`, with the last two dimensions of either swapped first where asked for.
  /// Raises InvalidArgument when the two do not fit.
  MatMulShapes(const Shape& a, const Shape& b, bool transpose_a, bool transpose_b);

  /// The batch for matrices of B that are `b_size` elements apart, or side by side if that is -1.
  BatchedProduct::Shapes batched(bool transpose_a, MatrixLayout layout, int64_t b_size) const;
};

}  // namespace ort_cpu
