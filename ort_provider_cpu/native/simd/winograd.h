// Winograd's minimal filtering F(m x m, 3 x 3), m = 2 or 4: transforms between blocked tensors and planes of
// coefficients.
//
// Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015. F(4) uses the points 0, +-5/8,
// +-3/2 and infinity, whose rounding errors are 3 to 5 times smaller than those of 0, +-1, +-2 and infinity.
#pragma once

#include "simd/activation.h"
#include "simd/isa.h"

namespace ort_cpu::simd {

/// Tiles of m x m outputs of one block of 16 channels of one image; strides count floats.
struct WinogradTiles {
  int m;               // 2 or 4
  int64_t tiles_wide;  // tiles in a row
  int64_t first, n;    // the tiles, counted row by row
  /// Coefficients: plane i of (m + 2)^2 begins at i * plane_stride and holds [n, 16].
  float* coefficients;
  int64_t plane_stride;
};

struct WinogradTable {
  /// coefficients = B' x B for the input plane [height, width, 16], of which tile (0, 0) begins at (-pad_top,
  /// -pad_left).
  void (*input)(const WinogradTiles&, const float* plane, int64_t height, int64_t width, int64_t pad_top,
                int64_t pad_left);
  /// plane = activation(A' coefficients A + bias + residual); plane and residual (or null) are [height, width, 16].
  void (*output)(const WinogradTiles&, float* plane, int64_t height, int64_t width, const float* bias,
                 const float* residual, const Activation& activation);
  /// Plane i of (m + 2)^2, at i * plane_stride: G w G' of `n` filters; w is [9, n], a multiple of 16.
  void (*filter)(int m, const float* w, int64_t n, float* coefficients, int64_t plane_stride);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(WinogradTable, winograd_table)
