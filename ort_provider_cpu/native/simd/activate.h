// `activate`: the activation functions on registers, chosen at compile time. Only for files of this folder.
#pragma once

#include "simd/activation.h"
#include "simd/math.h"

namespace {

/// Applies activation `K`; `alpha` and `beta` hold its parameters where it has any. NaN gives NaN.
template <ort_cpu::ActivationKind K>
ORT_CPU_INLINE Vec activate(Vec x, [[maybe_unused]] Vec alpha, [[maybe_unused]] Vec beta) {
  using Kind = ort_cpu::ActivationKind;
  const Vec zero = {};
  if constexpr (K == Kind::relu) {
    return larger(zero, x);
  } else if constexpr (K == Kind::clip) {
    return smaller(beta, larger(alpha, x));
  } else if constexpr (K == Kind::leaky_relu) {
    return x < zero ? alpha * x : x;
  } else if constexpr (K == Kind::sigmoid) {
    return sigmoid(x);
  } else if constexpr (K == Kind::tanh) {
    return tanh(x);
  } else if constexpr (K == Kind::silu) {
    return silu(x, alpha);
  } else if constexpr (K == Kind::hard_sigmoid) {
    return smaller(set1(1.f), larger(zero, fma(alpha, x, beta)));
  } else if constexpr (K == Kind::hard_swish) {
    return x * smaller(set1(1.f), larger(zero, fma(alpha, x, beta)));
  } else if constexpr (K == Kind::gelu_erf) {
    return gelu_erf(x);
  } else if constexpr (K == Kind::gelu_tanh) {
    return gelu_tanh(x);
  } else if constexpr (K == Kind::elu) {
    return x < zero ? alpha * expm1_negative(x) : x;
  } else if constexpr (K == Kind::softplus) {
    return softplus(x);
  } else if constexpr (K == Kind::mish) {
    return mish(x);
  } else {
    static_assert(K == Kind::none);
    return x;
  }
}

}  // namespace
