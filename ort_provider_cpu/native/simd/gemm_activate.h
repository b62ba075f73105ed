// Activations of matrix products that need more than bounds: a pass over a tile that has just been stored.
//
// Only for files of this folder; everything is in an anonymous namespace.
#pragma once

#include "simd/activate.h"
#include "simd/gemm_kernel.h"

namespace {

using ort_cpu::Activation;

/// Whether the microkernel leaves the activation to `activate_tile`.
ORT_CPU_INLINE bool needs_pass(ActivationKind kind) {
  return kind != ActivationKind::none && kind != ActivationKind::relu && kind != ActivationKind::clip;
}

template <ActivationKind K>
void activate_rows(const Activation& activation, float* c, int64_t ldc, int64_t rows, int64_t columns) {
  const Vec alpha = set1(activation.alpha), beta = set1(activation.beta);
  for (int64_t row = 0; row < rows; ++row) {
    float* x = c + row * ldc;
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) store(x + j, activate<K>(load(x + j), alpha, beta));
    const int rest = static_cast<int>(columns - j);
    if (rest > 0) store_some(x + j, activate<K>(load_some(x + j, rest), alpha, beta), rest);
  }
}

void activate_tile(const Activation& activation, float* c, int64_t ldc, int64_t rows, int64_t columns) {
  using Kind = ActivationKind;
  switch (activation.kind) {
    case Kind::none: return;
    case Kind::relu: return activate_rows<Kind::relu>(activation, c, ldc, rows, columns);
    case Kind::clip: return activate_rows<Kind::clip>(activation, c, ldc, rows, columns);
    case Kind::leaky_relu: return activate_rows<Kind::leaky_relu>(activation, c, ldc, rows, columns);
    case Kind::sigmoid: return activate_rows<Kind::sigmoid>(activation, c, ldc, rows, columns);
    case Kind::tanh: return activate_rows<Kind::tanh>(activation, c, ldc, rows, columns);
    case Kind::silu: return activate_rows<Kind::silu>(activation, c, ldc, rows, columns);
    case Kind::hard_sigmoid: return activate_rows<Kind::hard_sigmoid>(activation, c, ldc, rows, columns);
    case Kind::hard_swish: return activate_rows<Kind::hard_swish>(activation, c, ldc, rows, columns);
    case Kind::gelu_erf: return activate_rows<Kind::gelu_erf>(activation, c, ldc, rows, columns);
    case Kind::gelu_tanh: return activate_rows<Kind::gelu_tanh>(activation, c, ldc, rows, columns);
    case Kind::elu: return activate_rows<Kind::elu>(activation, c, ldc, rows, columns);
    case Kind::softplus: return activate_rows<Kind::softplus>(activation, c, ldc, rows, columns);
    case Kind::mish: return activate_rows<Kind::mish>(activation, c, ldc, rows, columns);
  }
}

}  // namespace
