// y = (x - center) * scale + bias on elements of any float type.
#pragma once

#include <algorithm>

#include "engine/dtype.h"
#include "ops/reduce_half.h"
#include "simd/norm.h"

namespace ort_cpu {

/// Float for float and 16-bit floats, double for double.
template <class T>
void affine_row(T* y, const T* x, int64_t n, double center, double scale, double bias) {
  using C = compute_t<T>;
  [[maybe_unused]] const C m = static_cast<C>(center), k = static_cast<C>(scale), b = static_cast<C>(bias);
  if constexpr (std::is_same_v<T, float>) {
    simd::norm_table().affine_row(y, x, n, m, k, b);
  } else if constexpr (is_half_v<T>) {
    constexpr int64_t kBlock = 1024;
    float block[kBlock];
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t count = std::min(kBlock, n - i);
      load_row(x + i, count, block);
      affine_row(block, block, count, center, scale, bias);
      store_row(y + i, count, block);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - m) * k + b;
  }
}

template <class T>
void affine_columns(T* y, const T* x, int64_t rows, int64_t n, const compute_t<T>* center, const compute_t<T>* scale,
                    const compute_t<T>* bias) {
  using C = compute_t<T>;
  if constexpr (std::is_same_v<T, float>) {
    simd::norm_table().affine_columns(y, x, rows, n, center, scale, bias);
  } else {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < n; ++j) y[i * n + j] = T((static_cast<C>(x[i * n + j]) - center[j]) * scale[j] + bias[j]);
  }
}

}  // namespace ort_cpu
