// The inner loop of resizing on float32.
#include "simd/resize.h"

#include "simd/vec.h"

namespace {

template <int kVecs>
ORT_CPU_INLINE void weigh_columns(float* out, const float* in, int64_t inner, int64_t taps, const int32_t* index,
                                  const float* weights) {
  Vec acc[kVecs];
  for (int v = 0; v < kVecs; ++v) acc[v] = load(in + index[0] * inner + v * kLanes) * set1(weights[0]);
  for (int64_t t = 1; t < taps; ++t) {
    const Vec weight = set1(weights[t]);
    const float* p = in + index[t] * inner;
    for (int v = 0; v < kVecs; ++v) acc[v] = fma(load(p + v * kLanes), weight, acc[v]);
  }
  for (int v = 0; v < kVecs; ++v) store(out + v * kLanes, acc[v]);
}

void weigh_row(float* out, const float* in, int64_t inner, int64_t taps, const int32_t* index, const float* weights) {
  int64_t j = 0;
  for (; j + 4 * kLanes <= inner; j += 4 * kLanes) weigh_columns<4>(out + j, in + j, inner, taps, index, weights);
  for (; j + kLanes <= inner; j += kLanes) weigh_columns<1>(out + j, in + j, inner, taps, index, weights);
  for (; j < inner; ++j) {
    float acc = 0;
    for (int64_t t = 0; t < taps; ++t) acc += in[index[t] * inner + j] * weights[t];
    out[j] = acc;
  }
}

/// Two taps of contiguous elements: the pairs of indices and of weights of several outputs are gathered at once.
int64_t weigh_pairs(float* out, const float* in, int64_t first, int64_t last, const int32_t* index,
                    const float* weights) {
  int64_t o = first;
#if defined(__AVX512F__)
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  for (; o + 16 <= last; o += 16) {
    const __m512i i0 = _mm512_loadu_si512(index + o * 2), i1 = _mm512_loadu_si512(index + o * 2 + 16);
    const __m512 w0 = _mm512_loadu_ps(weights + o * 2), w1 = _mm512_loadu_ps(weights + o * 2 + 16);
    const __m512 a =
        _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, _mm512_permutex2var_epi32(i0, even, i1), in, 4);
    const __m512 b =
        _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, _mm512_permutex2var_epi32(i0, odd, i1), in, 4);
    _mm512_storeu_ps(out + o, _mm512_fmadd_ps(b, _mm512_permutex2var_ps(w0, odd, w1),
                                              _mm512_mul_ps(a, _mm512_permutex2var_ps(w0, even, w1))));
  }
#else
  (void)out, (void)in, (void)last, (void)index, (void)weights;
#endif
  return o;
}

void weighted(float* out, const float* in, int64_t first, int64_t last, int64_t inner, int64_t taps,
              const int32_t* index, const float* weights) {
  if (inner == 1) {
    int64_t o = taps == 2 ? weigh_pairs(out, in, first, last, index, weights) : first;
    if (taps == 4) {
      for (; o < last; ++o) {
        const int32_t* i = index + o * 4;
        const float* w = weights + o * 4;
        out[o] = (in[i[0]] * w[0] + in[i[1]] * w[1]) + (in[i[2]] * w[2] + in[i[3]] * w[3]);
      }
    }
    for (; o < last; ++o) {
      float acc = 0;
      for (int64_t t = o * taps; t < (o + 1) * taps; ++t) acc += in[index[t]] * weights[t];
      out[o] = acc;
    }
    return;
  }
  for (int64_t o = first; o < last; ++o)
    weigh_row(out + o * inner, in, inner, taps, index + o * taps, weights + o * taps);
}

}  // namespace

ORT_CPU_EXPORT(ResizeTable, resize_table) = {weighted};
