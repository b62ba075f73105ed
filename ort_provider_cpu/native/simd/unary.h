// Element-wise functions of one float tensor.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// X(name, n_parameters) for each function; `alpha` and `beta` are the parameters in order.
#define ORT_CPU_UNARY_FUNCTIONS(X)                                                                                \
  X(abs, 0)                                                                                                       \
  X(neg, 0)                                                                                                       \
  X(sign, 0) X(ceil, 0) X(floor, 0) X(round, 0) X(sqrt, 0) X(reciprocal, 0) X(square, 0) X(cube, 0) X(exp, 0)     \
      X(log, 0) X(sin, 0) X(cos, 0) X(tan, 0) X(asin, 0) X(acos, 0) X(atan, 0) X(sinh, 0) X(cosh, 0) X(tanh, 0)   \
          X(asinh, 0) X(acosh, 0) X(atanh, 0) X(erf, 0) X(sigmoid, 0) X(relu, 0) X(leaky_relu, 1)                 \
              X(thresholded_relu, 1) X(elu, 1) X(selu, 2) X(celu, 1) X(hard_sigmoid, 2) X(hard_swish, 2)          \
                  X(softplus, 0) X(softsign, 0) X(mish, 0) X(gelu_erf, 0) X(gelu_tanh, 0) X(silu, 1) X(shrink, 2) \
                      X(clip, 2)

enum class Unary {
#define ORT_CPU_ENUMERATOR(name, parameters) name,
  ORT_CPU_UNARY_FUNCTIONS(ORT_CPU_ENUMERATOR)
#undef ORT_CPU_ENUMERATOR
      count
};
inline constexpr int kUnaryCount = static_cast<int>(Unary::count);

/// y[i] = f(x[i]) for i in [0, n); y may be x.
using UnaryLoop = void (*)(const float* x, float* y, int64_t n, float alpha, float beta);

struct UnaryTable {
  UnaryLoop loops[kUnaryCount];
  UnaryLoop loop(Unary function) const { return loops[static_cast<int>(function)]; }
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(UnaryTable, unary_table)
