#include "simd/conv_direct.h"

#include "simd/conv_activation.h"
#include "simd/vec.h"

namespace {

using ort_cpu::simd::ConvTap;
using ort_cpu::simd::ConvTile;
using ort_cpu::simd::ConvTileFunction;

#if defined(__AVX512F__)
constexpr int kUsualPanel = 2, kOddPanel = 3, kWidestPanel = 4;
constexpr int max_pixels(int panel_blocks) { return panel_blocks == 4 ? 6 : panel_blocks == 3 ? 9 : 14; }
#elif defined(__AVX2__)
constexpr int kUsualPanel = 1, kOddPanel = 1, kWidestPanel = 1;
constexpr int max_pixels(int) { return 6; }
#elif defined(__ARM_NEON)
constexpr int kUsualPanel = 1, kOddPanel = 1, kWidestPanel = 1;
constexpr int max_pixels(int) { return 6; }
#else
constexpr int kUsualPanel = 1, kOddPanel = 1, kWidestPanel = 1;
constexpr int max_pixels(int) { return 3; }
#endif

/// Accumulators of a tile: [set][pixel][vector]. Small tiles spread k over several sets to hide the latency of
/// additions.
template <int Pixels, int Vectors>
struct Accumulators {
  static constexpr int kSets = Pixels * Vectors >= 8 ? 1 : Pixels * Vectors >= 4 ? 2 : 4;
  Vec v[kSets][Pixels][Vectors];
};

/// One step of k for the pixels [From, To).
template <int Vectors, int Pixels, int Stride, int From, int To>
ORT_CPU_INLINE void step(Vec (&acc)[Pixels][Vectors], const float* a, const float* b) {
  Vec row[Vectors];
#pragma GCC unroll 16
  for (int j = 0; j < Vectors; ++j) row[j] = load(b + j * kLanes);
#pragma GCC unroll 16
  for (int p = From; p < To; ++p) {
    const Vec x = set1(a[p * Stride * 16]);
#pragma GCC unroll 16
    for (int j = 0; j < Vectors; ++j) acc[p][j] = fma(x, row[j], acc[p][j]);
  }
}

/// Adds [pixels, k] x [k, panel] for `k` channels, in steps of four.
template <int Vectors, int Pixels, int Stride, int From, int To>
ORT_CPU_INLINE void multiply(Accumulators<Pixels, Vectors>& acc, const float* a, const float* b, int k,
                             ConvTile& tile) {
  constexpr int kSets = Accumulators<Pixels, Vectors>::kSets;
  const char* ahead = tile.prefetch;
  const float* end = a + (k & ~3);
#pragma GCC unroll 1
  while (a != end) {
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u)
      step<Vectors, Pixels, Stride, From, To>(acc.v[u % kSets], a + u, b + u * Vectors * kLanes);
    prefetch(ahead);
    prefetch(ahead + tile.prefetch_others[0]);
    prefetch(ahead + tile.prefetch_others[1]);
    prefetch(ahead + tile.prefetch_others[2]);
    ahead += tile.prefetch_step;
    a += 4;
    b += 4 * Vectors * kLanes;
    // Keeps the two pointers as they are: otherwise the compiler makes one induction variable for each pixel.
    asm volatile("" : "+r"(a), "+r"(b));
  }
  tile.prefetch = ahead;
#pragma GCC unroll 1
  for (int u = 0; u < (k & 3); ++u) step<Vectors, Pixels, Stride, From, To>(acc.v[0], a + u, b + u * Vectors * kLanes);
}

template <int Vectors, int Pixels, int Stride, int From, int To>
ORT_CPU_INLINE void multiply_tap(Accumulators<Pixels, Vectors>& acc, const float* a, const float* w, const ConvTap& tap,
                                 int k, ConvTile& tile) {
  multiply<Vectors, Pixels, Stride, From, To>(acc, a + tap.input, w + tap.index * (16 * Vectors * kLanes), k, tile);
}

template <int Vectors, int Pixels, int Stride, bool SkipFirst, bool SkipLast>
ORT_CPU_INLINE void multiply_block(Accumulators<Pixels, Vectors>& acc, const float* a, const float* w, int k,
                                   ConvTile& tile) {
  const ConvTap* tap = tile.taps;
  const ConvTap* end = tap + tile.n_taps;
  if constexpr (SkipFirst || SkipLast) {
    for (; tap != end; tap += 3) {
      multiply_tap<Vectors, Pixels, Stride, SkipFirst ? 1 : 0, Pixels>(acc, a, w, tap[0], k, tile);
      multiply_tap<Vectors, Pixels, Stride, 0, Pixels>(acc, a, w, tap[1], k, tile);
      multiply_tap<Vectors, Pixels, Stride, 0, SkipLast ? Pixels - 1 : Pixels>(acc, a, w, tap[2], k, tile);
    }
  } else {
    for (; tap != end; ++tap) multiply_tap<Vectors, Pixels, Stride, 0, Pixels>(acc, a, w, *tap, k, tile);
  }
}

template <int Blocks, int Pixels, int Stride, bool SkipFirst, bool SkipLast>
void conv_tile(ConvTile& tile) {
  constexpr int kVectors = Blocks * kVecsPerBlock;
  Accumulators<Pixels, kVectors> acc;
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    const float* out = tile.output + (j / kVecsPerBlock) * tile.output_block_stride + (j % kVecsPerBlock) * kLanes;
    const Vec start = tile.first && tile.bias != nullptr ? load(tile.bias + j * kLanes) : Vec{};
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) {
      acc.v[0][p][j] = tile.first ? start : load(out + p * 16);
#pragma GCC unroll 4
      for (int s = 1; s < acc.kSets; ++s) acc.v[s][p][j] = Vec{};
    }
  }
  const float* a = tile.input;
  const float* w = tile.weights;
  const int blocks = tile.n_blocks + (tile.tail != 0);
  for (int i = 0; i < blocks; ++i) {
    multiply_block<kVectors, Pixels, Stride, SkipFirst, SkipLast>(acc, a, w, i < tile.n_blocks ? 16 : tile.tail, tile);
    a += tile.input_block_stride;
    w += tile.weight_block_stride;
  }

  Vec(&sum)[Pixels][kVectors] = acc.v[0];
#pragma GCC unroll 4
  for (int s = 1; s < acc.kSets; ++s)
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p)
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) sum[p][j] += acc.v[s][p][j];
  if (tile.last && tile.residual != nullptr) {
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) {
      const float* residual =
          tile.residual + (j / kVecsPerBlock) * tile.output_block_stride + (j % kVecsPerBlock) * kLanes;
#pragma GCC unroll 16
      for (int p = 0; p < Pixels; ++p) sum[p][j] += load(residual + p * 16);
    }
  }
  const bool clamps = tile.last && is_clamp(tile.activation);
  const Clamp clamp(tile.activation);
  if (clamps) {
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p)
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) sum[p][j] = clamp(sum[p][j]);
  }
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    float* out = tile.output + (j / kVecsPerBlock) * tile.output_block_stride + (j % kVecsPerBlock) * kLanes;
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) store(out + p * 16, sum[p][j]);
  }
  if (tile.last && !clamps && tile.activation.kind != ort_cpu::ActivationKind::none)
    for (int j = 0; j < Blocks; ++j)
      activate_run(tile.output + j * tile.output_block_stride, Pixels * 16, tile.activation);
}

template <int Blocks, int Stride, bool SkipFirst, bool SkipLast>
ConvTileFunction by_pixels(int pixels) {
  switch (pixels) {
#define ORT_CPU_PIXELS(n)                                                                            \
  case n:                                                                                            \
    if constexpr (n <= max_pixels(Blocks)) return conv_tile<Blocks, n, Stride, SkipFirst, SkipLast>; \
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

template <int Blocks, int Stride>
ConvTileFunction by_skips(int pixels, bool skip_first, bool skip_last) {
  if (skip_first)
    return skip_last ? by_pixels<Blocks, Stride, true, true>(pixels) : by_pixels<Blocks, Stride, true, false>(pixels);
  return skip_last ? by_pixels<Blocks, Stride, false, true>(pixels) : by_pixels<Blocks, Stride, false, false>(pixels);
}

template <int Blocks>
ConvTileFunction by_stride(int pixels, int stride, bool skip_first, bool skip_last) {
  return stride == 1 ? by_skips<Blocks, 1>(pixels, skip_first, skip_last)
                     : by_skips<Blocks, 2>(pixels, skip_first, skip_last);
}

ConvTileFunction tile_function([[maybe_unused]] int panel_blocks, int pixels, int stride, bool skip_first,
                               bool skip_last) {
#if defined(__AVX512F__)
  if (panel_blocks > 2 && (skip_first || skip_last)) return nullptr;
  if (panel_blocks == 4) return stride == 1 ? by_pixels<4, 1, false, false>(pixels) : nullptr;
  if (panel_blocks == 3)
    return stride == 1 ? by_pixels<3, 1, false, false>(pixels) : by_pixels<3, 2, false, false>(pixels);
  if (panel_blocks == 2) return by_stride<2>(pixels, stride, skip_first, skip_last);
#endif
  return by_stride<1>(pixels, stride, skip_first, skip_last);
}

}  // namespace

ORT_CPU_EXPORT(ConvDirectTable, conv_direct_table) = {kUsualPanel, kOddPanel, kWidestPanel, max_pixels, tile_function};
