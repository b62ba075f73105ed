// BroadcastLeading: what fused operators need before a sum whose operands the model cannot tell to be of one shape.
#include <cstring>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// a', b' = a and b with all dimensions but the last broadcast to each other: the same memory where nothing changes.
/// a [..., K], b [..., N] -> a' [..., K], b' [..., N].
class BroadcastLeading : public Kernel {
 public:
  void plan(PlanContext& ctx) const override {
    Shape rows[2];
    for (int i = 0; i < 2; ++i) {
      rows[i] = ctx.shape(i);
      require(rows[i].rank() >= 1, "operands must have at least one dimension");
      rows[i].erase(rows[i].rank() - 1);
    }
    const Shape all = broadcast(rows[0], rows[1]);
    State state;
    for (int i = 0; i < 2; ++i) {
      Shape full = all;
      full.push_back(ctx.shape(i).back());
      state.changes[i] = full != ctx.shape(i);
      state.strides[i] = broadcast_strides(ctx.shape(i), full);
      if (state.changes[i]) ctx.output(i, ctx.dtype(i), full);
      else ctx.alias(i, i, full);
    }
    ctx.state(state);
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    for (int i = 0; i < 2; ++i)
      if (state.changes[i] && ctx.wants(i)) copy(ctx.input(i).as<float>(), ctx.output(i), state.strides[i]);
  }

 private:
  struct State {
    bool changes[2] = {};
    std::array<std::array<int64_t, kMaxRank>, 2> strides{};
  };

  static void copy(const float* from, const Tensor& to, const std::array<int64_t, kMaxRank>& strides) {
    const Shape& shape = to.shape;
    if (shape.size() == 0) return;
    const int64_t size = shape.back(), rows = shape.size_to(shape.rank() - 1);
    for (int64_t row = 0; row < rows; ++row) {
      int64_t rest = row, at = 0;
      for (int axis = shape.rank() - 2; axis >= 0; --axis) {
        at += rest % shape[axis] * strides[axis];
        rest /= shape[axis];
      }
      std::memcpy(to.as<float>() + row * size, from + at, static_cast<size_t>(size) * sizeof(float));
    }
  }
};

std::unique_ptr<Kernel> make(const NodeSpec&) { return std::make_unique<BroadcastLeading>(); }

const Registration registration{
    {.op = "BroadcastLeading", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make},
};

}  // namespace
}  // namespace ort_cpu
