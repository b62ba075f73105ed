// Attention of one head of float32, block by block of keys; and rotations of position embeddings.
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// out[r, :] = softmax_t(softcap(scale * q[r, :] . k[t, :]) + mask[r, t]) v[t, :], over the keys that row r may see.
///
/// A row that sees no key, or only keys whose mask is -inf, gives zeros.
struct AttentionHead {
  int64_t rows, keys, depth, value_depth;
  const float* q;
  int64_t q_stride;
  /// Key t is at k[t * k_stride + d], or at k[d * k_stride + t] if `k_transposed`.
  const float* k;
  int64_t k_stride;
  bool k_transposed;
  const float* v;
  int64_t v_stride;
  float* out;
  int64_t out_stride;
  const float* mask;  // mask[r * mask_row + t * mask_column], or null
  int64_t mask_row, mask_column;
  /// Row r is at position p = position + r * position_step and sees keys p - left .. p + right below `key_limit`.
  int64_t position, position_step;
  int64_t left, right;
  int64_t key_limit;
  float scale;
  float softcap;  // 0: none
};

struct AttentionTable {
  /// Scratch floats that `attend` needs for heads of these sizes.
  int64_t (*scratch_floats)(int64_t rows, int64_t keys, int64_t depth, int64_t value_depth);
  void (*attend)(const AttentionHead& head, float* scratch);
  /// Rotates pairs (x1, x2) of `half` numbers each to (x1 cos - x2 sin, x1 sin + x2 cos). The pairs are the two halves
  /// of x, or neighbours if `interleaved`.
  void (*rotate)(const float* x, const float* cosine, const float* sine, int64_t half, bool interleaved, float* out);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(AttentionTable, attention_table)
