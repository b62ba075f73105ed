// The element-wise functions of one tensor in double precision, and kernels that share the float ones.
#pragma once

#include <memory>

#include "engine/kernel.h"
#include "simd/unary.h"

namespace ort_cpu {

/// y[i] = f(x[i]) for i in [0, n); y may be x.
using DoubleLoop = void (*)(const double* x, double* y, int64_t n, double alpha, double beta);
DoubleLoop double_loop(simd::Unary function);

/// A kernel for float types that computes `kind`, with its parameters from the attributes `alpha` and `beta` (or, where
/// these are null, with the values given).
std::unique_ptr<Kernel> make_float_unary(const NodeSpec& node, simd::Unary kind, const char* alpha = nullptr,
                                         float alpha_value = 0, const char* beta = nullptr, float beta_value = 0);

}  // namespace ort_cpu
