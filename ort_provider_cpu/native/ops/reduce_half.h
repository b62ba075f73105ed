// Rows of 16-bit floats as rows of float, and back.
#pragma once

#include <cstdint>
#include <type_traits>

#include "engine/half.h"
#include "simd/convert.h"

namespace ort_cpu {

template <class T>
inline constexpr bool is_half_v = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

/// out[i] = x[i] for i < n.
template <class T, class C>
void load_row(const T* x, int64_t n, C* out) {
  if constexpr (is_half_v<T> && std::is_same_v<C, float>) {
    const simd::ConvertTable& table = simd::convert_table();
    (std::is_same_v<T, Half> ? table.from_half : table.from_bfloat16)(reinterpret_cast<const uint16_t*>(x), out, n);
  } else if constexpr (is_half_v<T>) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<C>(static_cast<float>(x[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<C>(x[i]);
  }
}

/// y[i] = values[i] for i < n, rounded.
template <class T, class C>
void store_row(T* y, int64_t n, const C* values) {
  if constexpr (is_half_v<T> && std::is_same_v<C, float>) {
    const simd::ConvertTable& table = simd::convert_table();
    (std::is_same_v<T, Half> ? table.to_half : table.to_bfloat16)(values, reinterpret_cast<uint16_t*>(y), n);
  } else if constexpr (is_half_v<T>) {
    for (int64_t i = 0; i < n; ++i) y[i] = T(static_cast<float>(values[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(values[i]);
  }
}

}  // namespace ort_cpu
