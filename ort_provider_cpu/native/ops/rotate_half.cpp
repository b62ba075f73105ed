// RotateHalf: rotary position embedding of heads whose halves are rotated against each other.
#include "simd/rotary.h"

#include "engine/registry.h"

namespace ort_cpu {
namespace {

constexpr int kOuter = 3;
/// Elements that are worth a chunk of their own.
constexpr int64_t kGrain = 1 << 14;

/// y = x * cos + concat(-x2, x1) * sin with x = concat(x1, x2) along the last axis.
/// x [B, H, S, D] (x_layout "bhsd") or [B, S, H * D] ("bshd", with num_heads); cos, sin broadcast to
/// [B, H, S, D] -> y [B, H, S, D].
class RotateHalf : public Kernel {
 public:
  explicit RotateHalf(const NodeSpec& node)
      : joined_(node.attributes.text("x_layout", "bhsd") == "bshd"), heads_(node.attributes.integer("num_heads", 0)) {
    require(joined_ || node.attributes.text("x_layout", "bhsd") == "bhsd", "x_layout must be bhsd or bshd");
    for (int i = 0; i < 3; ++i) require(node.has_input(i), "input ", i, " is missing");
    require(!joined_ || heads_ > 0, "num_heads must be positive, got ", heads_);
  }

  void plan(PlanContext& ctx) const override {
    State state;
    Shape full = heads_of(ctx.shape(0));
    const int64_t size = full.back();
    require(size % 2 == 0, "the last dimension of x must be even, got ", size);
    for (int i = 0; i < kOuter; ++i) state.strides[0][i] = full[i] == 1 ? 0 : x_stride(full, i);
    for (int input = 1; input <= 2; ++input) {
      const Shape& shape = ctx.shape(input);
      require(shape.rank() >= 1 && shape.rank() <= kOuter + 1 && shape.back() == size, input == 1 ? "cos" : "sin",
              " of shape ", shape, " does not fit x of shape ", ctx.shape(0));
      for (int i = 1; i < shape.rank(); ++i) {
        int64_t& dim = full[kOuter - i];
        require(dim == shape.back(i) || dim == 1 || shape.back(i) == 1, input == 1 ? "cos" : "sin", " of shape ", shape,
                " does not broadcast to x of shape ", ctx.shape(0));
        if (dim == 1) dim = shape.back(i);
      }
    }
    for (int input = 1; input <= 2; ++input) state.strides[input] = broadcast_strides(ctx.shape(input), full);
    state.shape = full;
    state.rows = full.size() == 0 ? 0 : full.size_to(kOuter);
    ctx.output(0, DType::f32, full);
    if (!joined_ && full == ctx.shape(0)) ctx.may_overwrite(0, 0);
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    if (state.rows == 0) return;
    const float* const inputs[] = {ctx.input(0).as<float>(), ctx.input(1).as<float>(), ctx.input(2).as<float>()};
    float* const y = ctx.output(0).as<float>();
    const int64_t size = state.shape.back();
    const auto rotate = simd::rotary_table().rotate_half;
    ctx.parallel_for(state.rows, 1 + kGrain / size, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const int64_t at[kOuter] = {row / (state.shape[1] * state.shape[2]), row / state.shape[2] % state.shape[1],
                                    row % state.shape[2]};
        const float* rows[3];
        for (int i = 0; i < 3; ++i)
          rows[i] = inputs[i] + at[0] * state.strides[i][0] + at[1] * state.strides[i][1] + at[2] * state.strides[i][2];
        rotate(y + row * size, rows[0], rows[1], rows[2], size / 2);
      }
    });
  }

 private:
  struct State {
    Shape shape;  // [B, H, S, D] of y
    int64_t rows = 0;
    std::array<std::array<int64_t, kMaxRank>, 3> strides{};  // of x, cos and sin
  };

  /// The shape of x as [B, H, S, D].
  Shape heads_of(const Shape& x) const {
    if (!joined_) {
      require(x.rank() == kOuter + 1, "x must have 4 dimensions, got shape ", x);
      return x;
    }
    require(x.rank() == kOuter && x.back() % heads_ == 0, "x of shape ", x, " is not [B, S, ", heads_, " * D]");
    return {x[0], heads_, x[1], x[2] / heads_};
  }

  int64_t x_stride(const Shape& full, int axis) const {
    if (!joined_) return full.size_from(axis + 1);
    return axis == 0 ? full[1] * full[2] * full[3] : axis == 1 ? full[3] : full[1] * full[3];
  }

  const bool joined_;
  const int64_t heads_;
};

const Registration registration{
    {.op = "RotateHalf", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<RotateHalf>},
};

}  // namespace
}  // namespace ort_cpu
