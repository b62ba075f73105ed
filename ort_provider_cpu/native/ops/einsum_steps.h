// How an Einsum is computed: copies into the order that is needed, sums, and products of two terms.
#pragma once

#include <vector>

#include "ops/einsum_equation.h"
#include "ops/gemm.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {

/// Where a tensor lies: input `input`, or in the scratch from an element on (`input` < 0), or the output.
struct EinsumPlace {
  static constexpr int kScratch = -1, kOutput = -2;
  int input = kScratch;
  int64_t offset = 0;
};

/// One operation on contiguous results.
struct EinsumStep {
  enum class Kind { copy, sum, multiply, matmul };
  Kind kind;
  EinsumPlace a, b, to;
  /// copy
  StridedCopy copy = {};
  /// sum: to[rows] = the sums of a[rows, columns]
  int64_t rows = 0, columns = 0;
  /// multiply: to[dims] = a * b, seen through strides
  std::vector<int64_t> dims = {}, a_strides = {}, b_strides = {};
  /// matmul: to[batch, m, n] = a[batch, m, k] b[batch, k, n], seen through strides; of float32, `product` says how.
  int64_t batch = 1, m = 1, n = 1, k = 1;
  int64_t a_batch = 0, a_row = 0, a_column = 0, b_batch = 0, b_row = 0, b_column = 0;
  BatchedProduct product = {};
};

/// The steps for inputs of those shapes.
struct EinsumSteps {
  EinsumSteps(const EinsumEquation& equation, const std::vector<Shape>& shapes, size_t element_bytes, bool is_float32,
              int threads);

  std::vector<EinsumStep> steps;
  bool is_zero = false;  // some label has size 0: all sums are empty
  int64_t scratch_elements = 0;
  int64_t product_scratch_floats = 0;
};

}  // namespace ort_cpu
