// `BinaryKernel`: what element-wise operators of two tensors share.
#pragma once

#include <optional>

#include "ops/elementwise.h"
#include "simd/binary_types.h"

namespace ort_cpu {

/// How an operator of two tensors of one type is computed.
struct BinaryFunction {
  /// On elements of the inputs' type; on floats where that is a 16-bit float.
  simd::BinaryLoop loop = nullptr;
  /// The operands change places.
  bool swapped = false;
  /// The output is bool, not the inputs' type.
  bool answers = false;
  /// B must not have zeros.
  bool divides = false;
  double ns_per_element = 0.4;
};

/// Y = f(A, B), broadcast to each other.
class BinaryKernel : public Kernel {
 public:
  explicit BinaryKernel(BinaryFunction function) : function_(function) {}
  void plan(PlanContext& ctx) const override;
  void run(RunContext& ctx) const override;

 private:
  const BinaryFunction function_;
};

/// The type's place in the tables of `simd::BinaryTypesTable`; nullopt for float, 16-bit floats and what is no number.
std::optional<simd::Element> element_of(DType type);

/// The loop for a type: of floats for 16-bit floats, of bytes for bool.
simd::BinaryLoop arithmetic_loop(DType type, simd::Arithmetic function);
simd::BinaryLoop compare_loop(DType type, simd::Compare comparison);

/// Calls `loop` on 16-bit floats that are converted to float and, unless `answers`, back.
void narrow_binary(DType type, simd::BinaryLoop loop, bool answers, const void* a, const void* b, void* y, int64_t n,
                   int a_step, int b_step);

}  // namespace ort_cpu
