#include "simd/softmax.h"

#include "simd/math.h"

namespace {

constexpr float kInfinity = __builtin_inff();
/// Elements of a lane that are added up before their sum goes to the total, so that long rows keep their digits.
constexpr int64_t kTermsPerBlock = 64;

ORT_CPU_INLINE Vec load_first_or(const float* p, int n, float other) {
  VecI lanes = {};
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return lanes < n ? load_first(p, n) : set1(other);
}

/// exp(d) for d <= 0, within 2e-7 and the rounding of d * log2(e): 0 at -inf, NaN at NaN.
ORT_CPU_INLINE Vec exp_nonpositive(Vec d) {
#if defined(__AVX512F__)
  const Vec t = d * 1.44269504f;
  const Vec f =
      reinterpret_cast<Vec>(_mm512_maskz_reduce_ps(kAllLanes, (__m512)t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
#else
  const Vec t = max(set1(-127.f), d * 1.44269504f), n = floor(t), f = t - n;
#endif
  Vec p = set1(0.00186713564f);
  p = fma(p, f, set1(0.00901701581f));
  p = fma(p, f, set1(0.0557999276f));
  p = fma(p, f, set1(0.240164444f));
  p = fma(p, f, set1(0.693151295f));
  p = fma(p, f, set1(1.f));
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_maskz_scalef_ps(kAllLanes, (__m512)p, (__m512)t));
#else
  return p * as_float((to_int(n) + 127) << 23);
#endif
}

ORT_CPU_INLINE float largest(const float* x, int64_t n) {
  Vec a = set1(-kInfinity), b = a, c = a, d = a;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    a = max(load(x + i), a);
    b = max(load(x + i + kLanes), b);
    c = max(load(x + i + 2 * kLanes), c);
    d = max(load(x + i + 3 * kLanes), d);
  }
  for (; i + kLanes <= n; i += kLanes) a = max(load(x + i), a);
  if (i < n) b = max(load_first_or(x + i, static_cast<int>(n - i), -kInfinity), b);
  return max_lane(max(max(a, b), max(c, d)));
}

/// The sum of exp(x[i] - shift); NaN if an element is one. The terms are kept in `y` if it is wanted.
template <bool kKeep>
ORT_CPU_INLINE float sum_exp(float* y, const float* x, int64_t n, float shift_by) {
  const Vec shift = set1(shift_by);
  Vec total = {};
  int64_t i = 0;
  while (i + kLanes <= n) {
    const int64_t block = i + kTermsPerBlock * kLanes, end = block < n ? block : n;
    Vec a = {}, b = {};
    for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
      const Vec p = exp_nonpositive(load(x + i) - shift), q = exp_nonpositive(load(x + i + kLanes) - shift);
      if (kKeep) store(y + i, p), store(y + i + kLanes, q);
      a += p, b += q;
    }
    for (; i + kLanes <= end; i += kLanes) {
      const Vec p = exp_nonpositive(load(x + i) - shift);
      if (kKeep) store(y + i, p);
      a += p;
    }
    total += a + b;
  }
  if (i < n) {
    const int left = static_cast<int>(n - i);
    const Vec p = exp_nonpositive(load_first_or(x + i, left, -kInfinity) - shift);
    if (kKeep) store_first(y + i, p, left);
    total += p;
  }
  return sum(total);
}

/// Rows of `kVecs` vectors, the last of `last` floats, which stay in registers.
template <int kVecs>
void softmax_short_rows(float* y, const float* x, int64_t rows, int64_t n) {
  const int last = static_cast<int>(n - (kVecs - 1) * kLanes);
  for (; rows > 0; --rows, x += n, y += n) {
    Vec v[kVecs];
#pragma GCC unroll 8
    for (int k = 0; k < kVecs - 1; ++k) v[k] = load(x + k * kLanes);
    v[kVecs - 1] = load_first_or(x + (kVecs - 1) * kLanes, last, -kInfinity);
    Vec top = v[0];
#pragma GCC unroll 8
    for (int k = 1; k < kVecs; ++k) top = max(v[k], top);
    const Vec shift = set1(max_lane(top));
    Vec total = {};
#pragma GCC unroll 8
    for (int k = 0; k < kVecs; ++k) {
      v[k] = exp_nonpositive(v[k] - shift);
      total += v[k];
    }
    const Vec scale = set1(1.f / sum(total));
#pragma GCC unroll 8
    for (int k = 0; k < kVecs - 1; ++k) store(y + k * kLanes, v[k] * scale);
    store_first(y + (kVecs - 1) * kLanes, v[kVecs - 1] * scale, last);
  }
}

void softmax_rows(float* y, const float* x, int64_t rows, int64_t n) {
  switch ((n + kLanes - 1) / kLanes) {
    case 1: return softmax_short_rows<1>(y, x, rows, n);
    case 2: return softmax_short_rows<2>(y, x, rows, n);
    case 3: return softmax_short_rows<3>(y, x, rows, n);
    case 4: return softmax_short_rows<4>(y, x, rows, n);
    case 5: return softmax_short_rows<5>(y, x, rows, n);
    case 6: return softmax_short_rows<6>(y, x, rows, n);
    case 7: return softmax_short_rows<7>(y, x, rows, n);
    case 8: return softmax_short_rows<8>(y, x, rows, n);
    default: break;
  }
  for (; rows > 0; --rows, x += n, y += n) {
    const Vec scale = set1(1.f / sum_exp<true>(y, x, n, largest(x, n)));
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(y + i, load(y + i) * scale);
    if (i < n) store_first(y + i, load_first(y + i, static_cast<int>(n - i)) * scale, static_cast<int>(n - i));
  }
}

void log_softmax_rows(float* y, const float* x, int64_t rows, int64_t n) {
  for (; rows > 0; --rows, x += n, y += n) {
    const float shift_by = largest(x, n);
    const Vec shift = set1(shift_by), log_sum = log(set1(sum_exp<false>(nullptr, x, n, shift_by)));
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(y + i, (load(x + i) - shift) - log_sum);
    if (i < n) {
      const int left = static_cast<int>(n - i);
      store_first(y + i, (load_first(x + i, left) - shift) - log_sum, left);
    }
  }
}

/// `kVecs` vectors of columns, the last of them of `last` columns.
template <bool kLog, int kVecs>
ORT_CPU_INLINE void softmax_tile(float* y, const float* x, int64_t n, int64_t stride, int last) {
  const auto read = [last](const float* p, int v) {
    return v + 1 < kVecs || last == kLanes ? load(p + v * kLanes) : load_first(p + v * kLanes, last);
  };
  const auto write = [last](float* p, int v, Vec value) {
    if (v + 1 < kVecs || last == kLanes) store(p + v * kLanes, value);
    else store_first(p + v * kLanes, value, last);
  };
  Vec top[kVecs], total[kVecs] = {};
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) top[v] = set1(-kInfinity);
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) top[v] = max(read(x + i * stride, v), top[v]);
  for (int64_t i = 0; i < n;) {
    const int64_t end = i + kTermsPerBlock < n ? i + kTermsPerBlock : n;
    Vec block[kVecs] = {};
    for (; i < end; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        const Vec p = exp_nonpositive(read(x + i * stride, v) - top[v]);
        if (!kLog) write(y + i * stride, v, p);
        block[v] += p;
      }
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) total[v] += block[v];
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) total[v] = kLog ? log(total[v]) : 1.f / total[v];
  for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v)
      write(y + i * stride, v,
            kLog ? (read(x + i * stride, v) - top[v]) - total[v] : read(y + i * stride, v) * total[v]);
}

template <bool kLog>
void softmax_columns(float* y, const float* x, int64_t n, int64_t stride, int64_t columns) {
  constexpr int kVecs = 4;
  for (; columns >= kVecs * kLanes; columns -= kVecs * kLanes, x += kVecs * kLanes, y += kVecs * kLanes)
    softmax_tile<kLog, kVecs>(y, x, n, stride, kLanes);
  for (; columns > 0; columns -= kLanes, x += kLanes, y += kLanes)
    softmax_tile<kLog, 1>(y, x, n, stride, columns < kLanes ? static_cast<int>(columns) : kLanes);
}

}  // namespace

ORT_CPU_EXPORT(SoftmaxTable, softmax_table) = {softmax_rows, log_softmax_rows, softmax_columns<false>,
                                               softmax_columns<true>};
