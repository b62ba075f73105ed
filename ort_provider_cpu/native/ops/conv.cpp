// Conv over plain tensors.
#include "engine/registry.h"
#include "ops/conv_blocked.h"
#include "ops/conv_plane.h"

namespace ort_cpu {
namespace {

/// y[n, o, p] = b[o] + sum over i, k of x[n, g(o) + i, p * stride + k * dilation - pad] * w[o, i, k].
/// x [N, C, spatial...], w [OC, C / group, kernel...], b [OC] -> y [N, OC, spatial...].
template <class T>
class Conv : public Kernel {
 public:
  using Compute = compute_t<T>;

  explicit Conv(const NodeSpec& node) : attributes_(node.attributes) {
    const Tensor* weights = node.constant(1);
    if (std::is_same_v<T, Compute> || weights == nullptr) return;
    widened_.assign(weights->as<T>(), weights->as<T>() + weights->size());
    node.release_constant(1);
  }

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 3, "the input has shape ", x, ", at least rank 3 is needed");
    State state{conv_geometry(attributes_, x[0], x[1], x.dims().subspan(2), ctx.shape(1)), {}, {}, 0, 0};
    const ConvGeometry& g = state.geometry;
    if (ctx.has_input(2)) check_conv_bias(ctx.shape(2), g.out_channels);
    Shape y{g.batch, g.out_channels};
    for (const int64_t dim : g.out_dims()) y.push_back(dim);
    ctx.output(0, ctx.dtype(0), y);
    if (y.size() == 0) return;

    std::array<std::vector<int64_t>, 3> phases;
    for (int d = 0; d < 3; ++d) {
      for (int64_t k = 0; k < g.kernel[d]; ++k) {
        const int64_t phase = k * g.dilation[d] % g.stride[d];
        if (std::find(phases[d].begin(), phases[d].end(), phase) == phases[d].end()) phases[d].push_back(phase);
      }
      CopyAxis& axis = state.copy.axes[d];
      for (const int64_t phase : phases[d]) axis.starts.push_back(phase - g.pad[d]);
      axis.step = g.stride[d];
      axis.count = checked_add(g.out[d], (g.kernel[d] - 1) * g.dilation[d] / g.stride[d]);
      axis.size = g.in[d];
    }
    const int64_t channel = state.copy.channel_size();
    state.copy_elements = checked_add(checked_multiply(channel, g.in_channels), kPlaneSlack);
    Dims3 k{};
    for (int64_t i = 0; i < g.in_depth(); ++i)
      for (k[0] = 0; k[0] < g.kernel[0]; ++k[0])
        for (k[1] = 0; k[1] < g.kernel[1]; ++k[1])
          for (k[2] = 0; k[2] < g.kernel[2]; ++k[2]) {
            Dims3 start{}, index{};
            for (int d = 0; d < 3; ++d) {
              const int64_t reach = k[d] * g.dilation[d];
              start[d] = std::find(phases[d].begin(), phases[d].end(), reach % g.stride[d]) - phases[d].begin();
              index[d] = reach / g.stride[d];
            }
            state.rows.push_back(i * channel + state.copy.offset(start, index));
          }
    if (!std::is_same_v<T, Compute>) {
      const int64_t weights = widened_.empty() ? ctx.shape(1).size() : 0;
      state.converted_elements = checked_add(weights, g.out_channels);
    }
    ctx.scratch(
        checked_size_bytes(DTypeOf<Compute>::value, Shape{checked_add(state.copy_elements, state.converted_elements)}));
    ctx.cost_ns(g.products() / 10);
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    if (ctx.output(0).size() == 0) return;
    const State& state = ctx.state<State>();
    const ConvGeometry& g = state.geometry;
    const int threads = useful_threads(g.products(), ctx.threads());
    const int64_t channel = state.copy.channel_size();
    Compute* copy = ctx.scratch<Compute>();
    PlanePart<Compute> part{.rows = state.rows, .width = g.out[2]};
    PlaneWork<Compute> work{.groups = g.group,
                            .parts = {&part, 1},
                            .out_rows = g.out_depth(),
                            .input = copy,
                            .input_group = g.in_depth() * channel,
                            .depth = g.out[0],
                            .height = g.out[1],
                            .pitch = {state.copy.axes[1].count, state.copy.axes[2].count},
                            .y_row = g.out_pixels(),
                            .y_stride = {g.out[1] * g.out[2], g.out[2], 1}};
    set_operands(ctx, copy + state.copy_elements, part.weights, work.bias);
    std::fill_n(copy + state.copy_elements - kPlaneSlack, kPlaneSlack, Compute(0));
    for (int64_t n = 0; n < g.batch; ++n) {
      const T* x = ctx.input(0).as<T>() + n * g.in_channels * g.in_pixels();
      ctx.parallel_for(g.in_channels, std::max<int64_t>(1, 16384 / std::max<int64_t>(channel, 1)),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t c = begin; c < end; ++c)
                           state.copy.copy_channel(x + c * g.in_pixels(), copy + c * channel);
                       });
      run_plane_work(ctx, threads, work, ctx.output(0).as<T>() + n * g.out_channels * g.out_pixels());
    }
  }

 private:
  struct State {
    ConvGeometry geometry;
    PaddedPlanes copy;
    std::vector<int64_t> rows;
    int64_t copy_elements, converted_elements;
  };

  /// Points at weights and bias, converted into `converted` first where they are 16 bits wide.
  void set_operands(const RunContext& ctx, Compute* converted, const Compute*& weights, const Compute*& bias) const {
    const bool has_bias = ctx.has_input(2);
    if constexpr (std::is_same_v<T, Compute>) {
      weights = ctx.input(1).as<T>();
      bias = has_bias ? ctx.input(2).as<T>() : nullptr;
    } else {
      weights = widened_.data();
      if (widened_.empty()) {
        weights = converted;
        converted = std::copy_n(ctx.input(1).as<T>(), ctx.input(1).size(), converted);
      }
      if (!has_bias) return;
      bias = converted;
      std::copy_n(ctx.input(2).as<T>(), ctx.input(2).size(), converted);
    }
  }

  ConvAttributes attributes_;
  std::vector<Compute> widened_;  // constant weights of 16 bits
};

std::unique_ptr<Kernel> make_conv(const NodeSpec& node) {
  return dispatch_float(node.dtype(0),
                        [&]<class T>() -> std::unique_ptr<Kernel> { return std::make_unique<Conv<T>>(node); });
}

const Registration registration{
    {.op = "Conv", .inputs = {kFloats}, .make = make_conv},
};

}  // namespace
}  // namespace ort_cpu
