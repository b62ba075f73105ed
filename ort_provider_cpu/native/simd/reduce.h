// Reductions of float32 rows and columns, and searches in rows.
//
// Sums are taken in float over blocks of some thousand elements at most, the blocks' sums in double.
#pragma once

#include "simd/isa.h"

namespace ort_cpu {

/// What is done with each element x before and while it is accumulated.
enum class Reduction { sum, sum_abs, sum_square, sum_exp, product, max, min };
inline constexpr int kReductions = 7;

}  // namespace ort_cpu

namespace ort_cpu::simd {

struct ReduceTable {
  /// The reduction of x[i] over i < n; of x[i] - shift in `sum_square` and `sum_exp`. NaN wins in `max` and `min`;
  /// nothing gives 0, 1, -inf or inf.
  double (*row[kReductions])(const float* x, int64_t n, float shift);
  /// Folds x[i * stride + j], i < rows, into acc[j], j < n; less shift[j] in `sum_square` and `sum_exp`, if it is not
  /// null.
  void (*columns[kReductions])(double* acc, const float* x, int64_t stride, int64_t rows, int64_t n,
                               const float* shift);
  /// The first or last i < n with x[i] == value, or with a NaN if `value` is one; n where there is none.
  int64_t (*find_first)(const float* x, int64_t n, float value);
  int64_t (*find_last)(const float* x, int64_t n, float value);
  /// index[j] = the first (or last) i < rows at which x[i * stride + j] is largest (or smallest), j < n; NaN wins.
  void (*arg_columns)(int64_t* index, const float* x, int64_t stride, int32_t rows, int64_t n, bool smallest,
                      bool last);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ReduceTable, reduce_table)
