// Float vectors of the widest registers of the level that is being compiled: 16, 8 or 4 lanes.
//
// Only for files of this folder. Everything is in an anonymous namespace, since each level has its own.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define ORT_CPU_INLINE __attribute__((always_inline)) inline

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

/// A register of floats, and of 32-bit integers of the same number of lanes; compiler vectors: + - * / and comparisons
/// work.
typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t VecI __attribute__((vector_size(kLanes * 4)));
typedef float VecUnaligned __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef int32_t VecIUnaligned __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

/// Vectors in the 16 channels of a blocked layout.
constexpr int kVecsPerBlock = 16 / kLanes;

ORT_CPU_INLINE Vec load(const float* p) { return *reinterpret_cast<const VecUnaligned*>(p); }
ORT_CPU_INLINE void store(float* p, Vec v) { *reinterpret_cast<VecUnaligned*>(p) = v; }
ORT_CPU_INLINE VecI load_i(const int32_t* p) { return *reinterpret_cast<const VecIUnaligned*>(p); }
ORT_CPU_INLINE void store_i(int32_t* p, VecI v) { *reinterpret_cast<VecIUnaligned*>(p) = v; }

ORT_CPU_INLINE Vec set1(float x) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_set1_ps(x));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_set1_ps(x));
#else
  return x - Vec{};
#endif
}

/// a * b + c in one rounding where the processor has it.
ORT_CPU_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c));
#elif defined(__ARM_NEON)
  return reinterpret_cast<Vec>(vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b));
#else
  return a * b + c;
#endif
}

/// The larger of each pair, `b` where they do not compare (so `max(NaN, b)` is b and `max(a, NaN)` is NaN).
ORT_CPU_INLINE Vec max(Vec a, Vec b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_max_ps((__m512)a, (__m512)b));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_max_ps((__m256)a, (__m256)b));
#else
  return a > b ? a : b;
#endif
}
/// The smaller of each pair, `b` where they do not compare.
ORT_CPU_INLINE Vec min(Vec a, Vec b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_min_ps((__m512)a, (__m512)b));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_min_ps((__m256)a, (__m256)b));
#else
  return a < b ? a : b;
#endif
}

#if defined(__AVX2__) && !defined(__AVX512F__)
/// All bits in the first `n` lanes.
ORT_CPU_INLINE __m256i first_lanes(int n) {
  alignas(32) static constexpr int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 8 - n));
}
#endif

/// The first `n` floats (0 <= n <= lanes), zeros in the other lanes; no byte beyond them is read.
ORT_CPU_INLINE Vec load_first(const float* p, int n) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_maskload_ps(p, first_lanes(n)));
#else
  Vec v = {};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
/// Stores the first `n` lanes.
ORT_CPU_INLINE void store_first(float* p, Vec v, int n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), (__m512)v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, first_lanes(n), (__m256)v);
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

/// The sum of all lanes.
ORT_CPU_INLINE float sum(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);
#else
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += v[i];
  return total;
#endif
}
/// The largest lane.
ORT_CPU_INLINE float max_lane(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps((__m512)v);
#else
  float best = v[0];
  for (int i = 1; i < kLanes; ++i) best = v[i] > best ? v[i] : best;
  return best;
#endif
}

ORT_CPU_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace
