// The inner loop of resizing on float32: weighted sums of places along one axis.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct ResizeTable {
  /// out[o][j] = sum over t of weights[o * taps + t] * in[index[o * taps + t]][j] for o in [first, last), j < inner.
  void (*weighted)(float* out, const float* in, int64_t first, int64_t last, int64_t inner, int64_t taps,
                   const int32_t* index, const float* weights);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ResizeTable, resize_table)
