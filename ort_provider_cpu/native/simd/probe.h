// What the machine can do: the peak of fused multiply-adds and of reading memory, on one thread.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

struct ProbeTable {
  /// Does `rounds` rounds of independent multiply-adds and returns how many floating-point operations those were.
  double (*multiply_add)(int64_t rounds);
  /// Adds up `n` floats.
  float (*read)(const float* data, int64_t n);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ProbeTable, probe_table)
