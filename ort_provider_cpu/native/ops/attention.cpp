// Attention of float32, float16 and bfloat16, computed in float32; other forms go to `make_exact_attention`.
#include "ops/attention.h"

#include <utility>

#include "engine/registry.h"
#include "ops/gemm_operands.h"

namespace ort_cpu {
namespace {

/// Y = softmax(softcap(scale * Q K^T) + mask) V, by head, over past and new keys.
///
/// Q [B, H, S, D], K [B, G, T, D], V [B, G, T, E], or [B, S, H * D] and so on -> Y [B, H, S, E] or [B, S, H * E].
class Attention : public Kernel {
 public:
  explicit Attention(const NodeSpec& node) : attributes_(node.attributes) {}

  void plan(PlanContext& ctx) const override {
    State state{.problem = AttentionProblem(ctx, attributes_)};
    const AttentionProblem& problem = state.problem;
    const AttentionShapes& s = problem.shapes;
    state.plan = AttentionPlan(s, ctx.threads());
    FloatScratch scratch;
    scratch.take(state.plan.scratch_floats());
    const bool is_float = ctx.dtype(0) == DType::f32;
    const int64_t k_size = s.batch == 0 ? 0 : s.batch * s.kv_heads * s.keys * s.depth;
    const int64_t v_size = s.batch == 0 ? 0 : s.batch * s.kv_heads * s.keys * s.value_depth;
    if (ctx.has_input(4)) {
      if (!ctx.wants(1)) state.present_at[0] = scratch.take(k_size);
      if (!ctx.wants(2)) state.present_at[1] = scratch.take(v_size);
    }
    if (!is_float) {
      state.q_at = scratch.take(ctx.shape(0).size());
      state.k_at = scratch.take(k_size);
      state.v_at = scratch.take(v_size);
      state.y_at = scratch.take(ctx.shape(0).size() == 0 ? 0 : s.batch * s.q_heads * s.rows * s.value_depth);
    }
    if (problem.mask_size > 0 && ctx.dtype(3) != DType::f32) state.mask_at = scratch.take(problem.mask_size);
    if (scratch.bytes() > 0) ctx.scratch(scratch.bytes());
    ctx.cost_ns(state.plan.cost_ns());
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    const AttentionProblem& problem = state.problem;
    float* const scratch = ctx.scratch<float>();
    std::vector<int64_t> positions, limits;
    problem.place(ctx, positions, limits);
    // What attention reads: the inputs as they are, or the past joined with them.
    Tensor k = ctx.input(1), v = ctx.input(2);
    const bool has_past = ctx.has_input(4);
    join(ctx, problem, 0, has_past, state.present_at[0], k);
    join(ctx, problem, 1, has_past, state.present_at[1], v);
    if (problem.shapes.batch == 0 || !ctx.wants(0)) return;
    const Tensor& out = ctx.output(0);
    AttentionOperands operands{.q = floats_of(ctx.input(0), scratch, state.q_at),
                               .k = floats_of(k, scratch, state.k_at),
                               .v = floats_of(v, scratch, state.v_at),
                               .out = state.y_at < 0 ? out.as<float>() : scratch + state.y_at,
                               .scale = problem.scale,
                               .softcap = attributes_.softcap,
                               .left = attributes_.left,
                               .right = attributes_.right,
                               .positions = positions.data(),
                               .key_limits = limits.data()};
    if (problem.mask_size > 0) {
      operands.mask = ctx.input(3).as<float>();
      if (state.mask_at >= 0) {
        mask_values(ctx.input(3), scratch + state.mask_at);
        operands.mask = scratch + state.mask_at;
      }
    }
    state.plan.run(ctx, operands, scratch);
    if (state.y_at >= 0) from_floats(scratch + state.y_at, out.size(), out);
  }

 private:
  struct State {
    AttentionProblem problem;
    AttentionPlan plan = {};
    /// Offsets into the scratch, -1 where it is not needed.
    int64_t present_at[2] = {-1, -1};
    int64_t q_at = -1, k_at = -1, v_at = -1, y_at = -1, mask_at = -1;
  };

  /// Writes the present keys (`which` 0) or values (1), and lets `tensor` be them where there is a past.
  static void join(const RunContext& ctx, const AttentionProblem& problem, int which, bool has_past, int64_t scratch_at,
                   Tensor& tensor) {
    const int output = 1 + which;
    const AttentionShapes& s = problem.shapes;
    if (!ctx.wants(output) && (!has_past || s.batch == 0)) return;
    void* const to = ctx.wants(output) ? ctx.output(output).data : ctx.scratch<float>() + scratch_at;
    problem.write_present(ctx, which, to);
    if (!has_past) return;
    tensor = {to, tensor.dtype, {s.batch, s.kv_heads, s.keys, which == 0 ? s.depth : s.value_depth}};
  }

  static const float* floats_of(const Tensor& tensor, float* scratch, int64_t offset) {
    if (offset < 0) return tensor.as<float>();
    to_floats(tensor, scratch + offset);
    return scratch + offset;
  }

  const AttentionAttributes attributes_;
};

std::unique_ptr<Kernel> make_attention(const NodeSpec& node) {
  const bool wants_scores = node.outputs.size() > 3 && node.outputs[3] != DType::none;
  const auto precision = static_cast<DType>(node.attributes.integer("softmax_precision", 0));
  const bool is_coarser = precision == DType::f16 || precision == DType::bf16;
  if (node.dtype(0) == DType::f64 || node.dtype(2) != node.dtype(0) || wants_scores ||
      (is_coarser && precision != node.dtype(0)))
    return make_exact_attention(node);
  return std::make_unique<Attention>(node);
}

std::optional<std::string> declines(const NodeSpec& node) {
  for (const auto& [i, like] : {std::pair(1, 0), std::pair(4, 0), std::pair(5, 2)})
    if (node.has_input(i) && node.dtype(i) != node.dtype(like))
      return message("input ", i, " is ", name_of(node.dtype(i)), ", input ", like, " is ", name_of(node.dtype(like)),
                     ": they must have one type");
  return std::nullopt;
}

const Registration registration{
    {.op = "Attention",
     .inputs = {kFloats, kFloats, kFloats, kNumbers | kBool, kFloats, kFloats, {DType::i64}},
     .make = make_attention,
     .declines = declines},
};

}  // namespace
}  // namespace ort_cpu
