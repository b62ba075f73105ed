// Tiles of a direct convolution over blocked tensors: a few pixels of one row times a panel of output channels.
#pragma once

#include "simd/activation.h"
#include "simd/isa.h"

namespace ort_cpu::simd {

/// A kernel element: where its input lies from the tile's input, and its index among the taps of the weights.
struct ConvTap {
  int64_t input;
  int64_t index;
};

/// One tile: output[p, o] = activation(bias[o] + sum over blocks, taps, k of input[tap][p, k] * weights[block][tap][k,
/// o] + residual[p, o]). Offsets and strides count floats. Channels past `tail` in the last input block are never read.
struct ConvTile {
  const float* input;
  int64_t input_block_stride;
  const ConvTap* taps;
  int n_taps;            // a multiple of 3 for tiles that skip pixels: taps then come in rows of three
  int n_blocks;          // whole blocks of 16 input channels
  int tail;              // channels in one more, partial block
  const float* weights;  // [blocks, taps, 16, panel]
  int64_t weight_block_stride;
  const float* bias;      // may be null
  const float* residual;  // may be null; strides as the output
  float* output;
  int64_t output_block_stride;
  bool first, last;  // whether the tile starts from the bias or from the output, and whether it is complete afterwards
  Activation activation;
  const char* prefetch;  // walks over memory that will be needed soon, `prefetch_step` bytes in four steps of k
  int64_t prefetch_step;
  int64_t prefetch_others[3];  // how many bytes from there three more places lie that are fetched in the same steps
};

using ConvTileFunction = void (*)(ConvTile&);

struct ConvDirectTable {
  int usual_panel;   // in blocks of 16 channels; panels of one block always work too
  int odd_panel;     // for the last of an odd number of blocks, without skipping
  int widest_panel;  // for tiles of few pixels, without strides and skipping
  /// The most pixels of a tile with a panel of so many blocks.
  int (*max_pixels)(int panel_blocks);
  /// The function for a number of pixels, which lie `stride` (1 or 2) pixels apart in the input. Skipping tiles leave
  /// the first pixel out of the first of each three taps, or the last pixel out of the last.
  ConvTileFunction (*tile)(int panel_blocks, int pixels, int stride, bool skip_first, bool skip_last);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ConvDirectTable, conv_direct_table)
