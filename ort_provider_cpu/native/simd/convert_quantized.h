// Quantisation of floats to 8 bits and back, and their range.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// Element i has the scale `scale[i * step]` and the zero point `zero[i * step]` (an integer), with step 0 or 1.
struct QuantizedTable {
  /// y = round_half_even(x / scale) + zero, held to the range of the type; NaN becomes the lowest value.
  void (*quantize_u8)(const float* x, uint8_t* y, int64_t n, const float* scale, const float* zero, int step);
  void (*quantize_i8)(const float* x, int8_t* y, int64_t n, const float* scale, const float* zero, int step);
  /// y = (x - zero) * scale.
  void (*dequantize_u8)(const uint8_t* x, float* y, int64_t n, const float* scale, const float* zero, int step);
  void (*dequantize_i8)(const int8_t* x, float* y, int64_t n, const float* scale, const float* zero, int step);
  /// Widens [low, high] so that it holds all of x; NaN is passed over.
  void (*range)(const float* x, int64_t n, float* low, float* high);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(QuantizedTable, quantized_table)
