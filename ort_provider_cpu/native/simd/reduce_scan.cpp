#include "simd/reduce_scan.h"

#include <utility>

#include "simd/vec.h"

namespace {

template <int kBy, int... kLane>
ORT_CPU_INLINE Vec shift_lanes(Vec v, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(v, Vec{}, (kLane >= kBy && kLane - kBy < kLanes ? kLane - kBy : kLanes)...);
}
/// Lane i of the result is lane i - kBy of `v`, 0 where there is none; kBy may be negative.
template <int kBy>
ORT_CPU_INLINE Vec shift_lanes(Vec v) {
  return shift_lanes<kBy>(v, std::make_integer_sequence<int, kLanes>{});
}

/// Lane i of the result is the sum of the lanes up to i, or from i on.
template <bool kReverse>
ORT_CPU_INLINE Vec running_sums(Vec v) {
  constexpr int kSign = kReverse ? -1 : 1;
  v += shift_lanes<kSign>(v);
  v += shift_lanes<2 * kSign>(v);
  if constexpr (kLanes >= 8) v += shift_lanes<4 * kSign>(v);
  if constexpr (kLanes >= 16) v += shift_lanes<8 * kSign>(v);
  return v;
}

template <bool kExclusive, bool kReverse>
ORT_CPU_INLINE Vec scan(Vec v, double& carry) {
  const Vec sums = running_sums<kReverse>(v), before = set1(static_cast<float>(carry));
  carry += static_cast<double>(sums[kReverse ? 0 : kLanes - 1]);
  return (kExclusive ? shift_lanes<kReverse ? -1 : 1>(sums) : sums) + before;
}

template <bool kExclusive, bool kReverse>
void sum_row_of(float* y, const float* x, int64_t n) {
  double carry = 0;
  const int left = static_cast<int>(n % kLanes);
  if (kReverse) {
    for (int64_t i = n - kLanes; i >= 0; i -= kLanes) store(y + i, scan<kExclusive, kReverse>(load(x + i), carry));
    if (left > 0) store_first(y, scan<kExclusive, kReverse>(load_first(x, left), carry), left);
  } else {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(y + i, scan<kExclusive, kReverse>(load(x + i), carry));
    if (left > 0) store_first(y + i, scan<kExclusive, kReverse>(load_first(x + i, left), carry), left);
  }
}

/// Adds rows of `n` floats to `carry`, one after the other, and writes what it was before or is after each.
template <bool kExclusive, int kRows>
ORT_CPU_INLINE void scan_rows(float* y, const float* x, int64_t stride, int64_t n, double* carry) {
#pragma GCC ivdep
  for (int64_t j = 0; j < n; ++j) {
    double sum = carry[j];
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row) {
      const double next = sum + static_cast<double>(x[row * stride + j]);
      y[row * stride + j] = static_cast<float>(kExclusive ? sum : next);
      sum = next;
    }
    carry[j] = sum;
  }
}

template <bool kExclusive>
void sum_columns_of(float* y, const float* x, int64_t n, int64_t stride, int64_t columns) {
  constexpr int64_t kTile = 256;
  double carry[kTile];
  for (int64_t first = 0; first < columns; first += kTile) {
    const int64_t width = columns - first < kTile ? columns - first : kTile;
    for (int64_t j = 0; j < width; ++j) carry[j] = 0;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
      scan_rows<kExclusive, 4>(y + i * stride + first, x + i * stride + first, stride, width, carry);
    for (; i < n; ++i) scan_rows<kExclusive, 1>(y + i * stride + first, x + i * stride + first, stride, width, carry);
  }
}

void sum_row(float* y, const float* x, int64_t n, bool exclusive, bool reverse) {
  if (exclusive) reverse ? sum_row_of<true, true>(y, x, n) : sum_row_of<true, false>(y, x, n);
  else reverse ? sum_row_of<false, true>(y, x, n) : sum_row_of<false, false>(y, x, n);
}

void sum_columns(float* y, const float* x, int64_t n, int64_t stride, int64_t columns, bool exclusive, bool reverse) {
  if (reverse) {
    y += (n - 1) * stride;
    x += (n - 1) * stride;
    stride = -stride;
  }
  (exclusive ? sum_columns_of<true> : sum_columns_of<false>)(y, x, n, stride, columns);
}

}  // namespace

ORT_CPU_EXPORT(ScanTable, scan_table) = {sum_row, sum_columns};
