// Transposes between planes of channels and blocks of 16 interleaved channels.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct ConvLayoutTable {
  /// out[p, c] = planes[c, p] for c < channels <= 16, zero for the other lanes. Strides count floats; out is [pixels,
  /// 16].
  void (*to_blocked)(const float* planes, int64_t plane_stride, int channels, int64_t pixels, float* out);
  /// planes[c, p] = in[p, c] for c < channels <= 16; in is [pixels, 16].
  void (*from_blocked)(const float* in, int64_t pixels, int channels, float* planes, int64_t plane_stride);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ConvLayoutTable, conv_layout_table)
