// BatchNormalization.
#include <cmath>
#include <vector>

#include "engine/registry.h"
#include "ops/norm_affine.h"
#include "ops/norm_moments.h"
#include "ops/norm_rows.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 1 << 15;

/// y = (x - mean) / sqrt(var + epsilon) * scale + B per channel. X [N, C, ...] or [N]; scale, B, mean, var [C] -> Y as
/// X.
///
/// In training mode mean and variance are those of X, and two more outputs are the input ones moved towards them.
class BatchNormalization : public Kernel {
 public:
  explicit BatchNormalization(const NodeSpec& node)
      : training_(node.attributes.integer("training_mode", 0) != 0),
        epsilon_(node.attributes.real("epsilon", 1e-5f)),
        momentum_(node.attributes.real("momentum", 0.9f)) {
    fold_constants(node);
  }

  struct State {
    int64_t images, channels, inner;
    ReduceLayout layout;  // of the statistics in training mode
  };

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 1, "an input [N, C, ...] is needed, got a scalar");
    const int64_t channels = x.rank() == 1 ? 1 : x[1];
    static constexpr const char* names[] = {"", "scale", "B", "input_mean", "input_var"};
    for (int i = 1; i <= 4; ++i)
      require(ctx.shape(i) == Shape{channels}, names[i], " has shape ", ctx.shape(i), ", expected [", channels, "]");
    State state{x[0], channels, x.rank() > 2 ? x.size_from(2) : 1, {}};
    std::array<bool, kMaxRank> is_reduced{};
    is_reduced.fill(true);
    if (x.rank() > 1) is_reduced[1] = false;
    if (training_) state.layout = ReduceLayout(x, is_reduced);
    ctx.output(0, ctx.dtype(0), x);
    ctx.output(1, ctx.dtype(3), {channels});
    ctx.output(2, ctx.dtype(3), {channels});
    if (!training_) ctx.may_overwrite(0, 0);
    if (folded_.empty() && (x.size() > 0 || training_))
      ctx.scratch(static_cast<size_t>(channels) * kParameters * sizeof(double));
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    if (ctx.input(0).size() == 0 && !training_) return;
    if (!folded_.empty()) {
      const float *mean = folded_.data(), *scale = mean + state.channels, *bias = scale + state.channels;
      apply<float>(ctx, state, mean, scale, bias);
      return;
    }
    dispatch_float(ctx.input(0).dtype, [&]<class T>() { run_as<T>(ctx, state); });
  }

 private:
  static constexpr int kParameters = 5;  // scale, bias, mean, variance, and the new mean or variance

  template <class T>
  void run_as(RunContext& ctx, const State& state) const {
    using C = compute_t<T>;
    const int64_t channels = state.channels;
    C* scale = ctx.scratch<C>();
    C *bias = scale + channels, *mean = bias + channels, *variance = mean + channels;
    load_elements(ctx.input(1), 0, channels, scale);
    load_elements(ctx.input(2), 0, channels, bias);
    load_elements(ctx.input(3), 0, channels, mean);
    load_elements(ctx.input(4), 0, channels, variance);
    if (training_) replace_statistics<T>(ctx, state, mean, variance, variance + channels);
    if (!ctx.wants(0) || ctx.input(0).size() == 0) return;
    for (int64_t c = 0; c < channels; ++c) scale[c] = static_cast<C>(factor(scale[c], variance[c]));
    apply<T>(ctx, state, mean, scale, bias);
  }

  double factor(double scale, double variance) const { return scale / std::sqrt(variance + epsilon_); }

  /// Prepares [mean, factor, bias] where all four vectors are constants of float32 and of equal size.
  void fold_constants(const NodeSpec& node) {
    const Tensor* constants[4];
    for (int i = 0; i < 4; ++i) {
      constants[i] = node.constant(i + 1);
      if (constants[i] == nullptr || constants[i]->dtype != DType::f32 || constants[i]->shape != constants[0]->shape)
        return;
    }
    if (training_ || node.dtype(0) != DType::f32 || constants[0]->shape.rank() != 1) return;
    const int64_t channels = constants[0]->size();
    folded_.resize(static_cast<size_t>(3 * channels));
    for (int64_t c = 0; c < channels; ++c) {
      folded_[c] = constants[2]->as<float>()[c];
      folded_[channels + c] = static_cast<float>(factor(constants[0]->as<float>()[c], constants[3]->as<float>()[c]));
      folded_[2 * channels + c] = constants[1]->as<float>()[c];
    }
    for (int i = 1; i <= 4; ++i) node.release_constant(i);
  }

  template <class T>
  static void apply(const RunContext& ctx, const State& state, const compute_t<T>* mean, const compute_t<T>* scale,
                    const compute_t<T>* bias) {
    const int64_t images = state.images, channels = state.channels, inner = state.inner;
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    if (inner == 1) {
      ctx.parallel_for(images, 1 + kGrain / channels, [&](int64_t first, int64_t last) {
        affine_columns(y + first * channels, x + first * channels, last - first, channels, mean, scale, bias);
      });
    } else {
      ctx.parallel_for(images * channels, 1 + kGrain / inner, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
          const int64_t c = i % channels;
          affine_row(y + i * inner, x + i * inner, inner, mean[c], scale[c], bias[c]);
        }
      });
    }
  }

  /// Writes the moved statistics and puts those of the input into `mean` and `variance`.
  template <class T>
  void replace_statistics(RunContext& ctx, const State& state, compute_t<T>* mean, compute_t<T>* variance,
                          compute_t<T>* moved) const {
    using C = compute_t<T>;
    const int64_t channels = state.channels;
    if (ctx.input(0).size() == 0) {
      std::fill_n(mean, 2 * channels, static_cast<C>(std::nan("")));
      for (int i = 1; i <= 2; ++i)
        if (ctx.wants(i)) store_elements(ctx.output(i), 0, channels, mean);
      return;
    }
    const T* x = ctx.input(0).as<T>();
    const double momentum = momentum_;
    const auto move = [&](C* from, const double* to, int64_t n) {
      for (int64_t j = 0; j < n; ++j)
        moved[j] = static_cast<C>(static_cast<double>(from[j]) * momentum + to[j] * (1 - momentum));
    };
    for (int64_t unit = 0; unit < MomentTile::count(state.layout); ++unit) {
      const MomentTile tile(state.layout, unit);
      Moments current;
      tile.moments(x, current);
      move(mean + tile.group, current.mean, tile.columns);
      if (ctx.wants(1)) store_elements(ctx.output(1), tile.group, tile.columns, moved);
      move(variance + tile.group, current.variance, tile.columns);
      if (ctx.wants(2)) store_elements(ctx.output(2), tile.group, tile.columns, moved);
      for (int64_t j = 0; j < tile.columns; ++j) {
        mean[tile.group + j] = static_cast<C>(current.mean[j]);
        variance[tile.group + j] = static_cast<C>(current.variance[j]);
      }
    }
  }

  const bool training_;
  const double epsilon_, momentum_;
  std::vector<float> folded_;
};

const Registration registration{
    {.op = "BatchNormalization", .inputs = {kFloats}, .make = make_kernel<BatchNormalization>},
};

}  // namespace
}  // namespace ort_cpu
