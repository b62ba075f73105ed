// Products that read B in place: few rows of A against a [K, N] or a [N, K] matrix.
#pragma once

#include "simd/gemm.h"

namespace ort_cpu::simd {

struct GemvTable {
  /// Columns [n0, n1) of C = epilogue(A B) with B[K, N] in place, rows `ldb` apart.
  void (*multiply)(const GemmCall& call, int64_t n0, int64_t n1);
  /// Columns [n0, n1) of C = epilogue(A B^T) with B[N, K] in place, rows `ldb` apart.
  void (*multiply_transposed)(const GemmCall& call, int64_t n0, int64_t n1);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(GemvTable, gemv_table)
