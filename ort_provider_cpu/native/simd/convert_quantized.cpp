#include "simd/convert_quantized.h"

#include "simd/math.h"

namespace {

typedef uint8_t Bytes __attribute__((vector_size(kLanes)));
typedef int8_t SignedBytes __attribute__((vector_size(kLanes)));
typedef uint8_t BytesUnaligned __attribute__((vector_size(kLanes), aligned(1), may_alias));
typedef int8_t SignedBytesUnaligned __attribute__((vector_size(kLanes), aligned(1), may_alias));

template <class T>
struct Lanes;
template <>
struct Lanes<uint8_t> {
  using Register = Bytes;
  using Memory = BytesUnaligned;
  static constexpr float kLow = 0, kHigh = 255;
};
template <>
struct Lanes<int8_t> {
  using Register = SignedBytes;
  using Memory = SignedBytesUnaligned;
  static constexpr float kLow = -128, kHigh = 127;
};

template <int kStep>
ORT_CPU_INLINE Vec parameter(const float* p, int64_t i, int n) {
  if constexpr (kStep == 0) return set1(*p);
  else return n == kLanes ? load(p + i) : load_first(p + i, n);
}

ORT_CPU_INLINE VecI load_bytes(const uint8_t* p) {
#if defined(__AVX512F__)
  return (VecI)_mm512_maskz_cvtepu8_epi32(kAllLanes, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__AVX2__)
  return (VecI)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#else
  return __builtin_convertvector(*reinterpret_cast<const BytesUnaligned*>(p), VecI);
#endif
}
ORT_CPU_INLINE VecI load_bytes(const int8_t* p) {
#if defined(__AVX512F__)
  return (VecI)_mm512_maskz_cvtepi8_epi32(kAllLanes, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__AVX2__)
  return (VecI)_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#else
  return __builtin_convertvector(*reinterpret_cast<const SignedBytesUnaligned*>(p), VecI);
#endif
}

template <class T>
ORT_CPU_INLINE VecI quantized(Vec x, Vec scale, Vec zero) {
  const Vec r = round_even(x / scale) + zero;
  return to_int(smaller(larger(r, set1(Lanes<T>::kLow)), set1(Lanes<T>::kHigh)));
}

template <class T, int kStep>
void quantize_loop(const float* x, T* y, int64_t n, const float* scale, const float* zero) {
  using L = Lanes<T>;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const VecI q = quantized<T>(load(x + i), parameter<kStep>(scale, i, kLanes), parameter<kStep>(zero, i, kLanes));
    *reinterpret_cast<typename L::Memory*>(y + i) = __builtin_convertvector(q, typename L::Register);
  }
  const int rest = static_cast<int>(n - i);
  if (rest == 0) return;
  const VecI q =
      quantized<T>(load_first(x + i, rest), parameter<kStep>(scale, i, rest), parameter<kStep>(zero, i, rest));
  for (int k = 0; k < rest; ++k) y[i + k] = static_cast<T>(q[k]);
}

template <class T>
void quantize(const float* x, T* y, int64_t n, const float* scale, const float* zero, int step) {
  step == 0 ? quantize_loop<T, 0>(x, y, n, scale, zero) : quantize_loop<T, 1>(x, y, n, scale, zero);
}

template <class T, int kStep>
void dequantize_loop(const T* x, float* y, int64_t n, const float* scale, const float* zero) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec v = to_float(load_bytes(x + i));
    store(y + i, (v - parameter<kStep>(zero, i, kLanes)) * parameter<kStep>(scale, i, kLanes));
  }
  for (; i < n; ++i) y[i] = (static_cast<float>(x[i]) - zero[i * kStep]) * scale[i * kStep];
}

template <class T>
void dequantize(const T* x, float* y, int64_t n, const float* scale, const float* zero, int step) {
  step == 0 ? dequantize_loop<T, 0>(x, y, n, scale, zero) : dequantize_loop<T, 1>(x, y, n, scale, zero);
}

void range(const float* x, int64_t n, float* low, float* high) {
  // The order of operands passes over NaN.
  Vec lowest = set1(*low), highest = set1(*high);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec v = load(x + i);
    lowest = smaller(v, lowest);
    highest = larger(v, highest);
  }
  for (int k = 0; k < kLanes; ++k) {
    if (lowest[k] < *low) *low = lowest[k];
    if (highest[k] > *high) *high = highest[k];
  }
  for (; i < n; ++i) {
    if (x[i] < *low) *low = x[i];
    if (x[i] > *high) *high = x[i];
  }
}

}  // namespace

ORT_CPU_EXPORT(QuantizedTable, quantized_table) = {quantize<uint8_t>, quantize<int8_t>, dequantize<uint8_t>,
                                                   dequantize<int8_t>, range};
