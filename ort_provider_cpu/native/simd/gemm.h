// Products of float32 matrices: packing of B into panels, products with packed panels, and products that read B in
// place.
//
// Packed B[K, N] is a row of panels [K, panel_columns]; the last panel is as wide as its columns rounded up to a
// register, filled with zeros.
#pragma once

#include "simd/activation.h"
#include "simd/isa.h"

namespace ort_cpu::simd {

/// What is done with a product before it is stored: act(alpha * product + beta * (bias[n] + row_bias[m] + residual[m,
/// n])).
struct GemmEpilogue {
  float alpha = 1;
  float beta = 1;
  const float* bias = nullptr;      // [N]
  const float* row_bias = nullptr;  // [M]
  const float* residual = nullptr;  // [M, N], rows `residual_stride` apart
  int64_t residual_stride = 0;
  Activation activation = {};
};

/// C[M, N] = epilogue(A[M, K] B[K, N]); rows of A and C are `lda` and `ldc` elements apart.
struct GemmCall {
  int64_t m, n, k;
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;  // of B in place; unused for packed B
  float* c;
  int64_t ldc;
  GemmEpilogue epilogue;
};

struct GemmTable {
  int64_t lanes;  // floats of a register
  int64_t panel_columns;
  /// Rows of a tile: products of no more of them read B once.
  int64_t tile_rows;
  /// Packs panels [first, last) of B[k, n]; element (k, n) is at b[k * k_stride + n * n_stride]; one of the strides
  /// is 1.
  void (*pack)(const float* b, int64_t k_stride, int64_t n_stride, int64_t k, int64_t n, int64_t first, int64_t last,
               float* packed);
  /// Packs panels of two matrices side by side: the first half of each panel is from `gate`, the other from `up`.
  void (*pack_gated)(const float* gate, const float* up, int64_t k_stride, int64_t n_stride, int64_t k, int64_t n,
                     int64_t first, int64_t last, float* packed);
  /// Rows [m0, m1) and panels [first, last) of C, from packed B.
  void (*multiply)(const GemmCall& call, int64_t m0, int64_t m1, int64_t first, int64_t last);
  /// As `multiply`, with B packed by `pack_gated`: C[M, N] = activation(A gate) * (A up). Nothing else of the epilogue
  /// applies.
  void (*multiply_gated)(const GemmCall& call, int64_t m0, int64_t m1, int64_t first, int64_t last);
  /// to[n, m] = from[m, n]; rows are `from_stride` and `to_stride` apart.
  void (*transpose)(const float* from, int64_t from_stride, int64_t m, int64_t n, float* to, int64_t to_stride);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(GemmTable, gemm_table)
