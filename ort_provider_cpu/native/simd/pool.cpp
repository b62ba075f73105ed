// The inner loops of pooling on float32.
#include "simd/pool.h"

#include "simd/vec.h"

namespace {

using ort_cpu::simd::PoolRows;

struct Largest {
  static ORT_CPU_INLINE Vec combine(Vec a, Vec b) {
    const Vec larger = max(a, b);
    return a != a ? a : larger;
  }
  static ORT_CPU_INLINE float combine(float a, float b) { return a > b || a != a ? a : b; }
};
/// As `Largest`, of numbers only.
struct LargestNumber {
  static ORT_CPU_INLINE Vec combine(Vec a, Vec b) { return max(a, b); }
  static ORT_CPU_INLINE float combine(float a, float b) { return a > b ? a : b; }
};
struct Sum {
  static ORT_CPU_INLINE Vec combine(Vec a, Vec b) { return a + b; }
  static ORT_CPU_INLINE float combine(float a, float b) { return a + b; }
};

/// The even lanes of the 2 * kLanes floats at `p`.
ORT_CPU_INLINE Vec load_even(const float* p) {
  const Vec a = load(p), b = load(p + kLanes);
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif defined(__AVX2__)
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}

template <class Op, int kVecs>
ORT_CPU_INLINE void reduce_columns(float* out, const float* base, int64_t outer, int64_t outer_step, int64_t inner,
                                   int64_t inner_step) {
  Vec acc[kVecs];
  for (int v = 0; v < kVecs; ++v) acc[v] = load(base + v * kLanes);
  for (int64_t a = 0; a < outer; ++a) {
    const float* row = base + a * outer_step;
    for (int64_t b = a == 0 ? 1 : 0; b < inner; ++b) {
      const float* p = row + b * inner_step;
      for (int v = 0; v < kVecs; ++v) acc[v] = Op::combine(acc[v], load(p + v * kLanes));
    }
  }
  for (int v = 0; v < kVecs; ++v) store(out + v * kLanes, acc[v]);
}

template <class Op>
void reduce_rows(float* out, const float* base, int64_t outer, int64_t outer_step, int64_t inner, int64_t inner_step,
                 int64_t n) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    reduce_columns<Op, 4>(out + i, base + i, outer, outer_step, inner, inner_step);
  for (; i + kLanes <= n; i += kLanes) reduce_columns<Op, 1>(out + i, base + i, outer, outer_step, inner, inner_step);
  if (i == n) return;
  const int rest = static_cast<int>(n - i);
  Vec acc = load_first(base + i, rest);
  for (int64_t a = 0; a < outer; ++a)
    for (int64_t b = a == 0 ? 1 : 0; b < inner; ++b)
      acc = Op::combine(acc, load_first(base + i + a * outer_step + b * inner_step, rest));
  store_first(out + i, acc, rest);
}

template <class Op>
ORT_CPU_INLINE float slide_one(const float* in, int64_t taps, int64_t dilation) {
  float acc = in[0];
  for (int64_t k = 1; k < taps; ++k) acc = Op::combine(acc, in[k * dilation]);
  return acc;
}

template <class Op, bool kEven>
ORT_CPU_INLINE void slide_vector(float* out, const float* in, int64_t taps, int64_t dilation) {
  Vec acc = kEven ? load_even(in) : load(in);
  for (int64_t k = 1; k < taps; ++k) {
    const float* p = in + k * dilation;
    acc = Op::combine(acc, kEven ? load_even(p) : load(p));
  }
  store(out, acc);
}

/// Windows of stride 1 or 2; `load_even` reads one float more than the windows need, so the last is left to the scalar
/// loop.
template <class Op, bool kEven>
ORT_CPU_INLINE void slide_row(float* out, const float* in, int64_t taps, int64_t dilation, int64_t n) {
  constexpr int64_t kStride = kEven ? 2 : 1;
  const int64_t vectorised = kEven ? n - 1 : n;
  int64_t done = 0;
  if (vectorised >= kLanes) {
    for (; done + kLanes <= vectorised; done += kLanes)
      slide_vector<Op, kEven>(out + done, in + done * kStride, taps, dilation);
    if (done < vectorised) {
      const int64_t last = vectorised - kLanes;
      slide_vector<Op, kEven>(out + last, in + last * kStride, taps, dilation);
    }
    done = vectorised;
  }
  for (; done < n; ++done) out[done] = slide_one<Op>(in + done * kStride, taps, dilation);
}

template <class Op>
ORT_CPU_INLINE void slide_blocks(float* out, const float* in, int64_t taps, int64_t dilation, int64_t stride,
                                 int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    Vec acc[kVecsPerBlock];
    const float* p = in + i * stride * 16;
    for (int v = 0; v < kVecsPerBlock; ++v) acc[v] = load(p + v * kLanes);
    for (int64_t k = 1; k < taps; ++k)
      for (int v = 0; v < kVecsPerBlock; ++v) acc[v] = Op::combine(acc[v], load(p + k * dilation * 16 + v * kLanes));
    for (int v = 0; v < kVecsPerBlock; ++v) store(out + i * 16 + v * kLanes, acc[v]);
  }
}

template <class Op>
float reduce_all(const float* in, int64_t n) {
  if (n < kLanes) return slide_one<Op>(in, n, 1);
  constexpr int kVecs = 4;
  Vec acc[kVecs];
  int64_t i = kLanes;
  acc[0] = load(in);
  if (n >= kVecs * kLanes) {
    for (int v = 1; v < kVecs; ++v) acc[v] = load(in + v * kLanes);
    for (i = kVecs * kLanes; i + kVecs * kLanes <= n; i += kVecs * kLanes)
      for (int v = 0; v < kVecs; ++v) acc[v] = Op::combine(acc[v], load(in + i + v * kLanes));
    acc[0] = Op::combine(Op::combine(acc[0], acc[1]), Op::combine(acc[2], acc[3]));
  }
  for (; i + kLanes <= n; i += kLanes) acc[0] = Op::combine(acc[0], load(in + i));
  float result = acc[0][0];
  for (int lane = 1; lane < kLanes; ++lane) result = Op::combine(result, acc[0][lane]);
  for (; i < n; ++i) result = Op::combine(result, in[i]);
  return result;
}

template <class Op>
void slide(float* out, const float* in, int64_t block, int64_t taps, int64_t dilation, int64_t stride, int64_t n) {
  if (block == 16) {
    if (taps == 3) return slide_blocks<Op>(out, in, 3, dilation, stride, n);
    return slide_blocks<Op>(out, in, taps, dilation, stride, n);
  }
  if (n >= kLanes && stride == 1) return slide_row<Op, false>(out, in, taps, dilation, n);
  if (n > kLanes && stride == 2) return slide_row<Op, true>(out, in, taps, dilation, n);
  if (dilation == 1 && taps >= 2 * kLanes) {
    for (int64_t i = 0; i < n; ++i) out[i] = reduce_all<Op>(in + i * stride, taps);
    return;
  }
  for (int64_t i = 0; i < n; ++i) out[i] = slide_one<Op>(in + i * stride, taps, dilation);
}

/// The taps of row `o` of windows that are inside: the first one's row, and how many.
struct RowTaps {
  int64_t row, count;
};
ORT_CPU_INLINE RowTaps taps_of(const PoolRows& w, int64_t o) {
  const int64_t start = o * w.stride - w.begin;
  const int64_t skipped = start >= 0 ? 0 : (-start + w.dilation - 1) / w.dilation;
  const int64_t end = (w.size - start + w.dilation - 1) / w.dilation;
  return {start + skipped * w.dilation, (end < w.kernel ? end : w.kernel) - skipped};
}

template <class Op>
ORT_CPU_INLINE void windows_of_rows(const PoolRows& w, int64_t first, int64_t last) {
  const int64_t n = w.width * w.block;
  for (int64_t o = first; o < last; ++o) {
    const RowTaps taps = taps_of(w, o);
    reduce_rows<Op>(w.line + w.begin_width * w.block, w.in + taps.row * n, w.depth_taps, w.depth_step, taps.count,
                    w.dilation * n, n);
    slide<Op>(w.out + (o - w.first) * w.out_width * w.block, w.line, w.block, w.kernel_width, w.dilation_width,
              w.stride_width, w.out_width);
  }
}

/// Whether all floats are finite.
ORT_CPU_INLINE bool is_finite(const float* p, int64_t n) {
  Vec zeros[4] = {};
  float zero = 0;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    for (int v = 0; v < 4; ++v) zeros[v] = fma(load(p + i + v * kLanes), Vec{}, zeros[v]);
  for (; i + kLanes <= n; i += kLanes) zeros[0] = fma(load(p + i), Vec{}, zeros[0]);
  for (; i < n; ++i) zero += p[i] * 0.0f;
  const Vec total = (zeros[0] + zeros[1]) + (zeros[2] + zeros[3]);
  for (int lane = 0; lane < kLanes; ++lane) zero += total[lane];
  return zero == 0;
}

/// Rows are looked through for NaN a few at a time, while they are in the cache: without any, the loops are simpler.
void max_windows(const PoolRows& w) {
  constexpr int64_t kRows = 16;
  const int64_t n = w.width * w.block;
  for (int64_t o = w.first; o < w.last; o += kRows) {
    const int64_t end = o + kRows < w.last ? o + kRows : w.last;
    const int64_t start = o * w.stride - w.begin, from = start > 0 ? start : 0;
    const int64_t stop = (end - 1) * w.stride - w.begin + (w.kernel - 1) * w.dilation + 1;
    const int64_t rows = (stop < w.size ? stop : w.size) - from;
    bool finite = true;
    for (int64_t d = 0; d < w.depth_taps; ++d)
      finite = finite && is_finite(w.in + d * w.depth_step + from * n, rows * n);
    if (finite) windows_of_rows<LargestNumber>(w, o, end);
    else windows_of_rows<Largest>(w, o, end);
  }
}

void sum_windows(const PoolRows& w) { windows_of_rows<Sum>(w, w.first, w.last); }

void divide(float* out, const float* counts, float factor, int64_t block, int64_t n) {
  if (block == 16) {
    for (int64_t i = 0; i < n; ++i) {
      const Vec count = set1(counts[i] * factor);
      for (int v = 0; v < kVecsPerBlock; ++v) {
        float* p = out + i * 16 + v * kLanes;
        store(p, load(p) / count);
      }
    }
    return;
  }
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load(out + i) / (load(counts + i) * set1(factor)));
  for (; i < n; ++i) out[i] /= counts[i] * factor;
}

void sum_blocks(float* out, const float* in, int64_t n) {
  constexpr int kWays = 4;
  Vec acc[kWays][kVecsPerBlock] = {};
  int64_t i = 0;
  for (; i + kWays <= n; i += kWays)
    for (int w = 0; w < kWays; ++w)
      for (int v = 0; v < kVecsPerBlock; ++v) acc[w][v] = acc[w][v] + load(in + (i + w) * 16 + v * kLanes);
  for (; i < n; ++i)
    for (int v = 0; v < kVecsPerBlock; ++v) acc[0][v] = acc[0][v] + load(in + i * 16 + v * kLanes);
  for (int v = 0; v < kVecsPerBlock; ++v) store(out + v * kLanes, (acc[0][v] + acc[1][v]) + (acc[2][v] + acc[3][v]));
}

}  // namespace

ORT_CPU_EXPORT(PoolTable, pool_table) = {
    max_windows, sum_windows, reduce_rows<Largest>, reduce_rows<Sum>, slide<Largest>,
    slide<Sum>,  divide,      reduce_all<Largest>,  reduce_all<Sum>,  sum_blocks};
