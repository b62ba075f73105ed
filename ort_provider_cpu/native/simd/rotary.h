// Rotation of halves of rows, as rotary position embeddings do it.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct RotaryTable {
  /// y[i] = x[i] * cos[i] - x[i + half] * sin[i], y[i + half] = x[i + half] * cos[i + half] + x[i] * sin[i + half] for
  /// i < half. `y` may be `x`.
  void (*rotate_half)(float* y, const float* x, const float* cos, const float* sin, int64_t half);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(RotaryTable, rotary_table)
