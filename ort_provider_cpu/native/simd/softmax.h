// Softmax and log-softmax of float32 rows and columns.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct SoftmaxTable {
  /// y[i] = exp(x[i] - max(x)) / sum of the same, for each of `rows` rows of `n` floats. `y` may be `x`.
  void (*rows)(float* y, const float* x, int64_t rows, int64_t n);
  /// y[i] = x[i] - max(x) - log(sum of exp(x - max(x))).
  void (*log_rows)(float* y, const float* x, int64_t rows, int64_t n);
  /// As `rows`, over i < n of x[i * stride + j] for each j < columns; `y` has the same stride.
  void (*columns)(float* y, const float* x, int64_t n, int64_t stride, int64_t columns);
  void (*log_columns)(float* y, const float* x, int64_t n, int64_t stride, int64_t columns);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(SoftmaxTable, softmax_table)
