#include "ops/activation.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ort_cpu {

Activation activation_of(const Attributes& attributes, const std::string& prefix) {
  // In the order of `ActivationKind`.
  static constexpr std::array<std::string_view, 14> kNames{
      "none",         "relu",       "clip",     "leaky_relu", "sigmoid", "tanh",     "silu",
      "hard_sigmoid", "hard_swish", "gelu_erf", "gelu_tanh",  "elu",     "softplus", "mish"};
  const std::string name = attributes.text("activation", "none");
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  require(found != kNames.end(), "there is no activation '", name, "'");
  return {static_cast<ActivationKind>(found - kNames.begin()), attributes.real(prefix + "alpha", 0),
          attributes.real(prefix + "beta", 0)};
}

}  // namespace ort_cpu
