// Element-wise functions of two and three float tensors.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// `max` and `min` give NaN if either is; `prelu` is a < 0 ? a * b : a; `_relu` applies max(0, .) to the result;
/// `mul_silu` is a * sigmoid(a) * b, `mul_sigmoid` a * sigmoid(b).
#define ORT_CPU_BINARY_FUNCTIONS(X) \
  X(add) X(sub) X(mul) X(div) X(max) X(min) X(pow) X(prelu) X(add_relu) X(mul_relu) X(mul_silu) X(mul_sigmoid)

enum class Binary {
#define ORT_CPU_ENUMERATOR(name) name,
  ORT_CPU_BINARY_FUNCTIONS(ORT_CPU_ENUMERATOR)
#undef ORT_CPU_ENUMERATOR
      count
};
/// Comparisons; the others are these with their operands swapped, or their negation where nothing is NaN.
enum class Compare { equal, less, less_or_equal, count };

/// `mul_add` is a * b + c, `mul_sub` a * b - c, `sub_mul` c - a * b, each in one rounding where the processor has it;
/// `add_mul` is (a + b) * c; `select` is c wherever a is 0, b elsewhere.
#define ORT_CPU_TERNARY_FUNCTIONS(X) X(mul_add) X(mul_sub) X(sub_mul) X(add_mul) X(select)

enum class Ternary {
#define ORT_CPU_ENUMERATOR(name) name,
  ORT_CPU_TERNARY_FUNCTIONS(ORT_CPU_ENUMERATOR)
#undef ORT_CPU_ENUMERATOR
      count
};

/// y[i] = f(a[i * a_step], b[i * b_step]) for i in [0, n), with steps 0 or 1; y may be a or b.
using BinaryLoop = void (*)(const void* a, const void* b, void* y, int64_t n, int a_step, int b_step);
/// y[i] = f(a[i * a_step], b[i * b_step], c[i * c_step]).
using TernaryLoop = void (*)(const float* a, const float* b, const float* c, float* y, int64_t n, int a_step,
                             int b_step, int c_step);

struct BinaryTable {
  BinaryLoop binary[static_cast<int>(Binary::count)];
  /// To bytes: 1 where the comparison holds.
  BinaryLoop compare[static_cast<int>(Compare::count)];
  TernaryLoop ternary[static_cast<int>(Ternary::count)];

  BinaryLoop loop(Binary function) const { return binary[static_cast<int>(function)]; }
  BinaryLoop loop(Compare comparison) const { return compare[static_cast<int>(comparison)]; }
  TernaryLoop loop(Ternary function) const { return ternary[static_cast<int>(function)]; }
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(BinaryTable, binary_table)
