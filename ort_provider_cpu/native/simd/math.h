// Elementary functions on `Vec`: rounding, exp, log, and the hyperbolic and error functions of the activations.
//
// Results are within 3 ulp of the exact value, the tails of gelu, silu and mish within 1e-7 absolute. NaN gives NaN,
// infinities give the limits; denormals are handled. Only for files of this folder.
#pragma once

#include "simd/vec.h"

namespace {

#if defined(__AVX512F__)
// The masked forms of intrinsics: the plain ones make GCC 12 warn of uninitialised values.
constexpr __mmask16 kAllLanes = 0xffff;

template <int kMode>
ORT_CPU_INLINE Vec round_to(Vec x) {
  return reinterpret_cast<Vec>(_mm512_maskz_roundscale_ps(kAllLanes, (__m512)x, kMode | _MM_FROUND_NO_EXC));
}
#endif

ORT_CPU_INLINE VecI as_int(Vec x) { return reinterpret_cast<VecI>(x); }
ORT_CPU_INLINE Vec as_float(VecI x) { return reinterpret_cast<Vec>(x); }
ORT_CPU_INLINE VecI set1_i(int32_t x) { return x - VecI{}; }
/// Rounds towards zero; the lanes that int32 cannot hold are unspecified.
ORT_CPU_INLINE VecI to_int(Vec x) {
#if defined(__AVX512F__)
  return reinterpret_cast<VecI>(_mm512_maskz_cvttps_epi32(kAllLanes, (__m512)x));
#elif defined(__AVX2__)
  return reinterpret_cast<VecI>(_mm256_cvttps_epi32((__m256)x));
#elif defined(__SSE2__)
  return reinterpret_cast<VecI>(_mm_cvttps_epi32((__m128)x));
#elif defined(__ARM_NEON)
  return reinterpret_cast<VecI>(vcvtq_s32_f32((float32x4_t)x));
#else
  return __builtin_convertvector(x, VecI);
#endif
}
ORT_CPU_INLINE Vec to_float(VecI x) { return __builtin_convertvector(x, Vec); }

/// `max` and `min` of vec.h as the one instruction that they are.
ORT_CPU_INLINE Vec larger(Vec a, Vec b) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_max_ps(kAllLanes, (__m512)a, (__m512)b);
#elif defined(__AVX2__)
  return (Vec)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (Vec)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}
ORT_CPU_INLINE Vec smaller(Vec a, Vec b) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_min_ps(kAllLanes, (__m512)a, (__m512)b);
#elif defined(__AVX2__)
  return (Vec)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (Vec)_mm_min_ps((__m128)a, (__m128)b);
#else
  return a < b ? a : b;
#endif
}

ORT_CPU_INLINE Vec abs(Vec x) { return as_float(as_int(x) & 0x7fffffff); }
ORT_CPU_INLINE Vec copysign(Vec magnitude, Vec sign) {
  return as_float((as_int(magnitude) & 0x7fffffff) | (as_int(sign) & INT32_MIN));
}
ORT_CPU_INLINE Vec sqrt(Vec x) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_maskz_sqrt_ps(kAllLanes, (__m512)x));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_sqrt_ps((__m256)x));
#elif defined(__SSE2__)
  return reinterpret_cast<Vec>(_mm_sqrt_ps((__m128)x));
#elif defined(__ARM_NEON)
  return reinterpret_cast<Vec>(vsqrtq_f32((float32x4_t)x));
#else
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

/// To the nearest integer, ties to even; the sign of zero is kept.
ORT_CPU_INLINE Vec round_even(Vec x) {
#if defined(__AVX512F__)
  return round_to<_MM_FROUND_TO_NEAREST_INT>(x);
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__ARM_NEON)
  return reinterpret_cast<Vec>(vrndnq_f32((float32x4_t)x));
#else
  const Vec big = copysign(set1(8388608.f), x);
  return abs(x) < 8388608.f ? copysign((x + big) - big, x) : x;
#endif
}
ORT_CPU_INLINE Vec floor(Vec x) {
#if defined(__AVX512F__)
  return round_to<_MM_FROUND_TO_NEG_INF>(x);
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_floor_ps((__m256)x));
#else
  const Vec r = round_even(x);
  return r > x ? r - 1.f : r;
#endif
}
ORT_CPU_INLINE Vec ceil(Vec x) {
#if defined(__AVX512F__)
  return round_to<_MM_FROUND_TO_POS_INF>(x);
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_ceil_ps((__m256)x));
#else
  const Vec r = round_even(x);
  return copysign(r < x ? r + 1.f : r, x);
#endif
}
ORT_CPU_INLINE Vec trunc(Vec x) {
#if defined(__AVX512F__)
  return round_to<_MM_FROUND_TO_ZERO>(x);
#else
  return copysign(floor(abs(x)), x);
#endif
}

/// x * 2^n for an integral n in [-300, 300].
ORT_CPU_INLINE Vec scale_by_power(Vec x, Vec n) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_maskz_scalef_ps(kAllLanes, (__m512)x, (__m512)n));
#else
  const VecI power = to_int(n), half = power >> 1;
  return x * as_float((half + 127) << 23) * as_float((power - half + 127) << 23);
#endif
}

/// x = n * ln(2) + r with |r| <= ln(2) / 2.
ORT_CPU_INLINE Vec reduce_exp(Vec x, Vec& n) {
  n = round_even(x * 1.44269504f);
  return fma(n, set1(-1.42860677e-6f), fma(n, set1(-0.693145752f), x));
}
/// exp(r) - 1 for |r| <= ln(2) / 2.
ORT_CPU_INLINE Vec expm1_reduced(Vec r) {
  Vec p = set1(0.00138145988f);
  p = fma(p, r, set1(0.00836871658f));
  p = fma(p, r, set1(0.041668389f));
  p = fma(p, r, set1(0.166665211f));
  p = fma(p, r, set1(0.49999994f));
  return fma(p, r * r, r);
}

/// exp(r) for |r| <= ln(2) / 2.
ORT_CPU_INLINE Vec exp_reduced(Vec r) {
  Vec p = set1(0.00138145988f);
  p = fma(p, r, set1(0.00836871658f));
  p = fma(p, r, set1(0.041668389f));
  p = fma(p, r, set1(0.166665211f));
  p = fma(p, r, set1(0.49999994f));
  p = fma(p, r, set1(1.f));
  return fma(p, r, set1(1.f));
}

/// 2^shift * exp(x), without overflow where only exp(x) overflows.
ORT_CPU_INLINE Vec exp_scaled(Vec x, float shift) {
  x = smaller(set1(90.f), larger(set1(-105.f), x));
  Vec n;
  const Vec r = reduce_exp(x, n);
  return scale_by_power(exp_reduced(r), n + shift);
}
ORT_CPU_INLINE Vec exp(Vec x) {
  x = smaller(set1(90.f), larger(set1(-105.f), x));
  Vec n;
  const Vec r = reduce_exp(x, n);
  return scale_by_power(exp_reduced(r), n);
}

/// exp(x) - 1 for x <= 0, exact to 2 ulp near 0.
ORT_CPU_INLINE Vec expm1_negative(Vec x) {
  x = larger(set1(-20.f), x);
  Vec n;
  const Vec p = expm1_reduced(reduce_exp(x, n));
#if defined(__AVX512F__)
  const Vec s = reinterpret_cast<Vec>(_mm512_maskz_scalef_ps(kAllLanes, (__m512)set1(1.f), (__m512)n));
#else
  const Vec s = as_float((to_int(n) + 127) << 23);
#endif
  return fma(s, p, s - 1.f);
}
/// exp(x) - 1, exact to 2 ulp near 0.
ORT_CPU_INLINE Vec expm1(Vec x) {
  x = smaller(set1(89.f), larger(set1(-20.f), x));
  Vec n;
  const Vec p = expm1_reduced(reduce_exp(x, n));
  // Half the power of two, since 2^128 is not a float where exp(x) still is.
  const Vec s = as_float((to_int(n) + 126) << 23);
  return fma(s, p, s - 0.5f) * 2.f;
}

/// Splits x > 0 into m * 2^e with m in [0.75, 1.5).
ORT_CPU_INLINE Vec split_log(Vec x, Vec& e) {
#if defined(__AVX512F__)
  const __m512 m = _mm512_maskz_getmant_ps(kAllLanes, (__m512)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
  e = (Vec)_mm512_maskz_getexp_ps(kAllLanes, (__m512)x) - (Vec)_mm512_maskz_getexp_ps(kAllLanes, m);
  return reinterpret_cast<Vec>(m);
#else
  const auto tiny = x < 1.17549435e-38f;
  const VecI bits = as_int(tiny ? x * 8388608.f : x) & 0x7fffffff;
  const VecI power = (bits - 0x3f400000) >> 23;
  e = to_float(power) - (tiny ? set1(23.f) : Vec{});
  return as_float(bits - (power << 23));
#endif
}
/// log(1 + f) for f in [-0.25, 0.5), plus `low`.
ORT_CPU_INLINE Vec log1p_reduced(Vec f, Vec low) {
  Vec p = set1(0.0376728885f);
  p = fma(p, f, set1(-0.0911618695f));
  p = fma(p, f, set1(0.117006607f));
  p = fma(p, f, set1(-0.127277792f));
  p = fma(p, f, set1(0.142762393f));
  p = fma(p, f, set1(-0.166552961f));
  p = fma(p, f, set1(0.199996054f));
  p = fma(p, f, set1(-0.250001639f));
  p = fma(p, f, set1(0.333333403f));
  const Vec square = f * f;
  return f + fma(square, fma(p, f, set1(-0.5f)), low);
}
/// The natural logarithm: -inf at 0, NaN below.
ORT_CPU_INLINE Vec log(Vec x) {
  Vec e;
  const Vec m = split_log(x, e);
  const Vec r = fma(e, set1(0.693145752f), log1p_reduced(m - 1.f, e * 1.42860677e-6f));
  const Vec infinity = set1(__builtin_inff());
  const Vec positive = x < infinity ? r : x;
  return x > 0.f ? positive : (x == 0.f ? -infinity : set1(__builtin_nanf("")));
}
/// log(1 + x), exact near 0: -inf at -1, NaN below.
ORT_CPU_INLINE Vec log1p(Vec x) {
  const Vec y = x + 1.f;
  const Vec r = log(y) + (x - (y - 1.f)) / y;
  // Where y is exact, 0 or infinite, the correction is 0 or not a number.
  return y == 0.f || y == __builtin_inff() ? log(y) : r;
}

ORT_CPU_INLINE Vec sigmoid(Vec x) { return 1.f / (exp(-x) + 1.f); }

ORT_CPU_INLINE Vec tanh(Vec x) {
  const Vec t = expm1_negative(abs(x) * -2.f);
  return copysign(t / (t + 2.f), x);
}

/// log(1 + exp(x)).
ORT_CPU_INLINE Vec softplus(Vec x) {
  const Vec u = exp(-abs(x));
  // log(1 + u) / u for u in [0, 1].
  Vec p = set1(-0.00324402121f);
  p = fma(p, u, set1(0.0198514443f));
  p = fma(p, u, set1(-0.0569594987f));
  p = fma(p, u, set1(0.106036514f));
  p = fma(p, u, set1(-0.153055906f));
  p = fma(p, u, set1(0.196759388f));
  p = fma(p, u, set1(-0.249541342f));
  p = fma(p, u, set1(0.333299637f));
  p = fma(p, u, set1(-0.499999017f));
  p = fma(p, u, set1(1.f));
  return fma(p, u, larger(Vec{}, x));
}

/// erf(a) for a >= 0.
ORT_CPU_INLINE Vec erf_positive(Vec a) {
#if defined(__AVX512F__)
  // erf(a) / a by 16 intervals of a quarter, each a polynomial of degree 5 about its centre.
  alignas(64) static constexpr float kErf[6][16] = {
      {1.12252963f, 1.07764506f, 0.997185409f, 0.896085799f, 0.789678454f, 0.689578235f, 0.602119207f, 0.529061377f,
       0.469339281f, 0.420722961f, 0.380874157f, 0.347809434f, 0.319996834f, 0.296295762f, 0.275861979f, 0.258064508f},
      {-0.0232887361f, -0.0648615211f, -0.0934743509f, -0.106097355f, -0.104756549f, -0.0944033563f, -0.0802533776f,
       -0.0660687387f, -0.0537645258f, -0.0438648947f, -0.0361644067f, -0.0302190613f, -0.025594566f, -0.0219468903f,
       -0.0190248117f, -0.0166493002f},
      {-0.0228526443f, -0.0180309545f, -0.0103290537f, -0.00248318422f, 0.00338698807f, 0.00651671318f, 0.0073171705f,
       0.00671258708f, 0.00555396779f, 0.00436696969f, 0.00337249343f, 0.00260960613f, 0.00204351684f, 0.00162489736f,
       0.00131191663f, 0.00107412657f},
      {0.000865269336f, 0.00223413901f, 0.00273975031f, 0.00236876309f, 0.00150359201f, 0.00060989667f,
       -2.14651191e-05f, -0.000332990981f, -0.000410482025f, -0.000369348796f, -0.000292081328f, -0.000218757137f,
       -0.000161481643f, -0.000119934281f, -9.03965556e-05f, -6.92852409e-05f},
      {0.000414275128f, 0.000244915456f, 7.73570991e-06f, -0.000173438064f, -0.000235693355f, -0.000197027199f,
       -0.000116354306f, -4.40288932e-05f, -4.97504288e-07f, 1.70938456e-05f, 1.96926085e-05f, 1.64567591e-05f,
       1.22321171e-05f, 8.73242425e-06f, 6.21044455e-06f, 4.47074581e-06f},
      {-1.89884795e-05f, -4.51192609e-05f, -4.53323555e-05f, -2.49065597e-05f, -6.34908531e-07f, 1.40475086e-05f,
       1.65033689e-05f, 1.17616664e-05f, 5.77435912e-06f, 1.63862649e-06f, -2.98452932e-07f, -8.4347198e-07f,
       -7.95662743e-07f, -5.98529823e-07f, -4.17373315e-07f, -2.86302537e-07f}};
  const __m512 c = (__m512)smaller(set1(3.99999976f), a);
  const __m512 y = _mm512_mul_ps(c, _mm512_set1_ps(4.f));
  const __m512i i = _mm512_maskz_cvttps_epi32(kAllLanes, y);
  const __m512 t = _mm512_sub_ps(_mm512_sub_ps(y, _mm512_maskz_cvtepi32_ps(kAllLanes, i)), _mm512_set1_ps(0.5f));
  __m512 p = _mm512_maskz_permutexvar_ps(kAllLanes, i, _mm512_load_ps(kErf[5]));
#pragma GCC unroll 5
  for (int k = 4; k >= 0; --k)
    p = _mm512_fmadd_ps(p, t, _mm512_maskz_permutexvar_ps(kAllLanes, i, _mm512_load_ps(kErf[k])));
  const Vec r = reinterpret_cast<Vec>(_mm512_mul_ps(p, c));
  return a > 3.92f ? set1(1.f) : r;
#elif defined(__AVX2__)
  // erf(a) / a by 8 intervals of a half, each a polynomial of degree 6 about its centre.
  alignas(64) static constexpr float kErf[7][8] = {
      {1.10530555f, 0.948207498f, 0.738320112f, 0.563812375f, 0.44379434f, 0.363599777f, 0.307690978f, 0.266666651f},
      {-0.0905827433f, -0.203517556f, -0.200719655f, -0.146010697f, -0.0970337689f, -0.0660024509f, -0.0473325849f,
       -0.0355554335f},
      {-0.0838377103f, -0.0250543989f, 0.0211574994f, 0.0285236053f, 0.0197774917f, 0.0118538756f, 0.00727463793f,
       0.00474050408f},
      {0.0130864792f, 0.0211655293f, 0.00829272252f, -0.00170914922f, -0.0031884776f, -0.00202993304f, -0.00111164863f,
       -0.000631793344f},
      {0.00556332944f, -0.00155349297f, -0.00362352841f, -0.00122977619f, 0.000178282426f, 0.000295042584f,
       0.000165521793f, 8.40096327e-05f},
      {-0.00109282846f, -0.0011647077f, 0.000252689351f, 0.000464436744f, 0.000111617548f, -2.10831186e-05f,
       -2.24100586e-05f, -1.11142617e-05f},
      {-0.00028019771f, 0.000221174938f, 0.000155964459f, -5.17635235e-05f, -4.40028343e-05f, -5.65036044e-06f,
       2.1256858e-06f, 1.3949342e-06f}};
  const __m256 c = (__m256)smaller(set1(3.99999976f), a);
  const __m256 y = _mm256_mul_ps(c, _mm256_set1_ps(2.f));
  const __m256i i = _mm256_cvttps_epi32(y);
  const __m256 t = _mm256_sub_ps(_mm256_sub_ps(y, _mm256_cvtepi32_ps(i)), _mm256_set1_ps(0.5f));
  __m256 p = _mm256_permutevar8x32_ps(_mm256_load_ps(kErf[6]), i);
#pragma GCC unroll 6
  for (int k = 5; k >= 0; --k) p = _mm256_fmadd_ps(p, t, _mm256_permutevar8x32_ps(_mm256_load_ps(kErf[k]), i));
  const Vec r = reinterpret_cast<Vec>(_mm256_mul_ps(p, c));
  return a > 3.92f ? set1(1.f) : r;
#else
  // a * p(a^2) up to 1, 1 - exp(-q(a)) above.
  const Vec s = a * a;
  Vec p = set1(7.8539073e-05f);
  p = fma(p, s, set1(-0.000801020884f));
  p = fma(p, s, set1(0.00518832961f));
  p = fma(p, s, set1(-0.0268538129f));
  p = fma(p, s, set1(0.112835854f));
  p = fma(p, s, set1(-0.37612626f));
  p = fma(p, s, set1(1.12837911f)) * a;
  const Vec c = smaller(set1(4.f), a);
  Vec q = set1(-0.00018557407f);
  q = fma(q, c, set1(0.00293960795f));
  q = fma(q, c, set1(-0.0218053199f));
  q = fma(q, c, set1(0.103037372f));
  q = fma(q, c, set1(0.638225675f));
  q = fma(q, c, set1(1.12704003f));
  q = fma(q, c, set1(0.000353718788f));
  const Vec large = a > 3.92f ? set1(1.f) : 1.f - exp(-q);
  return a > 1.f ? large : p;
#endif
}
ORT_CPU_INLINE Vec erf(Vec x) { return copysign(erf_positive(abs(x)), x); }

/// x * (1 + erf(x / sqrt(2))) / 2.
ORT_CPU_INLINE Vec gelu_erf(Vec x) {
  const Vec half = x * 0.5f, a = abs(x);
  return fma(abs(half), erf_positive(a * 0.707106781f), half);
}
/// x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2.
ORT_CPU_INLINE Vec gelu_tanh(Vec x) {
  const Vec u = x * fma(x * x, set1(-0.0713548163f), set1(-1.59576912f));
  return x / (exp(u) + 1.f);
}
/// x * sigmoid(alpha * x).
ORT_CPU_INLINE Vec silu(Vec x, Vec alpha) { return x / (exp(-(alpha * x)) + 1.f); }
/// x * tanh(softplus(x)).
ORT_CPU_INLINE Vec mish(Vec x) {
  // tanh(log(1 + u)) = n / (n + 2) with n = u * (u + 2), and 1 for x > 20.
  const Vec u = exp(smaller(set1(20.f), x));
  const Vec n = u * (u + 2.f);
  return x * (n / (n + 2.f));
}

}  // namespace
