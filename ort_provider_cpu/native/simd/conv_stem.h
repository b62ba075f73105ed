// Tiles of a convolution that reads planes of channels and writes blocks of channels.
#pragma once

#include "simd/activation.h"
#include "simd/isa.h"

namespace ort_cpu::simd {

/// One tile: output[p, o] = activation(bias[o] + sum over taps of input[taps[t] + p * stride] * weights[t, o]).
struct StemTile {
  const float* input;
  int64_t stride;
  const int64_t* taps;  // one for each channel and kernel element
  int64_t n_taps;
  const float* weights;  // [n_taps, panel]
  const float* bias;
  float* output;
  int64_t output_block_stride;
  bool first, last;  // whether the tile starts from the bias or from the output, and whether it is complete afterwards
  Activation activation;
};

struct ConvStemTable {
  int usual_panel;  // in blocks of 16 channels; panels of one block work too
  int max_pixels;
  void (*(*tile)(int panel_blocks, int pixels))(const StemTile&);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ConvStemTable, conv_stem_table)
