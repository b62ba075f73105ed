// Moves between lanes of vectors: parts of vectors, sums and maxima across lanes, transposition.
//
// Only for files of this folder; everything is in an anonymous namespace.
#pragma once

#include <utility>

#include "simd/math.h"

namespace {

#if defined(__AVX2__) && !defined(__AVX512F__)
ORT_CPU_INLINE __m256i lane_mask(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ORT_CPU_INLINE Vec load_some(const float* p, int n) {
  return reinterpret_cast<Vec>(_mm256_maskload_ps(p, lane_mask(n)));
}
ORT_CPU_INLINE void store_some(float* p, Vec v, int n) { _mm256_maskstore_ps(p, lane_mask(n), (__m256)v); }
#else
ORT_CPU_INLINE Vec load_some(const float* p, int n) { return load_first(p, n); }
ORT_CPU_INLINE void store_some(float* p, Vec v, int n) { store_first(p, v, n); }
#endif

/// 0, 1, 2 and so on.
ORT_CPU_INLINE VecI lane_numbers() {
  VecI numbers;
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) numbers[i] = i;
  return numbers;
}

using EachLane = std::make_integer_sequence<int, kLanes>;

/// Lane i of the result is lane i ^ kStep of `v`.
template <int kStep, int... kLane>
ORT_CPU_INLINE Vec swapped(Vec v, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(v, v, (kLane ^ kStep)...);
}
template <int kStep>
ORT_CPU_INLINE Vec swapped(Vec v) {
  return swapped<kStep>(v, EachLane{});
}

template <int kHalf = kLanes / 2>
ORT_CPU_INLINE float sum_lanes(Vec v) {
  if constexpr (kHalf == 0) return v[0];
  else return sum_lanes<kHalf / 2>(v + swapped<kHalf>(v));
}
template <int kHalf = kLanes / 2>
ORT_CPU_INLINE float largest_lane(Vec v) {
  if constexpr (kHalf == 0) return v[0];
  else return largest_lane<kHalf / 2>(larger(v, swapped<kHalf>(v)));
}

#if defined(__AVX512F__)
/// Swaps the blocks of `half` lanes that are off the diagonal of a and b.
template <int half>
ORT_CPU_INLINE void swap_blocks(Vec& a, Vec& b) {
  const __m512 x = (__m512)a, y = (__m512)b;
  if constexpr (half == 1) {
    a = (Vec)_mm512_mask_moveldup_ps(x, 0xaaaa, y);
    b = (Vec)_mm512_mask_movehdup_ps(y, 0x5555, x);
  } else if constexpr (half == 2) {
    a = (Vec)_mm512_mask_permute_ps(x, 0xcccc, y, 0x44);
    b = (Vec)_mm512_mask_permute_ps(y, 0x3333, x, 0xee);
  } else if constexpr (half == 4) {
    a = (Vec)_mm512_mask_shuffle_f32x4(x, 0xf0f0, y, y, 0xa0);
    b = (Vec)_mm512_mask_shuffle_f32x4(y, 0x0f0f, x, x, 0xf5);
  } else {
    a = (Vec)_mm512_mask_shuffle_f32x4(x, 0xff00, y, y, 0x44);
    b = (Vec)_mm512_mask_shuffle_f32x4(y, 0x00ff, x, x, 0xee);
  }
}
#else
template <int half, int... kLane>
ORT_CPU_INLINE void swap_blocks(Vec& a, Vec& b, std::integer_sequence<int, kLane...>) {
  const Vec x = a, y = b;
  a = __builtin_shufflevector(x, y, ((kLane & half) ? kLanes + kLane - half : kLane)...);
  b = __builtin_shufflevector(x, y, ((kLane & half) ? kLanes + kLane : kLane + half)...);
}
template <int half>
ORT_CPU_INLINE void swap_blocks(Vec& a, Vec& b) {
  swap_blocks<half>(a, b, EachLane{});
}
#endif

/// Transposes a block of kLanes x kLanes in registers: swaps ever larger blocks across the diagonal.
template <int half = 1>
ORT_CPU_INLINE void transpose_block(Vec (&r)[kLanes]) {
  if constexpr (half < kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i)
      if (!(i & half)) swap_blocks<half>(r[i], r[i + half]);
    transpose_block<half * 2>(r);
  }
}

/// Adds up pairs of vectors until one is left, in which N neighbouring lanes hold parts of the sums of the N vectors.
template <int N>
ORT_CPU_INLINE Vec fold(const Vec (&v)[N]) {
  if constexpr (N == 1) {
    return v[0];
  } else {
    Vec halves[N / 2];
#pragma GCC unroll 16
    for (int i = 0; i < N / 2; ++i) {
      Vec a = v[i], b = v[i + N / 2];
      swap_blocks<N / 2>(a, b);
      halves[i] = a + b;
    }
    return fold(halves);
  }
}
/// Adds up the lanes whose numbers differ by multiples of kStep.
template <int kStep>
ORT_CPU_INLINE Vec sum_apart(Vec v) {
  if constexpr (kStep >= kLanes) return v;
  else return sum_apart<kStep * 2>(v + swapped<kStep>(v));
}
/// Lane i of the result is the sum of the lanes of v[i]; N is a power of two.
template <int N>
ORT_CPU_INLINE Vec sum_each(const Vec (&v)[N]) {
  return sum_apart<N>(fold(v));
}

}  // namespace
