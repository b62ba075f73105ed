// Conversions between float and the 16-bit floats, rounding to nearest, ties to even, and from and to integers.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct ConvertTable {
  void (*from_half)(const uint16_t* x, float* y, int64_t n);
  void (*to_half)(const float* x, uint16_t* y, int64_t n);
  void (*from_bfloat16)(const uint16_t* x, float* y, int64_t n);
  void (*to_bfloat16)(const float* x, uint16_t* y, int64_t n);
  /// Towards zero; the smallest integer for what is out of range or NaN.
  void (*to_int32)(const float* x, int32_t* y, int64_t n);
  void (*to_int64)(const float* x, int64_t* y, int64_t n);
  void (*from_int64)(const int64_t* x, float* y, int64_t n);
  /// 1 for bytes that are not 0.
  void (*from_bool)(const uint8_t* x, float* y, int64_t n);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ConvertTable, convert_table)
