#include "simd/depthwise.h"

#include "simd/conv_activation.h"
#include "simd/vec.h"

namespace {

using ort_cpu::simd::Depthwise3x3;
using ort_cpu::simd::DepthwiseRun;

#if defined(__AVX512F__)
constexpr int kRunPixels = 8, kTilePixels = 7;
#elif defined(__AVX2__) || defined(__ARM_NEON)
constexpr int kRunPixels = 8, kTilePixels = 5;
#else
constexpr int kRunPixels = 6, kTilePixels = 4;
#endif

template <int Pixels>
ORT_CPU_INLINE void run_tile(const DepthwiseRun& a, int64_t first, int lane) {
  Vec acc[Pixels];
  const Vec bias = load(a.bias + lane);
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; ++p) acc[p] = bias;
  const float* input = a.input + first * a.input_stride + lane;
  const float* w = a.weights + lane;
#pragma GCC unroll 1
  for (int t = 0; t < a.n_taps; ++t, w += 16) {
    const float* x = input + a.taps[t];
    const Vec weight = load(w);
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) acc[p] = fma(load(x + p * a.input_stride), weight, acc[p]);
  }
  float* out = a.output + first * 16 + lane;
  if (a.residual != nullptr) {
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) acc[p] += load(a.residual + (first + p) * 16 + lane);
  }
  if (is_clamp(a.activation)) {
    const Clamp clamp(a.activation);
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) acc[p] = clamp(acc[p]);
  }
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; ++p) store(out + p * 16, acc[p]);
}

void run_pixels(const DepthwiseRun& a, int64_t first, int pixels, int lane) {
  switch (pixels) {
    case 1: return run_tile<1>(a, first, lane);
    case 2: return run_tile<2>(a, first, lane);
    case 3: return run_tile<3>(a, first, lane);
    case 4: return run_tile<4>(a, first, lane);
    case 5: return run_tile<5>(a, first, lane);
    case 6: return run_tile<6>(a, first, lane);
    case 7: return run_tile<7>(a, first, lane);
    case 8: return run_tile<8>(a, first, lane);
  }
}

void run(const DepthwiseRun& a) {
  const int tiles = (a.pixels + kRunPixels - 1) / kRunPixels;
  const int size = a.pixels / tiles, larger = a.pixels % tiles;
  for (int t = 0, p = 0; t < tiles; ++t) {
    const int n = size + (t < larger);
    for (int lane = 0; lane < 16; lane += kLanes) run_pixels(a, p, n, lane);
    p += n;
  }
  if (!is_clamp(a.activation) && a.activation.kind != ort_cpu::ActivationKind::none)
    activate_run(a.output, a.pixels * 16, a.activation);
}

/// `Rows` output rows of `Pixels` pixels at output column `column`; input rows whose bit is not set in `valid` are skipped.
template <int Rows, int Pixels, int Stride, bool SkipFirst, bool SkipLast>
ORT_CPU_INLINE void tile_3x3(const Depthwise3x3& a, const float* input, float* output, const float* residual, unsigned valid,
                             int lane) {
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
    return skip_last ? tile_by_pixels<Rows, Stride, true, true>(pixels) : tile_by_pixels<Rows, Stride, true, false>(pixels);
  return skip_last ? tile_by_pixels<Rows, Stride, false, true>(pixels) : tile_by_pixels<Rows, Stride, false, false>(pixels);
}

Tile3x3 tile_function(int rows, int pixels, int stride, bool skip_first, bool skip_last) {
  if (rows == 2)
    return stride == 1 ? tile_by_skips<2, 1>(pixels, skip_first, skip_last) : tile_by_skips<2, 2>(pixels, skip_first, skip_last);
  return stride == 1 ? tile_by_skips<1, 1>(pixels, skip_first, skip_last) : tile_by_skips<1, 2>(pixels, skip_first, skip_last);
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
