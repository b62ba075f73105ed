// Packing of matrices into panels, and transposition.
//
// Only for files of this folder; everything is in an anonymous namespace.
#pragma once

#include "simd/gemm_kernel.h"

namespace {

/// to[n, m] = from[m, n] for at most kLanes of each; with `pad`, columns m .. kLanes of `to` become zero.
ORT_CPU_INLINE void transpose_some(const float* from, int64_t from_stride, int m, int n, float* to, int64_t to_stride,
                                   bool pad) {
  Vec r[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i)
    r[i] = i >= m ? Vec{} : n == kLanes ? load(from + i * from_stride) : load_some(from + i * from_stride, n);
  transpose_block(r);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i >= n) break;
    if (pad || m == kLanes) {
      store(to + i * to_stride, r[i]);
    } else {
      store_some(to + i * to_stride, r[i], m);
    }
  }
}

void transpose(const float* from, int64_t from_stride, int64_t m, int64_t n, float* to, int64_t to_stride) {
  for (int64_t i = 0; i < m; i += kLanes) {
    const int rows = static_cast<int>(m - i < kLanes ? m - i : kLanes);
    for (int64_t j = 0; j < n; j += kLanes) {
      const int columns = static_cast<int>(n - j < kLanes ? n - j : kLanes);
      transpose_some(from + i * from_stride + j, from_stride, rows, columns, to + j * to_stride + i, to_stride, false);
    }
  }
}

/// Writes `columns` columns of B, filled up with zeros to `width`, from row 0 to k; rows of `packed` are `stride`
/// apart.
void pack_columns(const float* b, int64_t k_stride, int64_t n_stride, int64_t k, int64_t columns, int64_t width,
                  int64_t stride, float* packed) {
  if (n_stride == 1) {
    const int64_t vecs = columns / kLanes;
    const int rest = static_cast<int>(columns % kLanes);
    for (int64_t row = 0; row < k; ++row) {
      const float* from = b + row * k_stride;
      float* to = packed + row * stride;
      int64_t j = 0;
      for (; j < vecs; ++j) store(to + j * kLanes, load(from + j * kLanes));
      if (rest != 0) store(to + j++ * kLanes, load_some(from + vecs * kLanes, rest));
      for (; j * kLanes < width; ++j) store(to + j * kLanes, Vec{});
    }
    return;
  }
  for (int64_t j = 0; j < width; j += kLanes) {
    const int64_t left = columns - j;
    const int present = static_cast<int>(left < 0 ? 0 : left < kLanes ? left : kLanes);
    for (int64_t row = 0; row < k; row += kLanes) {
      const int rows = static_cast<int>(k - row < kLanes ? k - row : kLanes);
      transpose_some(b + j * n_stride + row, n_stride, present, rows, packed + row * stride + j, stride, true);
    }
  }
}

/// Columns of panel `index` of a matrix of `n`, rounded up to whole vectors.
ORT_CPU_INLINE int64_t panel_width(int64_t n, int64_t index) {
  const int64_t left = n - index * kPanel;
  return left >= kPanel ? kPanel : (left + kLanes - 1) / kLanes * kLanes;
}

}  // namespace
