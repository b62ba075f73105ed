// LayerNormalization, RMSNormalization, and both of a sum (`ort.cpu::SkipLayerNormalization`).
#include <cmath>

#include "engine/registry.h"
#include "ops/norm_rows.h"
#include "simd/norm.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 1 << 14;

void normalize(const simd::NormRows& rows) { simd::norm_table().normalize_rows(rows); }

/// One row in double, as `simd::NormRows` says.
struct DoubleRow {
  const double *x, *residual, *pre_bias, *scale, *bias;
  double *y, *mean, *inverse;
  int64_t n;
  double epsilon;
  bool rms;

  void normalize() const {
    const double count = static_cast<double>(n);
    double total = 0, squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      y[i] = x[i] + (residual ? residual[i] : 0) + (pre_bias ? pre_bias[i] : 0);
      total += y[i];
    }
    *mean = rms ? 0 : total / count;
    for (int64_t i = 0; i < n; ++i) squares += (y[i] - *mean) * (y[i] - *mean);
    *inverse = 1 / std::sqrt(squares / count + epsilon);
  }
  void apply() const {
    for (int64_t i = 0; i < n; ++i) y[i] = (y[i] - *mean) * *inverse * (scale ? scale[i] : 1) + (bias ? bias[i] : 0);
  }
};

enum class Form { layer, rms, skip };

/// Which input is what in each form.
struct Roles {
  int residual = -1, scale = 1, bias = -1, pre_bias = -1;
};
constexpr Roles roles_of(Form form) {
  if (form == Form::layer) return {.bias = 2};
  if (form == Form::rms) return {};
  return {.residual = 1, .scale = 2, .bias = 3, .pre_bias = 4};
}

/// y = (s - mean(s)) / sqrt(variance(s) + epsilon) * scale + bias, or s / sqrt(mean(s^2) + epsilon) * scale, over the
/// axes from `axis` on; s is x, or x + residual + pre_bias. x [..., *normalized], the others broadcast to it.
///
/// Outputs: y, mean [..., 1, ...] and 1 / sqrt(variance + epsilon) of LayerNormalization, s of SkipLayerNormalization.
template <Form kForm>
class RowNormalization : public Kernel {
 public:
  static constexpr Roles kRoles = roles_of(kForm);

  explicit RowNormalization(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", -1)),
        epsilon_(node.attributes.real("epsilon", 1e-5f)),
        rms_(kForm == Form::rms || (kForm == Form::skip && node.attributes.integer("simplified", 0) != 0)),
        stash_type_(node.attributes.integer("stash_type", 1)),
        stash_(static_cast<DType>(std::clamp<int64_t>(stash_type_, 0, static_cast<int64_t>(DType::f6e3m2)))) {}

  struct State {
    int64_t rows = 0, n = 0;
    int slots = 1;
    bool plain = false;  // all float32, and each operand either as large as x or one row
    BroadcastRows scale, bias, pre_bias;
  };

  void plan(PlanContext& ctx) const override {
    require(stash_type_ == static_cast<int64_t>(stash_) && kFloats.contains(stash_), "stash_type ", stash_type_,
            " is no float type");
    const Shape& shape = ctx.shape(0);
    const int axis = normalize_axis(axis_, shape.rank());
    State state;
    state.rows = shape.size_to(axis);
    state.n = shape.size_from(axis);
    state.slots = ctx.threads();
    const bool wants_moments = kForm == Form::layer && (ctx.wants(1) || ctx.wants(2));
    state.plain = ctx.wants(0) && ctx.dtype(0) == DType::f32 && (!wants_moments || stash_ == DType::f32);
    if constexpr (kForm == Form::skip)
      require(ctx.shape(kRoles.residual) == shape, "the shapes ", shape, " and ", ctx.shape(kRoles.residual),
              " of the summands differ");
    const auto operand = [&](const char* name, int input) {
      if (input < 0 || (input != kRoles.scale && !ctx.has_input(input))) return BroadcastRows{};
      const BroadcastRows rows(name, ctx.shape(input), shape, axis);
      state.plain &= rows.shared && rows.contiguous && ctx.dtype(input) == DType::f32;
      return rows;
    };
    state.scale = operand("the scale", kRoles.scale);
    state.bias = operand("the bias", kRoles.bias);
    state.pre_bias = operand("the bias of the sum", kRoles.pre_bias);

    ctx.output(0, kForm == Form::rms ? ctx.dtype(kRoles.scale) : ctx.dtype(0), shape);
    if constexpr (kForm == Form::layer) {
      Shape reduced = shape;
      for (int i = axis; i < shape.rank(); ++i) reduced[i] = 1;
      ctx.output(1, stash_, reduced);
      ctx.output(2, stash_, reduced);
    }
    if constexpr (kForm == Form::skip) {
      ctx.output(1, ctx.dtype(0), shape);
      if (state.plain && ctx.wants(1)) ctx.may_overwrite(1, kRoles.residual);
      else if (state.plain) ctx.may_overwrite(0, kRoles.residual);
    }
    if (state.plain) ctx.may_overwrite(0, 0);
    else if (shape.size() > 0) ctx.scratch(static_cast<size_t>(state.slots) * kBuffers * state.n * sizeof(double));
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    const bool is_double = ctx.input(0).dtype == DType::f64 || ctx.input(kRoles.scale).dtype == DType::f64;
    if (state.plain) run_plain(ctx, state);
    else if (state.n == 0) fill_moments_of_nothing(ctx, state);
    else if (is_double) run_converted<double>(ctx, state);
    else run_converted<float>(ctx, state);
  }

 private:
  static constexpr int kBuffers = 6;  // x, residual, scale, bias, pre_bias, y

  static const Tensor* find(const RunContext& ctx, int i) {
    return i >= 0 && ctx.has_input(i) ? &ctx.input(i) : nullptr;
  }

  void run_plain(RunContext& ctx, const State& state) const {
    const auto input = [&](int i) {
      const Tensor* tensor = find(ctx, i);
      return tensor ? tensor->as<float>() : nullptr;
    };
    const auto output = [&](int i) { return ctx.wants(i) ? ctx.output(i).as<float>() : nullptr; };
    const int64_t n = state.n;
    ctx.parallel_for(state.rows, 1 + kGrain / (n + 1), [&](int64_t first, int64_t last) {
      const auto from = [&](float* p, int64_t width) { return p ? p + first * width : nullptr; };
      simd::NormRows rows{.x = from(input(0), n),
                          .residual = from(input(kRoles.residual), n),
                          .pre_bias = input(kRoles.pre_bias),
                          .scale = input(kRoles.scale),
                          .bias = input(kRoles.bias),
                          .y = from(output(0), n),
                          .rows = last - first,
                          .n = n,
                          .epsilon = epsilon_,
                          .rms = rms_};
      if constexpr (kForm == Form::skip) rows.sum = from(output(1), n);
      if constexpr (kForm == Form::layer) rows.mean = from(output(1), 1), rows.inverse = from(output(2), 1);
      normalize(rows);
    });
  }

  template <class C>
  void run_converted(RunContext& ctx, const State& state) const {
    const int64_t n = state.n;
    const int64_t chunks = std::clamp<int64_t>(state.rows * n / kGrain, 1, std::min(state.slots, ctx.threads()));
    ctx.parallel(static_cast<int>(chunks), [&](int chunk, int total) {
      C* buffer = ctx.scratch<C>() + static_cast<int64_t>(chunk) * kBuffers * n;
      RowReader<C> scale(find(ctx, kRoles.scale), state.scale, n, buffer + 2 * n);
      RowReader<C> bias(find(ctx, kRoles.bias), state.bias, n, buffer + 3 * n);
      RowReader<C> pre_bias(find(ctx, kRoles.pre_bias), state.pre_bias, n, buffer + 4 * n);
      C* y = buffer + 5 * n;
      for (int64_t row = state.rows * chunk / total; row < state.rows * (chunk + 1) / total; ++row) {
        C mean = 0, inverse = 0;
        load_elements(ctx.input(0), row * n, n, buffer);
        const C* residual = nullptr;
        if constexpr (kForm == Form::skip) {
          residual = buffer + n;
          load_elements(ctx.input(kRoles.residual), row * n, n, buffer + n);
        }
        const auto keep_sum = [&](const C* sum) {
          if (kForm == Form::skip && ctx.wants(1)) store_elements(ctx.output(1), row * n, n, sum);
        };
        if constexpr (std::is_same_v<C, float>) {
          normalize({.x = buffer,
                     .residual = residual,
                     .pre_bias = pre_bias.row(row),
                     .scale = scale.row(row),
                     .bias = bias.row(row),
                     .y = y,
                     .sum = buffer,
                     .mean = &mean,
                     .inverse = &inverse,
                     .rows = 1,
                     .n = n,
                     .epsilon = epsilon_,
                     .rms = rms_});
          keep_sum(buffer);
        } else {
          const DoubleRow as_double{.x = buffer,
                                    .residual = residual,
                                    .pre_bias = pre_bias.row(row),
                                    .scale = scale.row(row),
                                    .bias = bias.row(row),
                                    .y = y,
                                    .mean = &mean,
                                    .inverse = &inverse,
                                    .n = n,
                                    .epsilon = epsilon_,
                                    .rms = rms_};
          as_double.normalize();
          keep_sum(y);
          as_double.apply();
        }
        if (ctx.wants(0)) store_elements(ctx.output(0), row * n, n, y);
        if (kForm == Form::layer && ctx.wants(1)) store_elements(ctx.output(1), row, 1, &mean);
        if (kForm == Form::layer && ctx.wants(2)) store_elements(ctx.output(2), row, 1, &inverse);
      }
    });
  }

  static void fill_moments_of_nothing(RunContext& ctx, const State& state) {
    const float nan = std::nanf("");
    for (int i = 1; i <= 2 && kForm == Form::layer; ++i)
      for (int64_t row = 0; ctx.wants(i) && row < state.rows; ++row) store_elements(ctx.output(i), row, 1, &nan);
  }

  const int64_t axis_;
  const double epsilon_;
  const bool rms_;
  const int64_t stash_type_;
  const DType stash_;  // of the mean and the inverse
};

const Registration registration{
    {.op = "LayerNormalization", .inputs = {kFloats}, .make = make_kernel<RowNormalization<Form::layer>>},
    {.op = "RMSNormalization", .inputs = {kFloats}, .make = make_kernel<RowNormalization<Form::rms>>},
    {.op = "SkipLayerNormalization",
     .domain = "ort.cpu",
     .inputs = {kFloats},
     .make = make_kernel<RowNormalization<Form::skip>>},
};

}  // namespace
}  // namespace ort_cpu
