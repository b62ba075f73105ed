// Layer and RMS normalisation of float32 rows, and affine maps of rows and columns.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// `rows` rows of `n` floats. s = x + residual + pre_bias; y = (s - mean(s)) / sqrt(variance(s) + epsilon) * scale +
/// bias, or y = s / sqrt(mean(s^2) + epsilon) * scale + bias if `rms`. Pointers other than `x` and `y` may be null; `y`
/// and `sum` may be `x` or `residual`.
struct NormRows {
  const float* x = nullptr;
  const float* residual = nullptr;  // [rows, n]
  const float* pre_bias = nullptr;  // [n]
  const float* scale = nullptr;     // [n]
  const float* bias = nullptr;      // [n]
  float* y = nullptr;
  float* sum = nullptr;      // [rows, n]: s
  float* mean = nullptr;     // [rows]
  float* inverse = nullptr;  // [rows]: what (s - mean) was multiplied with
  int64_t rows = 0;
  int64_t n = 0;
  double epsilon = 0;
  bool rms = false;
};

struct NormTable {
  void (*normalize_rows)(const NormRows& rows);
  /// y[i] = (x[i] - center) * scale + bias. `y` may be `x`.
  void (*affine_row)(float* y, const float* x, int64_t n, float center, float scale, float bias);
  /// y[i][j] = (x[i][j] - center[j]) * scale[j] + bias[j], i < rows, j < n.
  void (*affine_columns)(float* y, const float* x, int64_t rows, int64_t n, const float* center, const float* scale,
                         const float* bias);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(NormTable, norm_table)
