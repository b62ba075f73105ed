// Which scale and zero point each element of a quantised tensor has.
#pragma once

#include "engine/kernel.h"
#include "ops/cast.h"

namespace ort_cpu {

/// The granularity of scales over a tensor [outer, extent, inner]: one for all, one for each index of the axis, or one
/// for each block of indices (and each outer and inner index).
struct QuantizationLayout {
  int64_t outer = 1, extent = 1, inner = 1;
  int64_t block = 0;   // indices of the axis that share scales; 0: all have one, or each has its own
  int64_t blocks = 1;  // of scales along the axis
  bool per_tensor = true;

  int64_t n_scales() const { return per_tensor ? 1 : block > 0 ? outer * blocks * inner : extent; }

  /// Calls `f(at, n, first, step)` for pieces that cover [begin, end): their element k has scale `first + k * step`.
  template <class F>
  void each(int64_t begin, int64_t end, F&& f) const {
    if (per_tensor) return f(begin, end - begin, int64_t{0}, 0);
    while (begin < end) {
      const int64_t i = begin % inner, row = begin / inner, axis = row % extent;
      int64_t n = inner - i, first = axis;
      int step = 0;
      if (block > 0) {
        const int64_t group = row / extent * blocks + axis / block;
        first = group * inner + i;
        step = inner == 1 ? 0 : 1;
        if (inner == 1) n = std::min(block - axis % block, extent - axis);
      } else if (inner == 1) {
        n = extent - axis;
        step = 1;
      }
      n = std::min(n, end - begin);
      f(begin, n, first, step);
      begin += n;
    }
  }
};

/// Raises InvalidArgument if scales of shape `scale` do not fit a tensor of shape `x`.
QuantizationLayout make_quantization_layout(const Shape& x, const Shape& scale, int64_t axis, int64_t block_size);

/// Raises InvalidArgument unless a zero point of shape `zero` fits scales of shape `scale`.
void check_zero_point(const Shape& zero, const Shape& scale);

/// The `n` values of a parameter as floats; one value is repeated.
void expand_parameter(const Tensor& parameter, float* out, int64_t n);

}  // namespace ort_cpu
