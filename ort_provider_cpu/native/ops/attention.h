// The shapes and attributes of ONNX Attention, for its fast and its exact form.
#pragma once

#include <optional>

#include "engine/kernel.h"
#include "ops/attention_run.h"

namespace ort_cpu {

/// What the attributes of Attention say.
struct AttentionAttributes {
  int64_t q_heads, kv_heads;  // of inputs of rank 3
  std::optional<float> scale;
  float softcap;
  bool causal;
  int64_t left, right;  // windows, kUnboundedWindow where there is none
  int64_t qk_mode;
  DType precision;  // of Softmax; none: that of Q

  /// Raises InvalidArgument for values that Attention does not define.
  explicit AttentionAttributes(const Attributes& attributes);
};

/// Attention planned for one signature of inputs. Keys and values are the past ones followed by the new ones.
struct AttentionProblem {
  AttentionShapes shapes;  // K and V: of the tensors that are read
  int64_t past_keys = 0, new_keys = 0;
  float scale = 1;
  bool is_merged = false;  // Q, K, V and Y have rank 3
  HeadStrides new_k, new_v;
  int64_t mask_size = 0, mask_keys = 0;
  bool has_nonpad = false;

  /// Checks the inputs and sets the types of the outputs.
  AttentionProblem(PlanContext& ctx, const AttentionAttributes& attributes);

  /// The position of the first row, and the number of keys to see, of each item of the batch.
  void place(const RunContext& ctx, std::vector<int64_t>& positions, std::vector<int64_t>& limits) const;
  /// Writes present_key (`which` 0) or present_value (1) to `to`.
  void write_present(const RunContext& ctx, int which, void* to) const;
};

/// The mask as additions: 0 and -inf for booleans.
template <class C>
void mask_values(const Tensor& mask, C* out);

extern template void mask_values(const Tensor&, float*);
extern template void mask_values(const Tensor&, double*);

/// Attention in the input's own precision, with the output of scores and any precision of Softmax.
std::unique_ptr<Kernel> make_exact_attention(const NodeSpec& node);

}  // namespace ort_cpu
