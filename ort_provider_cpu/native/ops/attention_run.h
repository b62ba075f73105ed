// Attention over all heads of a batch of float32, in parallel, for tensors of any layout.
#pragma once

#include "engine/kernel.h"
#include "simd/attention.h"

namespace ort_cpu {

/// Stands for a window without a bound.
inline constexpr int64_t kUnboundedWindow = int64_t{1} << 40;

/// Where the matrix of each head begins, and how far apart its rows are, in elements.
struct HeadStrides {
  int64_t batch = 0, head = 0, row = 0;

  /// Of [B, heads, rows, depth].
  static HeadStrides heads_first(int64_t heads, int64_t rows, int64_t depth) {
    return {heads * rows * depth, rows * depth, depth};
  }
  /// Of [B, rows, heads, depth].
  static HeadStrides rows_first(int64_t heads, int64_t rows, int64_t depth) {
    return {heads * rows * depth, depth, heads * depth};
  }
};

/// A tensor of heads: [B, H, S, D] ("bhsd"), [B, S, H, D] or [B, S, H * D] ("bshd"), or [B, H, D, S] ("bhds").
struct HeadsTensor {
  int64_t batch, heads, rows, depth;
  HeadStrides strides;
  bool transposed = false;

  /// `merged_heads` is the number of heads of a tensor of rank 3. Raises InvalidArgument for shapes that do not fit.
  HeadsTensor(const char* name, const Shape& shape, const std::string& layout, int64_t merged_heads);
};

/// The sizes and layouts of an attention.
struct AttentionShapes {
  int64_t batch = 0, q_heads = 0, kv_heads = 1, rows = 0, keys = 0, depth = 0, value_depth = 0;
  HeadStrides q, k, v, out;
  bool k_transposed = false;  // heads of K are [depth, keys]
  /// Strides of the mask over batch, heads, rows and keys.
  int64_t mask_batch = 0, mask_head = 0, mask_row = 0, mask_key = 0;
};

/// What one run computes with.
struct AttentionOperands {
  const float *q, *k, *v;
  const float* mask = nullptr;
  float* out;
  float scale = 1, softcap = 0;
  /// Keys that a row sees to the left and to the right of its position.
  int64_t left = kUnboundedWindow, right = kUnboundedWindow;
  /// The position of the first row and the number of keys to see, of each item of the batch.
  const int64_t* positions;
  const int64_t* key_limits;
};

/// How the work is cut, for one set of shapes.
class AttentionPlan {
 public:
  AttentionPlan() = default;
  /// Raises InvalidArgument unless the heads of Q are a multiple of those of K and V.
  AttentionPlan(const AttentionShapes& shapes, int threads);
  const AttentionShapes& shapes() const { return shapes_; }
  int64_t scratch_floats() const { return chunk_floats_ * chunks_; }
  double cost_ns() const { return cost_ns_; }
  void run(const RunContext& ctx, const AttentionOperands& operands, float* scratch) const;

 private:
  void run_task(int64_t task, const AttentionOperands& operands, float* scratch) const;

  AttentionShapes shapes_;
  bool grouped_ = false;  // the heads of a group are the rows of one task
  int64_t tasks_ = 0, row_blocks_ = 1, heads_ = 0;
  int chunks_ = 1;
  int64_t chunk_floats_ = 0;
  double cost_ns_ = 0;
};

}  // namespace ort_cpu
