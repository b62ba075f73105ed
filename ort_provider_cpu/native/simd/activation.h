// The activations that convolutions, matrix products and chains apply to their results before storing them.
#pragma once

namespace ort_cpu {

enum class ActivationKind {
  none,
  relu,
  clip,        // min(max(x, alpha), beta)
  leaky_relu,  // x < 0 ? alpha * x : x
  sigmoid,
  tanh,
  silu,          // x * sigmoid(alpha * x)
  hard_sigmoid,  // min(max(alpha * x + beta, 0), 1)
  hard_swish,    // x * hard_sigmoid(x)
  gelu_erf,
  gelu_tanh,
  elu,  // x < 0 ? alpha * (exp(x) - 1) : x
  softplus,
  mish,
};

struct Activation {
  ActivationKind kind = ActivationKind::none;
  float alpha = 0;
  float beta = 0;
};

}  // namespace ort_cpu
