#include "ops/quantize.h"

namespace ort_cpu {

QuantizationLayout make_quantization_layout(const Shape& x, const Shape& scale, int64_t axis, int64_t block_size) {
  QuantizationLayout layout;
  require(block_size >= 0, "block_size is ", block_size, ", must not be negative");
  if (scale.size() == 1 && (block_size == 0 || scale.rank() == 0)) return layout;
  const int at = normalize_axis(axis, x.rank());
  layout.per_tensor = false;
  layout.outer = x.size_to(at);
  layout.extent = x[at];
  layout.inner = x.size_from(at + 1);
  if (block_size == 0) {
    require(scale.rank() == 1 && scale[0] == x[at], "scales of shape ", scale, " do not fit the ", x[at],
            " indices of axis ", at, " of shape ", x);
    return layout;
  }
  layout.block = block_size;
  layout.blocks = x[at] / block_size + (x[at] % block_size != 0 ? 1 : 0);
  Shape expected = x;
  expected[at] = layout.blocks;
  require(scale == expected, "scales of shape ", scale, " do not fit blocks of ", block_size, " along axis ", at,
          " of shape ", x, ", which need ", expected);
  return layout;
}

void check_zero_point(const Shape& zero, const Shape& scale) {
  require(zero.size() == scale.size() || zero.size() == 1, "the zero point of shape ", zero,
          " does not fit scales of shape ", scale);
}

void expand_parameter(const Tensor& parameter, float* out, int64_t n) {
  const int64_t given = parameter.size();
  Converter(parameter.dtype, DType::f32)(parameter.data, out, std::min(given, n));
  if (given == 1) std::fill(out, out + n, out[0]);
}

}  // namespace ort_cpu
