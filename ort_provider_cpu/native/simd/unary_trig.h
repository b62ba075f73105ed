// Trigonometric and inverse hyperbolic functions on `Vec`, within 4 ulp. Only for files of this folder.
#pragma once

#include "simd/math.h"

namespace {

/// x = n * pi / 2 + r with |r| <= pi / 4, for |x| <= kReducible: the first products are exact, n having 13 bits.
constexpr float kReducible = 8192.f;
ORT_CPU_INLINE Vec reduce_quadrant(Vec x, VecI& n) {
  const Vec quadrant = round_even(x * 0.636619772f);
  n = to_int(quadrant);
  Vec r = fma(quadrant, set1(-1.5703125f), x);
  r = fma(quadrant, set1(-0.000483751297f), r);
  r = fma(quadrant, set1(-7.54953362e-08f), r);
  return fma(quadrant, set1(-2.56334407e-12f), r);
}
/// Whether no lane is too large; NaN is not.
ORT_CPU_INLINE bool is_reducible(Vec x) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)abs(x), _mm512_set1_ps(kReducible), _CMP_GT_OQ) == 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps((__m256)(abs(x) > kReducible)) == 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps((__m128)(abs(x) > kReducible)) == 0;
#else
  bool small = true;
  for (int i = 0; i < kLanes; ++i) small = small && !(x[i] > kReducible) && !(x[i] < -kReducible);
  return small;
#endif
}

ORT_CPU_INLINE Vec sin_reduced(Vec r) {
  const Vec s = r * r;
  const Vec p = fma(fma(set1(-0.00019514632f), s, set1(0.00833215564f)), s, set1(-0.166666552f));
  return fma(p * s, r, r);
}
ORT_CPU_INLINE Vec cos_reduced(Vec r) {
  const Vec s = r * r;
  const Vec p = fma(fma(set1(2.44324128e-05f), s, set1(-0.00138873095f)), s, set1(0.0416666456f));
  return fma(s, fma(p, s, set1(-0.5f)), set1(1.f));
}

template <float (*kFunction)(float)>
Vec by_lane(Vec x) {
  for (int i = 0; i < kLanes; ++i) x[i] = kFunction(x[i]);
  return x;
}
inline float sin_scalar(float x) { return __builtin_sinf(x); }
inline float cos_scalar(float x) { return __builtin_cosf(x); }
inline float tan_scalar(float x) { return __builtin_tanf(x); }

ORT_CPU_INLINE Vec sin(Vec x) {
  if (!is_reducible(x)) return by_lane<sin_scalar>(x);
  VecI n;
  const Vec r = reduce_quadrant(x, n);
  const Vec y = (n & 1) != 0 ? cos_reduced(r) : sin_reduced(r);
  return as_float(as_int(y) ^ ((n & 2) << 30));
}
ORT_CPU_INLINE Vec cos(Vec x) {
  if (!is_reducible(x)) return by_lane<cos_scalar>(x);
  VecI n;
  const Vec r = reduce_quadrant(x, n);
  const Vec y = (n & 1) != 0 ? sin_reduced(r) : cos_reduced(r);
  return as_float(as_int(y) ^ (((n + 1) & 2) << 30));
}
ORT_CPU_INLINE Vec tan(Vec x) {
  if (!is_reducible(x)) return by_lane<tan_scalar>(x);
  VecI n;
  const Vec r = reduce_quadrant(x, n);
  const Vec s = sin_reduced(r), c = cos_reduced(r);
  return (n & 1) != 0 ? -c / s : s / c;
}

ORT_CPU_INLINE Vec atan(Vec x) {
  const Vec a = abs(x);
  const auto large = a > 1.f;
  const Vec r = large ? 1.f / a : a;
  const Vec s = r * r;
  Vec p = set1(0.0011137909f);
  p = fma(p, s, set1(-0.00731796725f));
  p = fma(p, s, set1(0.0225398894f));
  p = fma(p, s, set1(-0.0446899682f));
  p = fma(p, s, set1(0.0674159899f));
  p = fma(p, s, set1(-0.0881109238f));
  p = fma(p, s, set1(0.11058224f));
  p = fma(p, s, set1(-0.142798334f));
  p = fma(p, s, set1(0.19999671f));
  p = fma(p, s, set1(-0.333333284f));
  const Vec y = fma(p * s, r, r);
  return copysign(large ? 1.57079633f - y : y, x);
}

/// asin(r) for 0 <= r <= 0.5.
ORT_CPU_INLINE Vec asin_small(Vec r) {
  const Vec s = r * r;
  Vec p = set1(0.0421662964f);
  p = fma(p, s, set1(0.0241795219f));
  p = fma(p, s, set1(0.0454703756f));
  p = fma(p, s, set1(0.0749529749f));
  p = fma(p, s, set1(0.166667521f));
  return fma(p * s, r, r);
}
ORT_CPU_INLINE Vec asin(Vec x) {
  const Vec a = abs(x);
  const auto large = a > 0.5f;
  const Vec y = asin_small(large ? sqrt(fma(a, set1(-0.5f), set1(0.5f))) : a);
  // pi / 2 in two parts: 2 * y cancels against it.
  return copysign(large ? 1.57079637f - fma(y, set1(2.f), set1(4.37113883e-08f)) : y, x);
}
ORT_CPU_INLINE Vec acos(Vec x) {
  const Vec a = abs(x);
  const auto large = a > 0.5f;
  const Vec y = asin_small(large ? sqrt(fma(a, set1(-0.5f), set1(0.5f))) : a);
  const Vec near_one = x < 0.f ? 3.14159274f - fma(y, set1(2.f), set1(8.74227766e-08f)) : y * 2.f;
  const Vec middle = 1.57079637f - (copysign(y, x) + 4.37113883e-08f);
  return large ? near_one : (a <= 0.5f ? middle : a);
}

ORT_CPU_INLINE Vec sinh(Vec x) {
  const Vec a = abs(x);
  const Vec t = expm1_negative(-a);
  const Vec half = exp_scaled(a, -1.f);
  // (e^a - e^-a) / 2 = -t * (t + 2) / (2 * (t + 1)) with t = e^-a - 1.
  const Vec near_zero = t * (t + 2.f) / (t + 1.f) * -0.5f;
  return copysign(a < 1.f ? near_zero : half - 0.25f / half, x);
}
ORT_CPU_INLINE Vec cosh(Vec x) {
  const Vec half = exp_scaled(abs(x), -1.f);
  return half + 0.25f / half;
}
ORT_CPU_INLINE Vec asinh(Vec x) {
  const Vec a = abs(x), square = a * a;
  const Vec small = log1p(a + square / (sqrt(square + 1.f) + 1.f));
  return copysign(a > 1e9f ? log(a) + 0.693147181f : small, x);
}
ORT_CPU_INLINE Vec acosh(Vec x) {
  const Vec t = x - 1.f;
  const Vec small = log1p(t + sqrt(t * (t + 2.f)));
  return x > 1e9f ? log(x) + 0.693147181f : (x < 1.f ? set1(__builtin_nanf("")) : small);
}
ORT_CPU_INLINE Vec atanh(Vec x) {
  const Vec a = abs(x);
  return copysign(log1p(2.f * a / (1.f - a)) * 0.5f, x);
}

}  // namespace
