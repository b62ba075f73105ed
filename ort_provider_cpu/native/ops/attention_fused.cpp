// FusedAttention: what exporters write as products, additions and Softmax, with the transpositions around them.
#include <cmath>

#include "engine/registry.h"
#include "ops/attention_run.h"

namespace ort_cpu {
namespace {

std::string layout_of(const NodeSpec& node, const char* attribute, bool may_be_transposed) {
  const std::string layout = node.attributes.text(attribute, "bhsd");
  require(layout == "bhsd" || layout == "bshd" || (may_be_transposed && layout == "bhds"), "the layout '", layout,
          "' of ", attribute, " is none of bhsd, bshd", may_be_transposed ? ", bhds" : "");
  return layout;
}

/// out = softmax(scale * Q K^T + mask) V, by head. Q [B, H, S, D], K [B, G, T, D], V [B, G, T, E], mask broadcastable
/// to [B, H, S, T] -> out [B, H, S, E]; query head h uses head h * G / H of K and V. A row that the mask leaves no key
/// is zero.
///
/// q_layout, k_layout, v_layout and out_layout say how the tensors lie: "bhsd" as above; "bshd" [B, S, H, D], or [B, S,
/// H * D] with num_heads and kv_num_heads; "bhds" [B, H, D, S] for K. An output in "bshd" has rank 3 unless out_rank
/// is 4.
class FusedAttention : public Kernel {
 public:
  explicit FusedAttention(const NodeSpec& node)
      : q_layout_(layout_of(node, "q_layout", false)),
        k_layout_(layout_of(node, "k_layout", true)),
        v_layout_(layout_of(node, "v_layout", false)),
        out_layout_(layout_of(node, "out_layout", false)),
        heads_(node.attributes.integer("num_heads", 0)),
        kv_heads_(node.attributes.integer("kv_num_heads", heads_)),
        out_rank_(node.attributes.integer("out_rank", out_layout_ == "bshd" ? 3 : 4)),
        has_scale_(node.attributes.has("scale")),
        scale_(node.attributes.real("scale", 0)) {
    require(out_rank_ == 4 || (out_rank_ == 3 && out_layout_ == "bshd"), "an output of rank ", out_rank_,
            " does not go with the layout '", out_layout_, "'");
  }

  void plan(PlanContext& ctx) const override {
    const HeadsTensor q("Q", ctx.shape(0), q_layout_, heads_), k("K", ctx.shape(1), k_layout_, kv_heads_),
        v("V", ctx.shape(2), v_layout_, kv_heads_);
    require(q.batch == k.batch && q.batch == v.batch && k.heads == v.heads && k.rows == v.rows && q.depth == k.depth,
            "Q ", ctx.shape(0), ", K ", ctx.shape(1), " and V ", ctx.shape(2), " do not fit");
    const bool heads_first = out_layout_ == "bhsd";
    const Shape shape = heads_first      ? Shape{q.batch, q.heads, q.rows, v.depth}
                        : out_rank_ == 4 ? Shape{q.batch, q.rows, q.heads, v.depth}
                                         : Shape{q.batch, q.rows, q.heads * v.depth};
    AttentionShapes shapes{.batch = q.batch,
                           .q_heads = q.heads,
                           .kv_heads = k.heads,
                           .rows = q.rows,
                           .keys = k.rows,
                           .depth = q.depth,
                           .value_depth = v.depth,
                           .q = q.strides,
                           .k = k.strides,
                           .v = v.strides,
                           .out = {},
                           .k_transposed = k.transposed};
    const bool is_empty = shape.size() == 0;
    if (!is_empty)
      shapes.out = heads_first ? HeadStrides::heads_first(q.heads, q.rows, v.depth)
                               : HeadStrides::rows_first(q.heads, q.rows, v.depth);
    const Shape scores{q.batch, q.heads, q.rows, k.rows};
    if (ctx.has_input(3) && scores.size() > 0) {
      require(ctx.shape(3).rank() <= 4 && broadcast(ctx.shape(3), scores) == scores, "the mask of shape ", ctx.shape(3),
              " does not broadcast to ", scores);
      const auto strides = broadcast_strides(ctx.shape(3), scores);
      shapes.mask_batch = strides[0], shapes.mask_head = strides[1], shapes.mask_row = strides[2],
      shapes.mask_key = strides[3];
    }
    ctx.output(0, DType::f32, shape);
    State state{AttentionPlan(shapes, ctx.threads()), std::vector<int64_t>(is_empty ? 0 : q.batch, 0),
                std::vector<int64_t>(is_empty ? 0 : q.batch, k.rows),
                has_scale_ ? scale_ : 1 / std::sqrt(static_cast<float>(std::max<int64_t>(q.depth, 1)))};
    if (state.plan.scratch_floats() > 0) ctx.scratch(static_cast<size_t>(state.plan.scratch_floats()) * sizeof(float));
    ctx.cost_ns(state.plan.cost_ns());
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    state.plan.run(ctx,
                   {.q = ctx.input(0).as<float>(),
                    .k = ctx.input(1).as<float>(),
                    .v = ctx.input(2).as<float>(),
                    .mask = ctx.has_input(3) ? ctx.input(3).as<float>() : nullptr,
                    .out = ctx.output(0).as<float>(),
                    .scale = state.scale,
                    .positions = state.positions.data(),
                    .key_limits = state.limits.data()},
                   ctx.scratch<float>());
  }

 private:
  struct State {
    AttentionPlan plan;
    std::vector<int64_t> positions, limits;
    float scale;
  };
  const std::string q_layout_, k_layout_, v_layout_, out_layout_;
  const int64_t heads_, kv_heads_, out_rank_;
  const bool has_scale_;
  const float scale_;
};

const Registration registration{
    {.op = "FusedAttention", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<FusedAttention>},
};

}  // namespace
}  // namespace ort_cpu
