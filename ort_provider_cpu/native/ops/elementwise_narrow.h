// 16-bit floats in element-wise operators: converted to float and back in pieces that stay in the L1 cache.
#pragma once

#include "engine/dtype.h"
#include "simd/convert.h"

namespace ort_cpu {

inline constexpr int64_t kNarrowPiece = 1024;

/// Conversions of float16 or bfloat16.
struct NarrowFloat {
  void (*decode)(const uint16_t* x, float* y, int64_t n);
  void (*encode)(const float* x, uint16_t* y, int64_t n);
};

inline bool is_narrow(DType type) { return type == DType::f16 || type == DType::bf16; }

inline NarrowFloat narrow_float(DType type) {
  const auto& table = simd::convert_table();
  return type == DType::f16 ? NarrowFloat{table.from_half, table.to_half}
                            : NarrowFloat{table.from_bfloat16, table.to_bfloat16};
}

/// Calls `f(x, y, n)` with floats in place of the 16-bit floats of `x` and `y`, piece by piece.
template <class F>
void through_float(NarrowFloat format, const uint16_t* x, uint16_t* y, int64_t n, F&& f) {
  alignas(64) float piece[kNarrowPiece];
  for (int64_t i = 0; i < n; i += kNarrowPiece) {
    const int64_t count = n - i < kNarrowPiece ? n - i : kNarrowPiece;
    format.decode(x + i, piece, count);
    f(piece, piece, count);
    format.encode(piece, y + i, count);
  }
}

}  // namespace ort_cpu
