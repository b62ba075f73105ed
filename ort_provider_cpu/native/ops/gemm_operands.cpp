#include "ops/gemm_operands.h"

#include <algorithm>

#include "simd/convert.h"

namespace ort_cpu {

void to_floats(const Tensor& tensor, float* out) {
  const int64_t size = tensor.size();
  switch (tensor.dtype) {
    case DType::f16: return simd::convert_table().from_half(tensor.as<uint16_t>(), out, size);
    case DType::bf16: return simd::convert_table().from_bfloat16(tensor.as<uint16_t>(), out, size);
    default: std::copy_n(tensor.as<float>(), size, out);
  }
}

FloatPieces float_pieces(Constant& constant) {
  const DType dtype = constant.tensor().dtype;
  const auto bytes = static_cast<int64_t>(size_of(dtype));
  return [&constant, dtype, bytes, floats = std::vector<float>()](int64_t first, int64_t count) mutable {
    const void* const piece = constant.piece(static_cast<size_t>(first * bytes), static_cast<size_t>(count * bytes));
    if (dtype == DType::f32) return static_cast<const float*>(piece);
    floats.resize(static_cast<size_t>(count));
    to_floats({const_cast<void*>(piece), dtype, {count}}, floats.data());
    return static_cast<const float*>(floats.data());
  };
}

void from_floats(const float* values, int64_t count, const Tensor& out) {
  switch (out.dtype) {
    case DType::f16: return simd::convert_table().to_half(values, out.as<uint16_t>(), count);
    case DType::bf16: return simd::convert_table().to_bfloat16(values, out.as<uint16_t>(), count);
    default: std::copy_n(values, count, out.as<float>());
  }
}

}  // namespace ort_cpu
