// A matrix product whose right-hand rows lie at arbitrary places: the core of convolutions over planes of channels.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// out[m, q] = start + sum over k of weights[m * weight_stride + k * weight_step] * input[rows[k] + q] for q in [0,
/// columns). The input is readable up to a register's lanes past the last column; the output is written to whole
/// registers too.
struct PlaneProduct {
  const float* weights;
  int64_t weight_stride, weight_step;
  int m;  // at most `max_rows`
  const float* input;
  const int64_t* rows;
  int64_t n_rows;
  float* output;
  int64_t output_stride;  // floats between rows m
  int64_t columns;
  const float* bias;  // what to start from: [m], or null for zeros
};

struct ConvPlaneTable {
  int max_rows;
  int lanes;
  void (*product)(const PlaneProduct&);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ConvPlaneTable, conv_plane_table)
