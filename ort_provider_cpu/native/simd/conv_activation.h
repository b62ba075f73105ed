// How convolutions apply activations: clamps in registers, the others in a pass over what a tile has just stored.
#pragma once

#include "simd/activate.h"
#include "simd/vec.h"

namespace {

/// Whether the activation is a maximum or a minimum with constants.
ORT_CPU_INLINE bool is_clamp(const ort_cpu::Activation& activation) {
  return activation.kind == ort_cpu::ActivationKind::relu || activation.kind == ort_cpu::ActivationKind::clip;
}

/// x -> min(max(x, low), high), where NaN stays NaN.
struct Clamp {
  Vec low, high;
  ORT_CPU_INLINE explicit Clamp(const ort_cpu::Activation& activation) {
    const bool clips = activation.kind == ort_cpu::ActivationKind::clip;
    low = set1(clips ? activation.alpha : 0.0f);
    high = set1(clips ? activation.beta : __builtin_inff());
  }
  ORT_CPU_INLINE Vec operator()(Vec x) const { return min(high, max(low, x)); }
};

template <ort_cpu::ActivationKind K>
void activate_floats(float* x, int n, Vec alpha, Vec beta) {
  for (int i = 0; i < n; i += kLanes) store(x + i, activate<K>(load(x + i), alpha, beta));
}

/// Applies the activation to `n` floats in place; `n` is a multiple of 16.
__attribute__((noinline, unused)) void activate_run(float* x, int n, const ort_cpu::Activation& activation) {
  using Kind = ort_cpu::ActivationKind;
  const Vec alpha = set1(activation.alpha), beta = set1(activation.beta);
  switch (activation.kind) {
    case Kind::none: return;
    case Kind::relu: return activate_floats<Kind::relu>(x, n, alpha, beta);
    case Kind::clip: return activate_floats<Kind::clip>(x, n, alpha, beta);
    case Kind::leaky_relu: return activate_floats<Kind::leaky_relu>(x, n, alpha, beta);
    case Kind::sigmoid: return activate_floats<Kind::sigmoid>(x, n, alpha, beta);
    case Kind::tanh: return activate_floats<Kind::tanh>(x, n, alpha, beta);
    case Kind::silu: return activate_floats<Kind::silu>(x, n, alpha, beta);
    case Kind::hard_sigmoid: return activate_floats<Kind::hard_sigmoid>(x, n, alpha, beta);
    case Kind::hard_swish: return activate_floats<Kind::hard_swish>(x, n, alpha, beta);
    case Kind::gelu_erf: return activate_floats<Kind::gelu_erf>(x, n, alpha, beta);
    case Kind::gelu_tanh: return activate_floats<Kind::gelu_tanh>(x, n, alpha, beta);
    case Kind::elu: return activate_floats<Kind::elu>(x, n, alpha, beta);
    case Kind::softplus: return activate_floats<Kind::softplus>(x, n, alpha, beta);
    case Kind::mish: return activate_floats<Kind::mish>(x, n, alpha, beta);
  }
}

}  // namespace
