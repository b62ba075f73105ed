#include "simd/norm.h"

#include "simd/math.h"

namespace {

using ort_cpu::simd::NormRows;

/// Elements whose sum is taken in float; the sums of such blocks are added in double.
constexpr int64_t kBlock = 2048;

/// The sum of f(i, count) over the vectors of a row, `count` being the lanes of the vector at `i` that count.
template <class F>
ORT_CPU_INLINE double sum_of_row(int64_t n, F f) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    Vec a = {}, b = {}, c = {}, d = {};
    int64_t i = begin;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      a += f(i, kLanes);
      b += f(i + kLanes, kLanes);
      c += f(i + 2 * kLanes, kLanes);
      d += f(i + 3 * kLanes, kLanes);
    }
    for (; i + kLanes <= end; i += kLanes) a += f(i, kLanes);
    if (i < end) b += f(i, static_cast<int>(end - i));
    total += sum((a + b) + (c + d));
  }
  return total;
}

ORT_CPU_INLINE Vec load_part(const float* p, int count) { return count == kLanes ? load(p) : load_first(p, count); }
ORT_CPU_INLINE void store_part(float* p, Vec v, int count) {
  if (count == kLanes) store(p, v);
  else store_first(p, v, count);
}

/// The first `n` lanes of `v`, zeros in the others.
ORT_CPU_INLINE Vec first_lanes(Vec v, int n) {
  VecI lanes = {};
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return lanes < n ? v : Vec{};
}

/// s = x + residual + pre_bias, which goes to `out`; the sum of s, or of s^2.
template <bool kSquare>
ORT_CPU_INLINE double add_rows(float* out, const float* x, const float* residual, const float* pre_bias, int64_t n) {
  return sum_of_row(n, [=](int64_t i, int count) {
    Vec s = load_part(x + i, count);
    if (residual != nullptr) s += load_part(residual + i, count);
    if (pre_bias != nullptr) s += load_part(pre_bias + i, count);
    store_part(out + i, s, count);
    return kSquare ? s * s : s;
  });
}

template <bool kScale, bool kBias>
ORT_CPU_INLINE void affine(float* y, const float* s, int64_t n, float center_by, float factor_by, const float* scale,
                           const float* bias) {
  const Vec center = set1(center_by), factor = set1(factor_by);
  const auto one = [=](int64_t i, int count) {
    Vec v = (load_part(s + i, count) - center) * factor;
    if (kScale && kBias) v = fma(v, load_part(scale + i, count), load_part(bias + i, count));
    else if (kScale) v = v * load_part(scale + i, count);
    else if (kBias) v = v + load_part(bias + i, count);
    store_part(y + i, v, count);
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) one(i, kLanes);
  if (i < n) one(i, static_cast<int>(n - i));
}

template <bool kRms>
ORT_CPU_INLINE void normalize_row(const NormRows& r, int64_t row) {
  const int64_t n = r.n;
  const float* s = r.x + row * n;
  float* y = r.y + row * n;
  double total;
  if (r.residual != nullptr || r.pre_bias != nullptr || r.sum != nullptr) {
    float* out = r.sum != nullptr ? r.sum + row * n : y;
    total = add_rows<kRms>(out, s, r.residual != nullptr ? r.residual + row * n : nullptr, r.pre_bias, n);
    s = out;
  } else {
    total = sum_of_row(n, [=](int64_t i, int count) {
      const Vec v = load_part(s + i, count);
      return kRms ? v * v : v;
    });
  }
  const double count = static_cast<double>(n);
  const double exact_mean = kRms ? 0 : total / count;
  const float mean = static_cast<float>(exact_mean);
  double variance = total / count;
  if (!kRms) {
    const Vec center = set1(mean);
    const double squares = sum_of_row(n, [=](int64_t i, int lanes) {
      const Vec v = load_part(s + i, lanes) - center;
      return lanes == kLanes ? v * v : first_lanes(v * v, lanes);
    });
    const double rounded_off = exact_mean - static_cast<double>(mean);
    variance = squares / count - rounded_off * rounded_off;
  }
  const float inverse = static_cast<float>(1 / __builtin_sqrt(variance + r.epsilon));
  if (r.mean != nullptr) r.mean[row] = mean;
  if (r.inverse != nullptr) r.inverse[row] = inverse;
  if (r.scale != nullptr && r.bias != nullptr) affine<true, true>(y, s, n, mean, inverse, r.scale, r.bias);
  else if (r.scale != nullptr) affine<true, false>(y, s, n, mean, inverse, r.scale, nullptr);
  else if (r.bias != nullptr) affine<false, true>(y, s, n, mean, inverse, nullptr, r.bias);
  else affine<false, false>(y, s, n, mean, inverse, nullptr, nullptr);
}

/// Rows of `kVecs` vectors, the last of `last` floats, which stay in registers.
template <bool kRms, int kVecs>
void normalize_short_rows(const NormRows& r) {
  const int64_t n = r.n;
  const int last = static_cast<int>(n - (kVecs - 1) * kLanes);
  const float of_count = 1.f / static_cast<float>(n), epsilon = static_cast<float>(r.epsilon);
  const auto count = [last](int k) { return k + 1 < kVecs ? kLanes : last; };
  for (int64_t row = 0; row < r.rows; ++row) {
    const int64_t at = row * n;
    Vec s[kVecs], total = {}, squares = {};
#pragma GCC unroll 8
    for (int k = 0; k < kVecs; ++k) {
      s[k] = load_part(r.x + at + k * kLanes, count(k));
      if (r.residual != nullptr) s[k] += load_part(r.residual + at + k * kLanes, count(k));
      if (r.pre_bias != nullptr) s[k] += load_part(r.pre_bias + k * kLanes, count(k));
      if (r.sum != nullptr) store_part(r.sum + at + k * kLanes, s[k], count(k));
      total += s[k];
    }
    const float mean = kRms ? 0.f : sum(total) * of_count;
#pragma GCC unroll 8
    for (int k = 0; k < kVecs; ++k) {
      if (!kRms) s[k] -= mean;
      squares += k + 1 < kVecs || last == kLanes ? s[k] * s[k] : first_lanes(s[k] * s[k], last);
    }
    const float inverse = 1.f / __builtin_sqrtf(sum(squares) * of_count + epsilon);
    if (r.mean != nullptr) r.mean[row] = mean;
    if (r.inverse != nullptr) r.inverse[row] = inverse;
#pragma GCC unroll 8
    for (int k = 0; k < kVecs; ++k) {
      Vec y = s[k] * inverse;
      if (r.scale != nullptr) y *= load_part(r.scale + k * kLanes, count(k));
      if (r.bias != nullptr) y += load_part(r.bias + k * kLanes, count(k));
      store_part(r.y + at + k * kLanes, y, count(k));
    }
  }
}

template <bool kRms>
bool normalize_if_short(const NormRows& rows) {
  switch ((rows.n + kLanes - 1) / kLanes) {
    case 1: normalize_short_rows<kRms, 1>(rows); return true;
    case 2: normalize_short_rows<kRms, 2>(rows); return true;
    case 3: normalize_short_rows<kRms, 3>(rows); return true;
    case 4: normalize_short_rows<kRms, 4>(rows); return true;
    case 5: normalize_short_rows<kRms, 5>(rows); return true;
    case 6: normalize_short_rows<kRms, 6>(rows); return true;
    case 7: normalize_short_rows<kRms, 7>(rows); return true;
    case 8: normalize_short_rows<kRms, 8>(rows); return true;
    default: return false;
  }
}

void normalize_rows(const NormRows& rows) {
  if (rows.rms ? normalize_if_short<true>(rows) : normalize_if_short<false>(rows)) return;
  for (int64_t row = 0; row < rows.rows; ++row)
    rows.rms ? normalize_row<true>(rows, row) : normalize_row<false>(rows, row);
}

void affine_row(float* y, const float* x, int64_t n, float center, float scale, float bias) {
  const Vec m = set1(center), k = set1(scale), b = set1(bias);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, fma(load(x + i) - m, k, b));
  if (i < n) {
    const int left = static_cast<int>(n - i);
    store_first(y + i, fma(load_first(x + i, left) - m, k, b), left);
  }
}

void affine_columns(float* y, const float* x, int64_t rows, int64_t n, const float* center, const float* scale,
                    const float* bias) {
  for (int64_t row = 0; row < rows; ++row, x += n, y += n) {
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes)
      store(y + j, fma(load(x + j) - load(center + j), load(scale + j), load(bias + j)));
    if (j < n) {
      const int left = static_cast<int>(n - j);
      const Vec d = load_first(x + j, left) - load_first(center + j, left);
      store_first(y + j, fma(d, load_first(scale + j, left), load_first(bias + j, left)), left);
    }
  }
}

}  // namespace

ORT_CPU_EXPORT(NormTable, norm_table) = {normalize_rows, affine_row, affine_columns};
