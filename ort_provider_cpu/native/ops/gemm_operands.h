// Operands of float matrix products: 16-bit floats as float32.
#pragma once

#include "engine/kernel.h"
#include "ops/gemm.h"

namespace ort_cpu {

/// The elements of a float32, float16 or bfloat16 tensor as float32.
void to_floats(const Tensor& tensor, float* out);
/// Rounds `count` values to the elements of a float32, float16 or bfloat16 tensor.
void from_floats(const float* values, int64_t count, const Tensor& out);

/// The float32, float16 or bfloat16 elements of a constant as float32, in pieces.
FloatPieces float_pieces(Constant& constant);

/// Hands out parts of a block of scratch floats, each aligned to a cache line.
class FloatScratch {
 public:
  /// The offset of `count` floats.
  int64_t take(int64_t count) {
    const int64_t offset = size_;
    size_ += (count + 15) / 16 * 16;
    return offset;
  }
  size_t bytes() const { return static_cast<size_t>(size_) * sizeof(float); }

 private:
  int64_t size_ = 0;
};

}  // namespace ort_cpu
