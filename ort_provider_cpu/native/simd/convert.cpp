#include "simd/convert.h"

#include "simd/math.h"

namespace {

/// 16-bit lanes, as many as a Vec has.
typedef uint16_t Narrow __attribute__((vector_size(kLanes * 2)));
typedef uint32_t VecU __attribute__((vector_size(kLanes * 4)));
typedef uint16_t NarrowUnaligned __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));

ORT_CPU_INLINE VecU bits_of(Vec x) { return reinterpret_cast<VecU>(x); }
ORT_CPU_INLINE Vec float_of(VecU x) { return reinterpret_cast<Vec>(x); }
ORT_CPU_INLINE VecU widen(Narrow x) { return __builtin_convertvector(x, VecU); }
ORT_CPU_INLINE Narrow narrow(VecU x) { return __builtin_convertvector(x, Narrow); }

struct HalfFormat {
  static ORT_CPU_INLINE Vec decode(Narrow h) {
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_cvtph_ps(kAllLanes, (__m256i)h);
#elif defined(__F16C__)
    return (Vec)_mm256_cvtph_ps((__m128i)h);
#else
    const VecU x = widen(h), sign = (x & 0x8000u) << 16, magnitude = x & 0x7fffu;
    const VecU normal = (magnitude << 13) + 0x38000000u;
    const VecU special = (magnitude << 13) | 0x7f800000u;
    const VecU subnormal = bits_of(to_float((VecI)magnitude) * 0x1p-24f);
    return float_of(sign | (magnitude >= 0x7c00u ? special : (magnitude >= 0x400u ? normal : subnormal)));
#endif
  }
  static ORT_CPU_INLINE Narrow encode(Vec v) {
#if defined(__AVX512F__)
    return (Narrow)_mm512_maskz_cvtps_ph(kAllLanes, (__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__F16C__)
    return (Narrow)_mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    const VecU x = bits_of(v), sign = (x >> 16) & 0x8000u, magnitude = x & 0x7fffffffu;
    const VecU special = magnitude > 0x7f800000u ? 0x7e00u | ((magnitude >> 13) & 0x3ffu) : VecU{} + 0x7c00u;
    // Adding 0.5 shifts the significand to where a subnormal half has it, rounded.
    const VecU subnormal = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u;
    const VecU normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
    return narrow(sign | (magnitude >= 0x477ff000u ? special : (magnitude < 0x38800000u ? subnormal : normal)));
#endif
  }
};

struct BFloat16Format {
  static ORT_CPU_INLINE Vec decode(Narrow h) { return float_of(widen(h) << 16); }
  static ORT_CPU_INLINE Narrow encode(Vec v) {
    const VecU x = bits_of(v);
    const VecU rounded = (x + 0x7fffu + ((x >> 16) & 1u)) >> 16;
    return narrow((x & 0x7fffffffu) > 0x7f800000u ? (x >> 16) | 0x40u : rounded);
  }
};

ORT_CPU_INLINE Narrow load_narrow(const uint16_t* p) { return *reinterpret_cast<const NarrowUnaligned*>(p); }
ORT_CPU_INLINE void store_narrow(uint16_t* p, Narrow v) { *reinterpret_cast<NarrowUnaligned*>(p) = v; }

template <class Format>
void decode(const uint16_t* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, Format::decode(load_narrow(x + i)));
  if (i == n) return;
  Narrow last = {};
  for (int64_t k = i; k < n; ++k) last[k - i] = x[k];
  store_first(y + i, Format::decode(last), static_cast<int>(n - i));
}

template <class Format>
void encode(const float* x, uint16_t* y, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_narrow(y + i, Format::encode(load(x + i)));
  if (i == n) return;
  const Narrow last = Format::encode(load_first(x + i, static_cast<int>(n - i)));
  for (int64_t k = i; k < n; ++k) y[k] = last[k - i];
}

ORT_CPU_INLINE int64_t to_int64_scalar(float x) {
  return x >= -0x1p63f && x < 0x1p63f ? static_cast<int64_t>(x) : INT64_MIN;
}

void to_int32(const float* x, int32_t* y, int64_t n) {
  int64_t i = 0;
#if defined(__SSE2__)
  for (; i + kLanes <= n; i += kLanes) store_i(y + i, to_int(load(x + i)));
#endif
  for (; i < n; ++i) y[i] = x[i] >= -0x1p31f && x[i] < 0x1p31f ? static_cast<int32_t>(x[i]) : INT32_MIN;
}

void to_int64(const float* x, int64_t* y, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 8 <= n; i += 8) _mm512_storeu_si512(y + i, _mm512_maskz_cvttps_epi64(0xff, _mm256_loadu_ps(x + i)));
#endif
  for (; i < n; ++i) y[i] = to_int64_scalar(x[i]);
}

void from_int64(const int64_t* x, float* y, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(y + i, _mm512_maskz_cvtepi64_ps(0xff, _mm512_loadu_si512(x + i)));
#endif
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

void from_bool(const uint8_t* x, float* y, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] != 0 ? 1.f : 0.f;
}

}  // namespace

ORT_CPU_EXPORT(ConvertTable, convert_table) = {
    decode<HalfFormat>, encode<HalfFormat>, decode<BFloat16Format>, encode<BFloat16Format>, to_int32, to_int64,
    from_int64,         from_bool,
};
