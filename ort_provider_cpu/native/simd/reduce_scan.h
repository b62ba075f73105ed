// Running sums of float32 rows and columns. What is carried from one vector to the next is kept in double.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct ScanTable {
  /// y[i] = x[0] + ... + x[i] for i < n; without x[i] if `exclusive`; from the end if `reverse`. `y` may be `x`.
  void (*sum_row)(float* y, const float* x, int64_t n, bool exclusive, bool reverse);
  /// The same for each column j < columns of y[i * stride + j] and x[i * stride + j].
  void (*sum_columns)(float* y, const float* x, int64_t n, int64_t stride, int64_t columns, bool exclusive,
                      bool reverse);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ScanTable, scan_table)
