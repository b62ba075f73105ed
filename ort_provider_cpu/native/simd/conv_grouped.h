// Convolutions of narrow groups over blocked tensors: the lanes of a register belong to several groups.
#pragma once

#include "simd/activation.h"
#include "simd/isa.h"

namespace ort_cpu::simd {

/// One or three adjacent elements of a row of the kernel. Offsets count floats.
struct GroupTap {
  int64_t input;    // where the input of the first element lies from the tile's
  int64_t weights;  // [depth, elements, lanes]
  int64_t column;   // of the input of the first element, from the tile's
  int elements;     // 3 only if the stride is 1 or 2 pixels
};

/// How a register of inputs is filled with the k-th channel of each lane's group.
enum class GroupSource {
  one,       // all lanes are of one group
  two,       // the first lanes of one, the others of another
  several,   // runs of lanes
  permuted,  // all k-th channels are among as many adjacent ones as there are lanes
  paired,    // or in two such places
};

/// One tile: output[p, o] = activation(bias[o] + sum over taps, elements e, k of input[tap][p * stride + e, group of o,
/// k] * weights[tap][k, e, o] + residual[p, o]), where pixels outside of the row count nothing.
struct GroupTile {
  const float* input;
  int64_t column, width;  // of the first pixel's input, which may lie outside; of the row
  int64_t stride;         // in pixels
  const GroupTap* taps;
  int n_taps;
  int depth;               // channels of a group
  const int64_t* sources;  // [depth, n_sources]: where the k-th channels of the runs lie, or the lanes to permute
  int n_sources;
  const int32_t* lanes;  // [runs, lanes]: all bits for the lanes of a run; [depth, lanes]: the lane of the sources
  const float* weights;
  const float* bias;
  const float* residual;  // may be null
  float* output;
  Activation activation;
};

using GroupTileFunction = void (*)(const GroupTile&);

struct ConvGroupedTable {
  int lanes;  // output channels of a tile
  int max_pixels;
  bool permutes;  // whether there are tiles for permuted and paired sources
  GroupTileFunction (*tile)(GroupSource source, int pixels, int64_t stride);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(ConvGroupedTable, conv_grouped_table)
