// Conversions between float and the 16-bit floats, rounding to nearest, ties to even.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct ConvertTable {
  void (*from_half)(const uint16_t* x, float* y, int64_t n);
  void (*to_half)(const float* x, uint16_t* y, int64_t n);
  void (*from_bfloat16)(const uint16_t* x, float* y, int64_t n);
  void (*to_bfloat16)(const float* x, uint16_t* y, int64_t n);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ConvertTable, convert_table)
