// The inner loops of pooling on float32: reductions over rows, windows sliding along a row, and whole planes.
//
// Layouts: rows of `n` places, each of `block` floats next to each other (1: plain, 16: blocked channels).
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// The output rows [first, last) of one plane of windows.
struct PoolRows {
  float* out;       // of row `first`
  const float* in;  // row 0 of the input
  float* line;      // room for one padded row, the padding filled with what does not change a result
  int64_t first, last;
  int64_t depth_taps, depth_step;  // rows of other depths that belong to the windows too, floats between them
  int64_t size, kernel, stride, dilation, begin;  // of the axis of rows
  int64_t width, begin_width, out_width;          // places of a row, padding before it, places of an output row
  int64_t kernel_width, stride_width, dilation_width;
  int64_t block;
};

struct PoolTable {
  /// The largest element of each window. NaN wins. Windows have at least one row inside.
  void (*max_windows)(const PoolRows& rows);
  /// As `max_windows`, the sum.
  void (*sum_windows)(const PoolRows& rows);
  /// out[i] = the largest of base[a * outer_step + b * inner_step + i] for a < outer, b < inner; i < n. NaN wins.
  void (*max_rows)(float* out, const float* base, int64_t outer, int64_t outer_step, int64_t inner, int64_t inner_step,
                   int64_t n);
  /// As `max_rows`, the sum.
  void (*sum_rows)(float* out, const float* base, int64_t outer, int64_t outer_step, int64_t inner, int64_t inner_step,
                   int64_t n);
  /// out[i][j] = the largest of in[i * stride + k * dilation][j] for k < taps; i < n, j < block. NaN wins.
  void (*max_slide)(float* out, const float* in, int64_t block, int64_t taps, int64_t dilation, int64_t stride,
                    int64_t n);
  /// As `max_slide`, the sum.
  void (*sum_slide)(float* out, const float* in, int64_t block, int64_t taps, int64_t dilation, int64_t stride,
                    int64_t n);
  /// out[i][j] /= counts[i] * factor; i < n, j < block.
  void (*divide)(float* out, const float* counts, float factor, int64_t block, int64_t n);
  /// The largest of `n` > 0 floats. NaN wins.
  float (*max_all)(const float* in, int64_t n);
  float (*sum_all)(const float* in, int64_t n);
  /// out[j] = the sum of in[i][j] over i < n; j < 16.
  void (*sum_blocks)(float* out, const float* in, int64_t n);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(PoolTable, pool_table)
