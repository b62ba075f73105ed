#include "ops/gemm_operands.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "simd/convert.h"

namespace ort_cpu {

Activation product_activation(const Attributes& attributes) {
  static constexpr std::array<std::string_view, 14> kNames{
      "none",         "relu",       "clip",     "leaky_relu", "sigmoid", "tanh",     "silu",
      "hard_sigmoid", "hard_swish", "gelu_erf", "gelu_tanh",  "elu",     "softplus", "mish"};
  const std::string name = attributes.text("activation", "none");
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  require(found != kNames.end(), "there is no activation '", name, "'");
  return {static_cast<ActivationKind>(found - kNames.begin()), attributes.real("activation_alpha", 0),
          attributes.real("activation_beta", 0)};
}

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
