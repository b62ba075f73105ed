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
      const Vec p = exp(load(x + i) - shift), q = exp(load(x + i + kLanes) - shift);
      if (kKeep) store(y + i, p), store(y + i + kLanes, q);
      a += p, b += q;
    }
    for (; i + kLanes <= end; i += kLanes) {
      const Vec p = exp(load(x + i) - shift);
      if (kKeep) store(y + i, p);
      a += p;
    }
    total += a + b;
  }
  if (i < n) {
    const int left = static_cast<int>(n - i);
    const Vec p = exp(load_first_or(x + i, left, -kInfinity) - shift);
    if (kKeep) store_first(y + i, p, left);
    total += p;
  }
  return sum(total);
}

void softmax_rows(float* y, const float* x, int64_t rows, int64_t n) {
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
        const Vec p = exp(read(x + i * stride, v) - top[v]);
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
