#include "simd/reduce.h"

#include "simd/math.h"

namespace {

using ort_cpu::Reduction;

constexpr float kInfinity = __builtin_inff();
constexpr int64_t kRowBlock = 2048;
constexpr int64_t kRowsPerBlock = 64;
constexpr int64_t kTile = 512;

ORT_CPU_INLINE VecI lane_numbers() {
  VecI lanes = {};
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return lanes;
}
ORT_CPU_INLINE Vec load_first_or(const float* p, int n, Vec other) {
  return lane_numbers() < n ? load_first(p, n) : other;
}
ORT_CPU_INLINE bool any(VecI mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_epi8((__m256i)mask) != 0;
#else
  int32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= mask[i];
  return bits != 0;
#endif
}

ORT_CPU_INLINE float larger(float a, float b) { return a != a || a > b ? a : b; }

// Each reduction: `identity`, `step` for vectors, `fold` of two results, and the `filler` that changes nothing (given
// the shift).
struct Sum {
  static constexpr float identity = 0;
  static Vec filler(Vec) { return Vec{}; }
  static ORT_CPU_INLINE Vec step(Vec acc, Vec x, Vec) { return acc + x; }
  static ORT_CPU_INLINE Vec fold(Vec a, Vec b) { return a + b; }
  static double fold(double a, double b) { return a + b; }
  static double lanes(Vec a) { return sum(a); }
};
struct SumAbs : Sum {
  static ORT_CPU_INLINE Vec step(Vec acc, Vec x, Vec) { return acc + abs(x); }
};
struct SumSquare : Sum {
  static Vec filler(Vec shift) { return shift; }
  static ORT_CPU_INLINE Vec step(Vec acc, Vec x, Vec shift) {
    const Vec d = x - shift;
    return fma(d, d, acc);
  }
};
struct SumExp : Sum {
  static Vec filler(Vec) { return set1(-kInfinity); }
  static ORT_CPU_INLINE Vec step(Vec acc, Vec x, Vec shift) { return acc + exp(x - shift); }
};
struct Product {
  static constexpr float identity = 1;
  static Vec filler(Vec) { return set1(1.f); }
  static ORT_CPU_INLINE Vec step(Vec acc, Vec x, Vec) { return acc * x; }
  static ORT_CPU_INLINE Vec fold(Vec a, Vec b) { return a * b; }
  static double fold(double a, double b) { return a * b; }
  static double lanes(Vec a) {
    double product = 1;
    for (int i = 0; i < kLanes; ++i) product *= static_cast<double>(a[i]);
    return product;
  }
};
struct Max {
  static constexpr float identity = -kInfinity;
  static Vec filler(Vec) { return set1(-kInfinity); }
  static ORT_CPU_INLINE Vec step(Vec acc, Vec x, Vec) { return ((x > acc) | (x != x)) ? x : acc; }
  static ORT_CPU_INLINE Vec fold(Vec a, Vec b) { return step(a, b, b); }
  static double fold(double a, double b) { return a != a || a > b ? a : b; }
  static double lanes(Vec a) {
    float best = a[0];
    for (int i = 1; i < kLanes; ++i) best = larger(best, a[i]);
    return best;
  }
};
struct Min {
  static constexpr float identity = kInfinity;
  static Vec filler(Vec) { return set1(kInfinity); }
  static ORT_CPU_INLINE Vec step(Vec acc, Vec x, Vec) { return ((x < acc) | (x != x)) ? x : acc; }
  static ORT_CPU_INLINE Vec fold(Vec a, Vec b) { return step(a, b, b); }
  static double fold(double a, double b) { return a != a || a < b ? a : b; }
  static double lanes(Vec a) { return -Max::lanes(-a); }
};

template <class R>
double reduce_row(const float* x, int64_t n, float shift_by) {
  const Vec shift = set1(shift_by);
  double total = R::identity;
  for (int64_t begin = 0; begin < n; begin += kRowBlock) {
    const int64_t end = begin + kRowBlock < n ? begin + kRowBlock : n;
    Vec a = set1(R::identity), b = a, c = a, d = a;
    int64_t i = begin;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      a = R::step(a, load(x + i), shift);
      b = R::step(b, load(x + i + kLanes), shift);
      c = R::step(c, load(x + i + 2 * kLanes), shift);
      d = R::step(d, load(x + i + 3 * kLanes), shift);
    }
    for (; i + kLanes <= end; i += kLanes) a = R::step(a, load(x + i), shift);
    if (i < end) b = R::step(b, load_first_or(x + i, static_cast<int>(end - i), R::filler(shift)), shift);
    total = R::fold(total, R::lanes(R::fold(R::fold(a, b), R::fold(c, d))));
  }
  return total;
}

/// acc[j] = step(... step(acc[j], x[0][j]) ..., x[rows - 1][j]) for j < n.
template <class R>
ORT_CPU_INLINE void step_rows(float* acc, const float* x, int64_t stride, int64_t rows, int64_t n, const float* shift) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const float *x0 = x + i * stride, *x1 = x0 + stride, *x2 = x1 + stride, *x3 = x2 + stride;
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes) {
      const Vec s = load(shift + j);
      const Vec a = R::step(R::step(load(acc + j), load(x0 + j), s), load(x1 + j), s);
      store(acc + j, R::step(R::step(a, load(x2 + j), s), load(x3 + j), s));
    }
    if (j < n) {
      const int left = static_cast<int>(n - j);
      const Vec s = load(shift + j);
      const Vec a = R::step(R::step(load(acc + j), load_first(x0 + j, left), s), load_first(x1 + j, left), s);
      store(acc + j, R::step(R::step(a, load_first(x2 + j, left), s), load_first(x3 + j, left), s));
    }
  }
  for (; i < rows; ++i) {
    const float* row = x + i * stride;
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes) store(acc + j, R::step(load(acc + j), load(row + j), load(shift + j)));
    if (j < n) {
      const Vec last = load_first(row + j, static_cast<int>(n - j));
      store(acc + j, R::step(load(acc + j), last, load(shift + j)));
    }
  }
}

template <class R>
void reduce_columns(double* acc, const float* x, int64_t stride, int64_t rows, int64_t n, const float* shift) {
  alignas(64) float block[kTile], shifts[kTile] = {};
  for (int64_t first = 0; first < n; first += kTile) {
    const int64_t width = n - first < kTile ? n - first : kTile;
    const int64_t padded = (width + kLanes - 1) / kLanes * kLanes;
    if (shift != nullptr)
      for (int64_t j = 0; j < width; ++j) shifts[j] = shift[first + j];
    for (int64_t i = 0; i < rows; i += kRowsPerBlock) {
      for (int64_t j = 0; j < padded; j += kLanes) store(block + j, set1(R::identity));
      step_rows<R>(block, x + i * stride + first, stride, rows - i < kRowsPerBlock ? rows - i : kRowsPerBlock, width,
                   shifts);
      for (int64_t j = 0; j < width; ++j) acc[first + j] = R::fold(acc[first + j], static_cast<double>(block[j]));
    }
  }
}

ORT_CPU_INLINE VecI matches(Vec x, Vec value, bool nan) { return nan ? x != x : x == value; }

int64_t find_first(const float* x, int64_t n, float value) {
  const Vec v = set1(value);
  const bool nan = value != value;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    if (any(matches(load(x + i), v, nan) | matches(load(x + i + kLanes), v, nan) |
            matches(load(x + i + 2 * kLanes), v, nan) | matches(load(x + i + 3 * kLanes), v, nan)))
      break;
  for (; i < n; ++i)
    if (x[i] == value || (nan && x[i] != x[i])) return i;
  return n;
}

int64_t find_last(const float* x, int64_t n, float value) {
  const Vec v = set1(value);
  const bool nan = value != value;
  int64_t i = n;
  for (; i >= kLanes; i -= kLanes)
    if (any(matches(load(x + i - kLanes), v, nan))) break;
  while (--i >= 0)
    if (x[i] == value || (nan && x[i] != x[i])) return i;
  return n;
}

template <bool kSmallest, bool kLast>
ORT_CPU_INLINE void arg_step(Vec& best, VecI& index, Vec x, VecI i) {
  if (kSmallest) x = -x;
  const VecI better = kLast ? (x >= best) | (x != x) : (x > best) | ((x != x) & (best == best));
  best = better ? x : best;
  index = better ? i : index;
}

template <bool kSmallest, bool kLast>
void arg_columns_of(int64_t* index, const float* x, int64_t stride, int32_t rows, int64_t n) {
  constexpr int kVecs = 4;
  int64_t j = 0;
  for (; j + kVecs * kLanes <= n; j += kVecs * kLanes) {
    Vec best[kVecs];
    VecI at[kVecs] = {};
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) best[v] = kSmallest ? -load(x + j + v * kLanes) : load(x + j + v * kLanes);
    for (int32_t i = 1; i < rows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v)
        arg_step<kSmallest, kLast>(best[v], at[v], load(x + i * stride + j + v * kLanes), set1_i(i));
    }
    for (int v = 0; v < kVecs; ++v)
      for (int lane = 0; lane < kLanes; ++lane) index[j + v * kLanes + lane] = at[v][lane];
  }
  for (; j < n; j += kLanes) {
    const int width = n - j < kLanes ? static_cast<int>(n - j) : kLanes;
    Vec best = load_first(x + j, width);
    if (kSmallest) best = -best;
    VecI at = {};
    for (int32_t i = 1; i < rows; ++i)
      arg_step<kSmallest, kLast>(best, at, load_first(x + i * stride + j, width), set1_i(i));
    for (int lane = 0; lane < width; ++lane) index[j + lane] = at[lane];
  }
}

void arg_columns(int64_t* index, const float* x, int64_t stride, int32_t rows, int64_t n, bool smallest, bool last) {
  if (smallest) {
    last ? arg_columns_of<true, true>(index, x, stride, rows, n)
         : arg_columns_of<true, false>(index, x, stride, rows, n);
  } else {
    last ? arg_columns_of<false, true>(index, x, stride, rows, n)
         : arg_columns_of<false, false>(index, x, stride, rows, n);
  }
}

}  // namespace

ORT_CPU_EXPORT(ReduceTable, reduce_table) = {
    {reduce_row<Sum>, reduce_row<SumAbs>, reduce_row<SumSquare>, reduce_row<SumExp>, reduce_row<Product>,
     reduce_row<Max>, reduce_row<Min>},
    {reduce_columns<Sum>, reduce_columns<SumAbs>, reduce_columns<SumSquare>, reduce_columns<SumExp>,
     reduce_columns<Product>, reduce_columns<Max>, reduce_columns<Min>},
    find_first,
    find_last,
    arg_columns,
};
