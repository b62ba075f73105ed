#include "simd/depthwise.h"

#include "simd/conv_activation.h"
#include "simd/vec.h"

namespace {

using ort_cpu::simd::Depthwise3x3;
using ort_cpu::simd::DepthwiseRun;

#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr bool kManyRegisters = true;
constexpr int kRunPixels = 14, kTilePixels = 7;
#elif defined(__AVX2__)
constexpr bool kManyRegisters = false;
constexpr int kRunPixels = 12, kTilePixels = 5;
#else
constexpr bool kManyRegisters = false;
constexpr int kRunPixels = 12, kTilePixels = 4;
#endif

/// Adds the residual, applies clamps and stores.
template <int Pixels>
ORT_CPU_INLINE void finish_run(const DepthwiseRun& a, int64_t first, int lane, Vec (&acc)[Pixels]) {
  const int64_t at = first * 16 + lane;
  if (a.residual != nullptr) {
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) acc[p] += load(a.residual + at + p * 16);
  }
  if (is_clamp(a.activation)) {
    const Clamp clamp(a.activation);
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) acc[p] = clamp(acc[p]);
  }
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; ++p) store(a.output + at + p * 16, acc[p]);
}

/// `Stride` floats between input pixels; 0 if only `a.input_stride` tells.
template <int Pixels, int Stride>
ORT_CPU_INLINE void run_tile(const DepthwiseRun& a, int64_t first, int lane) {
  const int64_t stride = Stride != 0 ? Stride : a.input_stride;
  Vec acc[Pixels];
  const Vec bias = load(a.bias + lane);
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; ++p) acc[p] = bias;
  const float* input = a.input + first * stride + lane;
  const float* w = a.weights + lane;
#pragma GCC unroll 1
  for (int t = 0; t < a.n_taps; ++t, w += 16) {
    const float* x = input + a.taps[t];
    const Vec weight = load(w);
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) acc[p] = fma(load(x + p * stride), weight, acc[p]);
  }
  finish_run(a, first, lane, acc);
}

/// As `run_tile`, for rows of `Width` adjacent taps and a stride of one or two pixels: each input pixel is loaded once
/// a row.
template <int Width, int Stride, int Pixels>
ORT_CPU_INLINE void run_rows(const DepthwiseRun& a, int64_t first, int lane) {
  Vec acc[Pixels];
  const Vec bias = load(a.bias + lane);
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; ++p) acc[p] = bias;
  const float* input = a.input + first * Stride * 16 + lane;
  const float* w = a.weights + lane;
#pragma GCC unroll 1
  for (int t = 0; t < a.n_taps; t += Width, w += Width * 16) {
    const float* x = input + a.taps[t];
    Vec weights[Width];
#pragma GCC unroll 8
    for (int k = 0; k < Width; ++k) weights[k] = load(w + k * 16);
#pragma GCC unroll 32
    for (int i = 0; i < (Pixels - 1) * Stride + Width; ++i) {
      const Vec value = load(x + i * 16);
#pragma GCC unroll 16
      for (int p = 0; p < Pixels; ++p) {
        const int k = i - p * Stride;
        if (k >= 0 && k < Width) acc[p] = fma(value, weights[k], acc[p]);
      }
    }
  }
  finish_run(a, first, lane, acc);
}

using RunTile = void (*)(const DepthwiseRun&, int64_t first, int lane);

/// The function for a number of pixels of at most `kPixels`, for the shape `S` of a run.
template <class S>
RunTile run_by_pixels(int pixels) {
  switch (pixels) {
#define ORT_CPU_PIXELS(n)                                      \
  case n:                                                      \
    if constexpr (n <= S::kPixels) return S::template tile<n>; \
    else return nullptr;
    ORT_CPU_PIXELS(1)
    ORT_CPU_PIXELS(2)
    ORT_CPU_PIXELS(3)
    ORT_CPU_PIXELS(4) ORT_CPU_PIXELS(5) ORT_CPU_PIXELS(6) ORT_CPU_PIXELS(7) ORT_CPU_PIXELS(8) ORT_CPU_PIXELS(9)
        ORT_CPU_PIXELS(10) ORT_CPU_PIXELS(11) ORT_CPU_PIXELS(12) ORT_CPU_PIXELS(13) ORT_CPU_PIXELS(14)
#undef ORT_CPU_PIXELS
  }
  return nullptr;
}

template <int Stride>
struct AnyTaps {
  static constexpr int kPixels = kRunPixels;
  template <int Pixels>
  static void tile(const DepthwiseRun& a, int64_t first, int lane) {
    run_tile<Pixels, Stride>(a, first, lane);
  }
};

template <int Width, int Stride>
struct RowsOfTaps {
  static constexpr int kPixels = 10;
  template <int Pixels>
  static void tile(const DepthwiseRun& a, int64_t first, int lane) {
    run_rows<Width, Stride, Pixels>(a, first, lane);
  }
};

struct RunShape {
  int pixels;
  RunTile (*by_pixels)(int);
};
template <class S>
RunShape shape_of() {
  return {S::kPixels, run_by_pixels<S>};
}

RunShape shape_of_run(const DepthwiseRun& a) {
  if constexpr (kManyRegisters) {
    if (a.row_taps == 5 && a.input_stride == 16) return shape_of<RowsOfTaps<5, 1>>();
    if (a.row_taps == 5 && a.input_stride == 32) return shape_of<RowsOfTaps<5, 2>>();
    if (a.row_taps == 7 && a.input_stride == 16) return shape_of<RowsOfTaps<7, 1>>();
    if (a.row_taps == 7 && a.input_stride == 32) return shape_of<RowsOfTaps<7, 2>>();
  }
  if (a.input_stride == 16) return shape_of<AnyTaps<16>>();
  if (a.input_stride == 32) return shape_of<AnyTaps<32>>();
  return shape_of<AnyTaps<0>>();
}

void run(const DepthwiseRun& a) {
  const RunShape shape = shape_of_run(a);
  const int tiles = (a.pixels + shape.pixels - 1) / shape.pixels;
  const int size = a.pixels / tiles, larger = a.pixels % tiles;
  for (int t = 0, p = 0; t < tiles; ++t) {
    const int n = size + (t < larger);
    const RunTile tile = shape.by_pixels(n);
    for (int lane = 0; lane < 16; lane += kLanes) tile(a, p, lane);
    p += n;
  }
  if (!is_clamp(a.activation) && a.activation.kind != ort_cpu::ActivationKind::none)
    activate_run(a.output, a.pixels * 16, a.activation);
}

/// `Rows` output rows of `Pixels` pixels at output column `column`; input rows whose bit is not set in `valid` are
/// skipped.
template <int Rows, int Pixels, int Stride, bool SkipFirst, bool SkipLast>
ORT_CPU_INLINE void tile_3x3(const Depthwise3x3& a, const float* input, float* output, const float* residual,
                             unsigned valid, int lane) {
  constexpr int kHeight = (Rows - 1) * Stride + 3, kWidth = (Pixels - 1) * Stride + 3;
  Vec weights[9], acc[Rows][Pixels];
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) weights[i] = load(a.weights + i * 16 + lane);
  const Vec bias = load(a.bias + lane);
#pragma GCC unroll 2
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p) acc[i][p] = bias;
#pragma GCC unroll 8
  for (int y = 0; y < kHeight; ++y) {
    if ((valid >> y & 1) == 0) continue;
    const float* row = input + y * a.width * 16 + lane;
#pragma GCC unroll 32
    for (int x = SkipFirst ? 1 : 0; x < (SkipLast ? kWidth - 1 : kWidth); ++x) {
      const Vec value = load(row + x * 16);
#pragma GCC unroll 2
      for (int i = 0; i < Rows; ++i) {
        const int ky = y - i * Stride;
        if (ky < 0 || ky > 2) continue;
#pragma GCC unroll 8
        for (int p = 0; p < Pixels; ++p) {
          const int kx = x - p * Stride;
          if (kx >= 0 && kx <= 2) acc[i][p] = fma(value, weights[ky * 3 + kx], acc[i][p]);
        }
      }
    }
  }
  const bool clamps = is_clamp(a.activation);
  const Clamp clamp(a.activation);
#pragma GCC unroll 2
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int p = 0; p < Pixels; ++p) {
      const int64_t at = (i * a.out_width + p) * 16 + lane;
      Vec sum = acc[i][p];
      if (residual != nullptr) sum += load(residual + at);
      store(output + at, clamps ? clamp(sum) : sum);
    }
}

using Tile3x3 = void (*)(const Depthwise3x3&, const float*, float*, const float*, unsigned);

template <int Rows, int Pixels, int Stride, bool SkipFirst, bool SkipLast>
void tile_3x3_lanes(const Depthwise3x3& a, const float* input, float* output, const float* residual, unsigned valid) {
  for (int lane = 0; lane < 16; lane += kLanes)
    tile_3x3<Rows, Pixels, Stride, SkipFirst, SkipLast>(a, input, output, residual, valid, lane);
}

template <int Rows, int Stride, bool SkipFirst, bool SkipLast>
Tile3x3 tile_by_pixels(int pixels) {
  switch (pixels) {
    case 1: return tile_3x3_lanes<Rows, 1, Stride, SkipFirst, SkipLast>;
    case 2: return tile_3x3_lanes<Rows, 2, Stride, SkipFirst, SkipLast>;
    case 3: return tile_3x3_lanes<Rows, 3, Stride, SkipFirst, SkipLast>;
    case 4: return tile_3x3_lanes<Rows, 4, Stride, SkipFirst, SkipLast>;
    case 5: return tile_3x3_lanes<Rows, 5, Stride, SkipFirst, SkipLast>;
    case 6: return tile_3x3_lanes<Rows, 6, Stride, SkipFirst, SkipLast>;
    case 7: return tile_3x3_lanes<Rows, 7, Stride, SkipFirst, SkipLast>;
  }
  return nullptr;
}

template <int Rows, int Stride>
Tile3x3 tile_by_skips(int pixels, bool skip_first, bool skip_last) {
  if (skip_first)
    return skip_last ? tile_by_pixels<Rows, Stride, true, true>(pixels)
                     : tile_by_pixels<Rows, Stride, true, false>(pixels);
  return skip_last ? tile_by_pixels<Rows, Stride, false, true>(pixels)
                   : tile_by_pixels<Rows, Stride, false, false>(pixels);
}

Tile3x3 tile_function(int rows, int pixels, int stride, bool skip_first, bool skip_last) {
  if (rows == 2)
    return stride == 1 ? tile_by_skips<2, 1>(pixels, skip_first, skip_last)
                       : tile_by_skips<2, 2>(pixels, skip_first, skip_last);
  return stride == 1 ? tile_by_skips<1, 1>(pixels, skip_first, skip_last)
                     : tile_by_skips<1, 2>(pixels, skip_first, skip_last);
}

/// One or two output rows from output row `r` on.
void rows_of_tiles(const Depthwise3x3& a, int64_t r, int rows) {
  const int64_t tiles = (a.out_width + kTilePixels - 1) / kTilePixels;
  const int64_t size = a.out_width / tiles, larger = a.out_width % tiles;
  const int64_t top = r * a.stride - a.pad_top;
  unsigned valid = 0;
  for (int y = 0; y < (rows - 1) * a.stride + 3; ++y)
    if (top + y >= 0 && top + y < a.height) valid |= 1u << y;
  const bool overhang = (a.out_width - 1) * a.stride + 2 - a.pad_left >= a.width;
  int64_t column = 0;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t n = size + (t < larger);
    const Tile3x3 tile =
        tile_function(rows, static_cast<int>(n), a.stride, t == 0 && a.pad_left != 0, t == tiles - 1 && overhang);
    const int64_t at = (r * a.out_width + column) * 16;
    tile(a, a.input + (top * a.width + column * a.stride - a.pad_left) * 16, a.output + at,
         a.residual != nullptr ? a.residual + at : nullptr, valid);
    column += n;
  }
}

void rows_3x3(const Depthwise3x3& a) {
  for (int64_t r = a.first_row; r < a.last_row; r += 2) rows_of_tiles(a, r, a.last_row - r >= 2 ? 2 : 1);
  if (!is_clamp(a.activation) && a.activation.kind != ort_cpu::ActivationKind::none)
    for (int64_t r = a.first_row; r < a.last_row; ++r)
      activate_run(a.output + r * a.out_width * 16, static_cast<int>(a.out_width * 16), a.activation);
}

}  // namespace

ORT_CPU_EXPORT(DepthwiseTable, depthwise_table) = {run, rows_3x3};
