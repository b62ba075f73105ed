// What LSTM, GRU and RNN share: attributes, checks, packing, the loop over time and its division among threads.
#pragma once

#include <cstring>
#include <optional>
#include <type_traits>

#include "engine/registry.h"
#include "ops/recurrent_activations.h"
#include "ops/recurrent_scan.h"

namespace ort_cpu {

/// A layer whose gates `Cell` computes. X [T, B, I] -> Y [T, D, B, H], Y_h [D, B, H], in LSTM Y_c [D, B, H].
///
/// Inputs: X, W, R, B, sequence_lens, initial_h, and in LSTM initial_c, P. With layout 1 the batch comes first.
template <class Cell>
class RecurrentLayer : public Kernel {
 public:
  explicit RecurrentLayer(const NodeSpec& node)
      : direction_(node.attributes.text("direction", "forward")),
        directions_(direction_ == "bidirectional" ? 2 : 1),
        batch_first_(node.attributes.integer("layout", 0) != 0),
        hidden_(node.attributes.integer("hidden_size", -1)),
        cell_(node, directions_),
        layout_(cell_.layout()) {
    require(direction_ == "forward" || direction_ == "reverse" || directions_ == 2, "direction is '", direction_,
            "', must be forward, reverse or bidirectional");
    pack_constants(node);
  }

  void plan(PlanContext& ctx) const override {
    RecurrentPlan plan = check(ctx);
    const DType dtype = ctx.dtype(0);
    const int64_t T = plan.steps, B = plan.batch, D = plan.directions, H = plan.hidden;
    const Shape state = batch_first_ ? Shape{B, D, H} : Shape{D, B, H};
    ctx.output(0, dtype, batch_first_ ? Shape{B, T, D, H} : Shape{T, D, B, H});
    ctx.output(1, dtype, state);
    if (Cell::kHasCellState) ctx.output(2, dtype, state);
    divide(plan, ctx.threads(), dtype);
    const size_t element = dtype == DType::f64 ? 8 : 4;
    const Shape scratch{plan.x_size + D * (plan.projected_size + 5 * plan.state_size)};
    ctx.scratch(static_cast<size_t>(scratch.size()) * element);
    ctx.state(plan);
  }

  void run(RunContext& ctx) const override {
    dispatch_float(ctx.input(0).dtype, [&]<class T>() { run_as<T>(ctx); });
  }

 private:
  void pack_constants(const NodeSpec& node) {
    const int peephole_input = 7;
    for (int i : {1, 2, 3, peephole_input})
      if (node.has_input(i) && node.constant(i) == nullptr) return;
    if (node.constant(1) == nullptr || node.constant(2) == nullptr) return;
    check_weights(node.constant(1)->shape, node.constant(2)->shape, shape_of(node.constant(3)),
                  shape_of(node.constant(peephole_input)));
    dispatch_float(node.dtype(0), [&]<class T>() {
      if constexpr (std::is_same_v<T, double>)
        packed_double_ = pack<T>(node.constant(1), node.constant(2), node.constant(3), node.constant(peephole_input));
      else packed_float_ = pack<T>(node.constant(1), node.constant(2), node.constant(3), node.constant(peephole_input));
    });
    for (int i : {1, 2, 3, peephole_input})
      if (node.has_input(i)) node.release_constant(i);
  }

  static const Shape* shape_of(const Tensor* tensor) { return tensor == nullptr ? nullptr : &tensor->shape; }

  template <class T>
  std::shared_ptr<const RecurrentWeights<compute_t<T>>> pack(const Tensor* w, const Tensor* r, const Tensor* b,
                                                             const Tensor* p) const {
    using A = compute_t<T>;
    return std::make_shared<const RecurrentWeights<A>>(pack_recurrent<T, A>(layout_, *w, *r, b, p));
  }

  void check_weights(const Shape& w, const Shape& r, const Shape* b, const Shape* p) const {
    require(w.rank() == 3 && r.rank() == 3, "W and R must have rank 3, got shapes ", w, " and ", r);
    const int64_t hidden = r[2], gates = layout_.gates;
    require(hidden_ < 0 || hidden_ == hidden, "hidden_size is ", hidden_, ", R has ", hidden);
    require(hidden <= int64_t{1} << 30, "a hidden size of ", hidden, " is too large");
    require(w[0] == directions_ && w[1] == gates * hidden, "W has shape ", w, ", expected [", directions_, ", ",
            gates * hidden, ", inputs]");
    require(r[0] == directions_ && r[1] == gates * hidden, "R has shape ", r, ", expected [", directions_, ", ",
            gates * hidden, ", ", hidden, "]");
    require(b == nullptr || *b == Shape{directions_, 2 * gates * hidden}, "B has the wrong shape, expected [",
            directions_, ", ", 2 * gates * hidden, "]");
    require(p == nullptr || *p == Shape{directions_, 3 * hidden}, "P has the wrong shape, expected [", directions_,
            ", ", 3 * hidden, "]");
  }

  RecurrentPlan check(PlanContext& ctx) const {
    const Shape& x = ctx.shape(0);
    const auto optional_shape = [&](int i) { return ctx.has_input(i) ? &ctx.shape(i) : nullptr; };
    require(x.rank() == 3, "X must have rank 3, got shape ", x);
    check_weights(ctx.shape(1), ctx.shape(2), optional_shape(3), optional_shape(7));
    RecurrentPlan plan;
    plan.steps = x[batch_first_ ? 1 : 0];
    plan.batch = x[batch_first_ ? 0 : 1];
    plan.input = x[2];
    plan.hidden = ctx.shape(2)[2];
    plan.directions = directions_;
    plan.batch_first = batch_first_;
    plan.units = (plan.hidden + kUnitGroup - 1) / kUnitGroup * kUnitGroup;
    plan.columns = plan.units * layout_.gates;
    require(ctx.shape(1)[2] == plan.input, "W has shape ", ctx.shape(1), ", X has ", plan.input, " features");
    if (ctx.has_input(4))
      require(ctx.shape(4) == Shape{plan.batch}, "sequence_lens has shape ", ctx.shape(4), ", the batch is ",
              plan.batch);
    const Shape state =
        batch_first_ ? Shape{plan.batch, directions_, plan.hidden} : Shape{directions_, plan.batch, plan.hidden};
    for (int i : {5, 6})
      if (ctx.has_input(i))
        require(ctx.shape(i) == state, "an initial state has shape ", ctx.shape(i), ", expected ", state);
    return plan;
  }

  void divide(RecurrentPlan& plan, int threads, DType dtype) const {
    const double B = static_cast<double>(plan.batch), weights = static_cast<double>(plan.columns) * plan.hidden;
    const double step_ns = weights * std::max(B / 100, 0.03) + B * plan.columns * 0.8;
    const double project_ns = static_cast<double>(plan.steps) * B * plan.columns * plan.input / 100;
    const double total_ns = (step_ns * plan.steps + project_ns) * plan.directions;
    const bool fits_cache = weights * 4 < 640e3;
    if (threads > 1 && total_ns > 20e3) {
      plan.parallel_projection = true;
      if (step_ns > 3e3 && !(plan.directions > 1 && fits_cache)) {
        plan.parallel_steps = true;
      } else if (plan.directions * plan.batch > 1) {
        plan.parts = plan.directions * static_cast<int>(std::clamp<int64_t>(threads / plan.directions, 1,
                                                                            std::max<int64_t>(1, plan.batch)));
      }
    }
    plan.directions_together = threads >= 2 * plan.directions;
    const int64_t row = Shape{plan.batch, plan.columns}.size();
    plan.chunk =
        std::clamp<int64_t>(row == 0 ? plan.steps : (int64_t{1} << 19) / row, 1, std::max<int64_t>(1, plan.steps));
    const auto padded = [](int64_t n) { return (n + 15) / 16 * 16; };
    plan.projected_size = Shape{plan.chunk, plan.batch, plan.columns}.size();
    plan.state_size = Shape{plan.batch, plan.units}.size();
    require(std::max(plan.projected_size, plan.state_size) <= int64_t{1} << 48, "a batch of ", plan.batch,
            " is too large");
    if (dtype == DType::f16 || dtype == DType::bf16)
      plan.x_size = padded(Shape{plan.steps, plan.batch, plan.input}.size());
  }

  template <class T>
  void run_as(RunContext& ctx) const {
    using A = compute_t<T>;
    const auto& plan = ctx.state<RecurrentPlan>();
    const auto optional_input = [&](int i) { return ctx.has_input(i) ? &ctx.input(i) : nullptr; };
    std::shared_ptr<const RecurrentWeights<A>> weights;
    if constexpr (std::is_same_v<A, double>) weights = packed_double_;
    else weights = packed_float_;
    if (weights == nullptr) weights = pack<T>(&ctx.input(1), &ctx.input(2), optional_input(3), optional_input(7));

    std::vector<int64_t> lengths;
    bool full = true;
    if (ctx.has_input(4)) {
      lengths = to_int64(ctx.input(4));
      for (int64_t length : lengths) {
        require(length >= 0 && length <= plan.steps, "a sequence length is ", length, ", must be in [0, ", plan.steps,
                "]");
        full = full && length == plan.steps;
      }
      if (!full && ctx.wants(0)) std::memset(ctx.output(0).data, 0, ctx.output(0).size_bytes());
    }

    A* scratch = ctx.scratch<A>();
    RecurrentBuffers<A> buffers;
    if constexpr (std::is_same_v<T, A>) {
      buffers.x = ctx.input(0).as<A>();
    } else {
      const auto x = ctx.input(0).elements<T>();
      std::copy(x.begin(), x.end(), scratch);
      buffers.x = scratch;
      scratch += plan.x_size;
    }
    for (int d = 0; d < plan.directions; ++d) {
      buffers.projected[d] = scratch;
      scratch += plan.projected_size;
      for (A** buffer : {&buffers.h[d][0], &buffers.h[d][1], &buffers.c[d], &buffers.z[d], &buffers.reset_h[d]}) {
        *buffer = scratch;
        scratch += plan.state_size;
      }
    }

    const RecurrentScan<T, Cell> scan(cell_, layout_, ctx, plan, *weights, buffers, full ? nullptr : lengths.data());
    const bool reverse = direction_ == "reverse";
    if (plan.parts > 1) {
      const int splits = plan.parts / plan.directions;
      ctx.parallel(plan.parts, [&](int part, int) {
        const int d = part / splits, split = part % splits;
        scan.run(d, d + 1, plan.batch * split / splits, plan.batch * (split + 1) / splits, reverse, false);
      });
    } else if (plan.directions_together) {
      scan.run(0, plan.directions, 0, plan.batch, reverse, true);
    } else {
      for (int d = 0; d < plan.directions; ++d) scan.run(d, d + 1, 0, plan.batch, reverse, true);
    }
  }

  const std::string direction_;
  const int directions_;
  const bool batch_first_;
  const int64_t hidden_;
  const Cell cell_;
  const RecurrentLayout layout_;
  std::shared_ptr<const RecurrentWeights<float>> packed_float_;
  std::shared_ptr<const RecurrentWeights<double>> packed_double_;
};

}  // namespace ort_cpu
