#include "simd/conv_layout.h"

#include <utility>

#include "simd/vec.h"

namespace {

/// Swaps the off-diagonal halves of all squares of side 2 * Distance that `a` and `b`, Distance rows apart, cross.
template <int Distance, int... Lane>
ORT_CPU_INLINE void exchange(Vec& a, Vec& b, std::integer_sequence<int, Lane...>) {
  const Vec upper = __builtin_shufflevector(a, b, ((Lane & Distance) ? kLanes + Lane - Distance : Lane)...);
  const Vec lower = __builtin_shufflevector(a, b, ((Lane & Distance) ? kLanes + Lane : Lane + Distance)...);
  a = upper;
  b = lower;
}

template <int Distance>
ORT_CPU_INLINE void transpose_step(Vec (&rows)[kLanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i)
    if ((i & Distance) == 0) exchange<Distance>(rows[i], rows[i + Distance], std::make_integer_sequence<int, kLanes>{});
}

/// Transposes a square matrix in registers.
ORT_CPU_INLINE void transpose(Vec (&rows)[kLanes]) {
  transpose_step<1>(rows);
  transpose_step<2>(rows);
  if constexpr (kLanes > 4) transpose_step<4>(rows);
  if constexpr (kLanes > 8) transpose_step<8>(rows);
}

void to_blocked(const float* planes, int64_t plane_stride, int channels, int64_t pixels, float* out) {
  for (int c = 0; c < 16; c += kLanes) {
    const int present = channels - c < 0 ? 0 : channels - c < kLanes ? channels - c : kLanes;
    for (int64_t p = 0; p < pixels; p += kLanes) {
      const int n = pixels - p < kLanes ? static_cast<int>(pixels - p) : kLanes;
      Vec rows[kLanes];
      if (n == kLanes && present == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) rows[i] = load(planes + (c + i) * plane_stride + p);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i)
          rows[i] = i < present ? load_first(planes + (c + i) * plane_stride + p, n) : Vec{};
      }
      transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i)
        if (i < n) store(out + (p + i) * 16 + c, rows[i]);
    }
  }
}

void from_blocked(const float* in, int64_t pixels, int channels, float* planes, int64_t plane_stride) {
  for (int c = 0; c < channels; c += kLanes) {
    const int present = channels - c < kLanes ? channels - c : kLanes;
    for (int64_t p = 0; p < pixels; p += kLanes) {
      const int n = pixels - p < kLanes ? static_cast<int>(pixels - p) : kLanes;
      Vec rows[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) rows[i] = i < n ? load(in + (p + i) * 16 + c) : Vec{};
      transpose(rows);
      if (n == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i)
          if (i < present) store(planes + (c + i) * plane_stride + p, rows[i]);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i)
          if (i < present) store_first(planes + (c + i) * plane_stride + p, rows[i], n);
      }
    }
  }
}

}  // namespace

ORT_CPU_EXPORT(ConvLayoutTable, conv_layout_table) = {to_blocked, from_blocked};
