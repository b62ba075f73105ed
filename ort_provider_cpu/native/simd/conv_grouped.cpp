#include "simd/conv_grouped.h"

#include "simd/conv_activation.h"
#include "simd/vec.h"

namespace {

using ort_cpu::simd::GroupSource;
using ort_cpu::simd::GroupTap;
using ort_cpu::simd::GroupTile;
using ort_cpu::simd::GroupTileFunction;

#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int kMaxPixels = 14, kMaxAccumulators = 24;
#elif defined(__AVX2__)
constexpr int kMaxPixels = 10, kMaxAccumulators = 10;
#else
constexpr int kMaxPixels = 8, kMaxAccumulators = 8;
#endif
#if defined(__AVX2__)
constexpr bool kPermutes = true;
#else
constexpr bool kPermutes = false;
#endif

/// Lanes of `b` where `mask` has bits, of `a` elsewhere.
ORT_CPU_INLINE Vec blend(Vec a, Vec b, VecI mask) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_mask_mov_ps((__m512)a, _mm512_movepi32_mask((__m512i)mask), (__m512)b));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_blendv_ps((__m256)a, (__m256)b, (__m256)mask));
#else
  return reinterpret_cast<Vec>((reinterpret_cast<VecI>(b) & mask) | (reinterpret_cast<VecI>(a) & ~mask));
#endif
}

#if defined(__AVX2__)
/// Lane i of the result is lane `lanes[i]` of `a`.
ORT_CPU_INLINE Vec permute(Vec a, VecI lanes) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_permutexvar_ps((__m512i)lanes, (__m512)a));
#else
  return reinterpret_cast<Vec>(_mm256_permutevar8x32_ps((__m256)a, (__m256i)lanes));
#endif
}

/// The same of `a` and `b` one after the other.
ORT_CPU_INLINE Vec permute(Vec a, Vec b, VecI lanes) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_permutex2var_ps((__m512)a, (__m512i)lanes, (__m512)b));
#else
  return blend(permute(a, lanes), permute(b, lanes), lanes << 28);
#endif
}
#endif

/// The inputs of the k-th channels of all lanes' groups.
template <GroupSource S>
struct Source {
  static constexpr bool kIsPermuted = S == GroupSource::permuted || S == GroupSource::paired;
  const int64_t* sources;
  const float *input, *first, *second;
  const int32_t* masks;
  int n_sources;
  VecI lanes;

  ORT_CPU_INLINE Source(const GroupTile& tile, const float* input, int k)
      : sources(tile.sources + k * tile.n_sources), input(input), masks(tile.lanes), n_sources(tile.n_sources) {
    first = input + sources[0];
    if constexpr (S == GroupSource::two || S == GroupSource::paired) second = input + sources[1];
    if constexpr (S == GroupSource::two) lanes = load_i(tile.lanes + kLanes);
    if constexpr (kIsPermuted) lanes = load_i(tile.lanes + k * kLanes);
  }

  ORT_CPU_INLINE Vec operator()(int64_t offset) const {
#if defined(__AVX2__)
    if constexpr (S == GroupSource::permuted) return permute(load(first + offset), lanes);
    if constexpr (S == GroupSource::paired) return permute(load(first + offset), load(second + offset), lanes);
#endif
    Vec x = set1(first[offset]);
    if constexpr (S == GroupSource::two) return blend(x, set1(second[offset]), lanes);
    if constexpr (S == GroupSource::several)
      for (int r = 1; r < n_sources; ++r) x = blend(x, set1(input[sources[r] + offset]), load_i(masks + r * kLanes));
    return x;
  }
};

/// Accumulators: [set][pixel]. Small tiles spread the three adjacent elements over several sets to hide the latency of
/// additions.
template <int Pixels>
struct Accumulators {
  static constexpr int kSets = Pixels * 3 <= kMaxAccumulators ? 3 : Pixels * 2 <= kMaxAccumulators ? 2 : 1;
  Vec v[kSets][Pixels];
};

/// A bit for each of `n` < 32 pixels, `step` columns apart, that lies in the row.
ORT_CPU_INLINE uint32_t inside(int64_t column, int64_t step, int64_t width, int n) {
  if (column >= 0 && column + (n - 1) * step < width) return ~0u;
  const int64_t before = column >= 0 ? 0 : (-column + step - 1) / step;
  const int64_t end = column >= width ? 0 : (width - column + step - 1) / step;
  return (1u << (end < n ? end : n)) - (1u << (before < n ? before : n));
}

/// Keeps the compiler from computing what depends on the value ahead of a loop, for which it has too few registers.
ORT_CPU_INLINE uint32_t opaque(uint32_t value) {
  asm volatile("" : "+r"(value));
  return value;
}

template <GroupSource S, int Pixels, int Stride>
ORT_CPU_INLINE void add_three(Accumulators<Pixels>& acc, const GroupTile& tile, const GroupTap& tap) {
  constexpr int kSets = Accumulators<Pixels>::kSets, kInputs = (Pixels - 1) * Stride + 3;
  const uint32_t valid = inside(tile.column + tap.column, 1, tile.width, kInputs);
  const float* w = tile.weights + tap.weights;
#pragma GCC unroll 1
  for (int k = 0; k < tile.depth; ++k, w += 3 * kLanes) {
    const uint32_t bits = opaque(valid);
    const Source<S> source(tile, tile.input + tap.input, k);
    const Vec weights[3] = {load(w), load(w + kLanes), load(w + 2 * kLanes)};
#pragma GCC unroll 32
    for (int i = 0; i < kInputs; ++i) {
      if ((bits >> i & 1) == 0) continue;
      const Vec x = source(i * 16);
#pragma GCC unroll 16
      for (int p = 0; p < Pixels; ++p) {
        const int e = i - p * Stride;
        if (e >= 0 && e < 3) acc.v[e % kSets][p] = fma(x, weights[e], acc.v[e % kSets][p]);
      }
    }
  }
}

template <GroupSource S, int Pixels, int Stride>
ORT_CPU_INLINE void add_one(Accumulators<Pixels>& acc, const GroupTile& tile, const GroupTap& tap) {
  const int64_t stride = Stride != 0 ? Stride : tile.stride;
  const uint32_t valid = inside(tile.column + tap.column, stride, tile.width, Pixels);
  const float* w = tile.weights + tap.weights;
#pragma GCC unroll 1
  for (int k = 0; k < tile.depth; ++k, w += kLanes) {
    const uint32_t bits = opaque(valid);
    const Source<S> source(tile, tile.input + tap.input, k);
    const Vec weight = load(w);
#pragma GCC unroll 16
    for (int p = 0; p < Pixels; ++p)
      if ((bits >> p & 1) != 0) acc.v[0][p] = fma(source(p * stride * 16), weight, acc.v[0][p]);
  }
}

template <GroupSource S, int Stride, int Pixels>
void group_tile(const GroupTile& tile) {
  Accumulators<Pixels> acc;
  const Vec bias = load(tile.bias);
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; ++p) {
    acc.v[0][p] = bias;
#pragma GCC unroll 4
    for (int s = 1; s < acc.kSets; ++s) acc.v[s][p] = Vec{};
  }
#pragma GCC unroll 1
  for (int t = 0; t < tile.n_taps; ++t) {
    if constexpr (Stride != 0)
      if (tile.taps[t].elements == 3) {
        add_three<S, Pixels, Stride>(acc, tile, tile.taps[t]);
        continue;
      }
    add_one<S, Pixels, Stride>(acc, tile, tile.taps[t]);
  }
  Vec(&sum)[Pixels] = acc.v[0];
  const bool clamps = is_clamp(tile.activation);
  const Clamp clamp(tile.activation);
#pragma GCC unroll 16
  for (int p = 0; p < Pixels; ++p) {
#pragma GCC unroll 4
    for (int s = 1; s < acc.kSets; ++s) sum[p] += acc.v[s][p];
    if (tile.residual != nullptr) sum[p] += load(tile.residual + p * 16);
    store(tile.output + p * 16, clamps ? clamp(sum[p]) : sum[p]);
  }
  if (clamps || tile.activation.kind == ort_cpu::ActivationKind::none) return;
  if constexpr (kLanes == 16) activate_run(tile.output, Pixels * 16, tile.activation);
  else
    for (int p = 0; p < Pixels; ++p) activate_run(tile.output + p * 16, kLanes, tile.activation);
}

template <GroupSource S, int Stride>
GroupTileFunction by_pixels(int pixels) {
  switch (pixels) {
#define ORT_CPU_PIXELS(n)                                           \
  case n:                                                           \
    if constexpr (n <= kMaxPixels) return group_tile<S, Stride, n>; \
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

template <GroupSource S>
GroupTileFunction by_stride(int pixels, int64_t stride) {
  return stride == 1 ? by_pixels<S, 1>(pixels) : stride == 2 ? by_pixels<S, 2>(pixels) : by_pixels<S, 0>(pixels);
}

GroupTileFunction tile_function(GroupSource source, int pixels, int64_t stride) {
  switch (source) {
    case GroupSource::one: return by_stride<GroupSource::one>(pixels, stride);
    case GroupSource::two: return by_stride<GroupSource::two>(pixels, stride);
    case GroupSource::several: return by_stride<GroupSource::several>(pixels, stride);
    case GroupSource::permuted:
      if constexpr (kPermutes) return by_stride<GroupSource::permuted>(pixels, stride);
      break;
    case GroupSource::paired:
      if constexpr (kPermutes) return by_stride<GroupSource::paired>(pixels, stride);
      break;
  }
  return nullptr;
}

}  // namespace

ORT_CPU_EXPORT(ConvGroupedTable, conv_grouped_table) = {kLanes, kMaxPixels, kPermutes, tile_function};
