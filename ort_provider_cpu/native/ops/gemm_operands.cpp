#include "ops/gemm_operands.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ort_cpu {

Activation product_activation(const Attributes& attributes) {
  static constexpr std::array<std::string_view, 14> kNames{
      "none", "relu", "clip", "leaky_relu", "sigmoid", "tanh", "silu", "hard_sigmoid", "hard_swish", "gelu_erf",
      "gelu_tanh", "elu", "softplus", "mish"};
  const std::string name = attributes.text("activation", "none");
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  require(found != kNames.end(), "there is no activation '", name, "'");
  return {static_cast<ActivationKind>(found - kNames.begin()), attributes.real("activation_alpha", 0),
          attributes.real("activation_beta", 0)};
}

void to_floats(const Tensor& tensor, float* out) {
  const int64_t size = tensor.size();
  switch (tensor.dtype) {
    case DType::f16: std::transform(tensor.as<Half>(), tensor.as<Half>() + size, out, [](Half x) { return float(x); }); return;
    case DType::bf16:
      std::transform(tensor.as<BFloat16>(), tensor.as<BFloat16>() + size, out, [](BFloat16 x) { return float(x); });
      return;
    default: std::copy_n(tensor.as<float>(), size, out);
  }
}

void from_floats(const float* values, int64_t count, const Tensor& out) {
  switch (out.dtype) {
    case DType::f16: std::transform(values, values + count, out.as<Half>(), [](float x) { return Half(x); }); return;
    case DType::bf16:
      std::transform(values, values + count, out.as<BFloat16>(), [](float x) { return BFloat16(x); });
      return;
    default: std::copy_n(values, count, out.as<float>());
  }
}

}  // namespace ort_cpu
