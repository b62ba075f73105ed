// Depthwise convolutions over blocked tensors: every lane is a channel of its own.
#pragma once

#include "simd/activation.h"
#include "simd/isa.h"

namespace ort_cpu::simd {

/// A run of output pixels that all have all taps:
/// output[p] = activation(bias + sum over taps of input[taps[t] + p * input_stride] * weights[t]) for 16 lanes.
/// Offsets and strides count floats.
struct DepthwiseRun {
  const float* input;
  int64_t input_stride;
  const int64_t* taps;
  int n_taps;
  int row_taps;           // so many successive taps each are adjacent pixels
  const float* weights;   // [n_taps, 16]
  const float* bias;      // [16]
  const float* residual;  // may be null; laid out as the output
  float* output;
  int pixels;  // adjacent in the output
  Activation activation;
};

/// Rows of a 3x3 depthwise convolution with a padding of at most one pixel on each side, straight from the tensor.
struct Depthwise3x3 {
  const float* input;  // a plane [height, width, 16]
  int64_t height, width;
  int stride;  // 1 or 2
  int64_t pad_top, pad_left;
  const float* weights;   // [9, 16]
  const float* bias;      // [16]
  const float* residual;  // may be null; a plane as the output
  float* output;          // a plane [out_height, out_width, 16]
  int64_t out_width;
  int64_t first_row, last_row;  // the rows to compute: [first_row, last_row)
  Activation activation;
};

struct DepthwiseTable {
  void (*run)(const DepthwiseRun&);
  void (*rows_3x3)(const Depthwise3x3&);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(DepthwiseTable, depthwise_table)
