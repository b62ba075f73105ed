// MatMul and Gemm of float64 and of integers.
#pragma once

#include <memory>

#include "engine/kernel.h"

namespace ort_cpu {

/// Whether products of the type are computed in float32.
constexpr bool is_float_product(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16; }

std::unique_ptr<Kernel> make_other_matmul(const NodeSpec& node);
std::unique_ptr<Kernel> make_other_gemm(const NodeSpec& node);

}  // namespace ort_cpu
