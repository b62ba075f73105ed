// BroadcastLeading and AlignAttention: what fused operators need where the model cannot tell that their operands fit.
#include <cstring>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// How an operand becomes an output: as it is, or with some of its dimensions broadcast.
struct Expansion {
  Shape full;
  std::array<int64_t, kMaxRank> strides{};
  bool changes = false;

  /// Sets the type of output `index`, which is input `index` broadcast to `full`.
  Expansion(PlanContext& ctx, int index, const Shape& full)
      : full(full), strides(broadcast_strides(ctx.shape(index), full)), changes(!(full == ctx.shape(index))) {
    if (changes) ctx.output(index, ctx.dtype(index), full);
    else ctx.alias(index, index, full);
  }

  void run(const float* from, float* to) const {
    if (!changes || full.size() == 0) return;
    const int64_t size = full.back(), rows = full.size_to(full.rank() - 1);
    for (int64_t row = 0; row < rows; ++row) {
      int64_t rest = row, at = 0;
      for (int axis = full.rank() - 2; axis >= 0; --axis) {
        at += rest % full[axis] * strides[axis];
        rest /= full[axis];
      }
      std::memcpy(to + row * size, from + at, static_cast<size_t>(size) * sizeof(float));
    }
  }
};

class Aligning : public Kernel {
 public:
  Aligning(const NodeSpec& node, int n_inputs) {
    for (int i = 0; i < n_inputs; ++i) require(node.has_input(i), "input ", i, " is missing");
  }

  void run(RunContext& ctx) const override {
    const auto& expansions = ctx.state<std::vector<Expansion>>();
    for (int i = 0; i < static_cast<int>(expansions.size()); ++i)
      if (ctx.wants(i) && expansions[i].changes) expansions[i].run(ctx.input(i).as<float>(), ctx.output(i).as<float>());
  }
};

/// a', b' = a and b with all dimensions but the last broadcast to each other: the same memory where nothing changes.
/// a [..., K], b [..., N] -> a' [..., K], b' [..., N].
class BroadcastLeading : public Aligning {
 public:
  explicit BroadcastLeading(const NodeSpec& node) : Aligning(node, 2) {}

  void plan(PlanContext& ctx) const override {
    Shape rows[2];
    for (int i = 0; i < 2; ++i) {
      rows[i] = ctx.shape(i);
      require(rows[i].rank() >= 1, "operands must have at least one dimension");
      rows[i].erase(rows[i].rank() - 1);
    }
    const Shape all = broadcast(rows[0], rows[1]);
    std::vector<Expansion> expansions;
    for (int i = 0; i < 2; ++i) {
      Shape full = all;
      full.push_back(ctx.shape(i).back());
      expansions.emplace_back(ctx, i, full);
    }
    ctx.state(std::move(expansions));
  }
};

/// q', k', v' = q, k and v as FusedAttention needs them to give what the products and the sum with the mask would give:
/// batches broadcast to each other and to the mask's, and the rows of q to the mask's.
/// q [B, H, S, D] (q_layout "bhsd"), [B, S, H, D] or [B, S, H * D] ("bshd"); k, v [B, ...]; mask broadcastable to
/// [B, H, S, T].
class AlignAttention : public Aligning {
 public:
  explicit AlignAttention(const NodeSpec& node)
      : Aligning(node, 3), rows_axis_(node.attributes.text("q_layout", "bhsd") == "bshd" ? 1 : 2) {}

  void plan(PlanContext& ctx) const override {
    Shape batch{1}, rows{1};
    for (int i = 0; i < 3; ++i) {
      require(ctx.shape(i).rank() > rows_axis_, "operand ", i, " has shape ", ctx.shape(i),
              ", expected 3 or 4 dimensions");
      batch = broadcast(batch, Shape{ctx.shape(i)[0]});
    }
    rows[0] = ctx.shape(0)[rows_axis_];
    if (ctx.has_input(3)) {
      const Shape& mask = ctx.shape(3);
      require(mask.rank() <= 4, "the mask has shape ", mask, ", expected at most 4 dimensions");
      if (mask.rank() == 4) batch = broadcast(batch, Shape{mask[0]});
      if (mask.rank() >= 2) rows = broadcast(rows, Shape{mask.back(1)});
    }
    std::vector<Expansion> expansions;
    for (int i = 0; i < 3; ++i) {
      Shape full = ctx.shape(i);
      full[0] = batch[0];
      if (i == 0) full[rows_axis_] = rows[0];
      expansions.emplace_back(ctx, i, full);
    }
    ctx.state(std::move(expansions));
  }

 private:
  const int rows_axis_;
};

const Registration registration{
    {.op = "BroadcastLeading", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<BroadcastLeading>},
    {.op = "AlignAttention", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<AlignAttention>},
};

}  // namespace
}  // namespace ort_cpu
