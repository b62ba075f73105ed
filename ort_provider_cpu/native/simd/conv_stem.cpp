#include "simd/conv_stem.h"

#include "simd/conv_activation.h"
#include "simd/vec.h"

namespace {

using ort_cpu::simd::StemTile;
using StemTileFunction = void (*)(const StemTile&);

#if defined(__AVX512F__)
constexpr int kUsualPanel = 2, kMaxPixels = 14;
#elif defined(__AVX2__) || defined(__ARM_NEON)
constexpr int kUsualPanel = 1, kMaxPixels = 6;
#else
constexpr int kUsualPanel = 1, kMaxPixels = 2;
#endif

/// Pixels at a stride: few multiples of it in registers reach all of them.
struct StridedPixels {
  int64_t one, three, five, seven;

  explicit StridedPixels(int64_t stride) : one(stride), three(3 * stride), five(5 * stride), seven(7 * stride) {
    asm("" : "+r"(one), "+r"(three), "+r"(five), "+r"(seven));
  }
  ORT_CPU_INLINE float load(const float* first, const float* eighth, int p) const {
    const float* base = p < 8 ? first : eighth;
    switch (p % 8) {
      case 1: return base[one];
      case 2: return base[2 * one];
      case 3: return base[three];
      case 4: return base[4 * one];
      case 5: return base[five];
      case 6: return base[2 * three];
      case 7: return base[seven];
      default: return base[0];
    }
  }
};

template <int Blocks, int Pixels>
void stem_tile(const StemTile& tile) {
  constexpr int kVectors = Blocks * kVecsPerBlock;
  Vec acc[Pixels][kVectors];
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    const float* out = tile.output + (j / kVecsPerBlock) * tile.output_block_stride + (j % kVecsPerBlock) * kLanes;
    const Vec start = load(tile.bias + j * kLanes);
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) acc[p][j] = tile.first ? start : load(out + p * 16);
  }
  const float* w = tile.weights;
  const StridedPixels pixels(tile.stride);
#pragma GCC unroll 1
  for (int64_t t = 0; t < tile.n_taps; ++t) {
    const float* x = tile.input + tile.taps[t];
    const float* eighth = x + 8 * tile.stride;
    Vec row[kVectors];
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) row[j] = load(w + j * kLanes);
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) {
      const Vec a = set1(pixels.load(x, eighth, p));
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) acc[p][j] = fma(a, row[j], acc[p][j]);
    }
    w += Blocks * 16;
  }
  const bool clamps = tile.last && is_clamp(tile.activation);
  const Clamp clamp(tile.activation);
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    float* out = tile.output + (j / kVecsPerBlock) * tile.output_block_stride + (j % kVecsPerBlock) * kLanes;
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p) store(out + p * 16, clamps ? clamp(acc[p][j]) : acc[p][j]);
  }
  if (tile.last && !clamps && tile.activation.kind != ort_cpu::ActivationKind::none)
    for (int j = 0; j < Blocks; ++j)
      activate_run(tile.output + j * tile.output_block_stride, Pixels * 16, tile.activation);
}

template <int Blocks>
StemTileFunction by_pixels(int pixels) {
  switch (pixels) {
#define ORT_CPU_PIXELS(n)                                       \
  case n:                                                       \
    if constexpr (n <= kMaxPixels) return stem_tile<Blocks, n>; \
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

StemTileFunction tile_function(int panel_blocks, int pixels) {
  if constexpr (kUsualPanel == 2)
    if (panel_blocks == 2) return by_pixels<2>(pixels);
  return by_pixels<1>(pixels);
}

}  // namespace

ORT_CPU_EXPORT(ConvStemTable, conv_stem_table) = {kUsualPanel, kMaxPixels, tile_function};
