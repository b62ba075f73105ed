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

void from_floats(const float* values, int64_t count, const Tensor& out) {
  switch (out.dtype) {
    case DType::f16: return simd::convert_table().to_half(values, out.as<uint16_t>(), count);
    case DType::bf16: return simd::convert_table().to_bfloat16(values, out.as<uint16_t>(), count);
    default: std::copy_n(values, count, out.as<float>());
  }
}

}  // namespace ort_cpu
