// Softmax, LogSoftmax.
#include "simd/softmax.h"

#include <cmath>
#include <limits>

#include "engine/registry.h"
#include "ops/reduce_geometry.h"
#include "ops/reduce_half.h"

namespace ort_cpu {
namespace {

/// Elements that are worth a chunk of their own: an exponential takes a few tenths of a nanosecond.
constexpr int64_t kGrain = 1 << 14;
/// Columns that one call of a vector kernel takes.
constexpr int64_t kTile = 256;

/// exp(x) / sum(exp(x)), or its logarithm, over `n` values in place.
template <bool kLog>
void softmax_row(double* x, int64_t n) {
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, x[i]);
  for (int64_t i = 0; i < n; ++i) {
    x[i] -= largest;
    const double term = std::exp(x[i]);
    total += term;
    if (!kLog) x[i] = term;
  }
  const double log_total = kLog ? std::log(total) : 0;
  for (int64_t i = 0; i < n; ++i) x[i] = kLog ? x[i] - log_total : x[i] / total;
}
template <bool kLog>
void softmax_row(float* x, int64_t n) {
  (kLog ? simd::softmax_table().log_rows : simd::softmax_table().rows)(x, x, 1, n);
}

/// y = exp(x) / sum(exp(x)) along an axis, or the logarithm of it. x [...] -> y [...].
template <bool kLog>
class Softmax : public Kernel {
 public:
  explicit Softmax(const NodeSpec& node) : axis_(node.attributes.integer("axis", -1)) {}

  struct State {
    AxisLayout layout;
    int slots;  // buffers in the scratch memory
  };

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const AxisLayout layout(shape, normalize_axis(axis_, shape.rank()));
    ctx.output(0, ctx.dtype(0), shape);
    ctx.may_overwrite(0, 0);
    ctx.cost_ns(0.3 * static_cast<double>(shape.size()));
    if (ctx.dtype(0) != DType::f32 && shape.size() > 0)
      ctx.scratch(static_cast<size_t>(ctx.threads()) * layout.n * sizeof(double));
    ctx.state(State{layout, ctx.threads()});
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    if (state.layout.outer == 0) return;
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      if constexpr (std::is_same_v<T, float>) run_float(ctx, state.layout);
      else run_buffered<T>(ctx, state);
    });
  }

 private:
  void run_float(RunContext& ctx, const AxisLayout& layout) const {
    const float* x = ctx.input(0).as<float>();
    float* y = ctx.output(0).as<float>();
    const simd::SoftmaxTable& table = simd::softmax_table();
    const auto [outer, n, inner] = layout;
    if (inner == 1) {
      ctx.parallel_for(outer, 1 + kGrain / n, [&, n = n](int64_t first, int64_t last) {
        (kLog ? table.log_rows : table.rows)(y + first * n, x + first * n, last - first, n);
      });
      return;
    }
    const int64_t tiles = (inner + kTile - 1) / kTile;
    ctx.parallel_for(outer * tiles, 1 + kGrain / (n * std::min(inner, kTile)),
                     [&, n = n, inner = inner](int64_t first, int64_t last) {
                       for (int64_t i = first; i < last; ++i) {
                         const int64_t column = i % tiles * kTile, at = i / tiles * n * inner + column;
                         (kLog ? table.log_columns : table.columns)(y + at, x + at, n, inner,
                                                                    std::min(kTile, inner - column));
                       }
                     });
  }

  template <class T>
  void run_buffered(RunContext& ctx, const State& state) const {
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    const auto [outer, n, inner] = state.layout;
    const int64_t lanes = outer * inner;
    const int64_t chunks = std::clamp<int64_t>(lanes * n / kGrain, 1, std::min(state.slots, ctx.threads()));
    ctx.parallel(static_cast<int>(chunks), [&, n = n, inner = inner](int chunk, int total) {
      auto* buffer = ctx.scratch<compute_t<T>>() + chunk * n;
      for (int64_t lane = lanes * chunk / total; lane < lanes * (chunk + 1) / total; ++lane) {
        const int64_t at = lane / inner * n * inner + lane % inner;
        if (inner == 1) {
          load_row(x + at, n, buffer);
          softmax_row<kLog>(buffer, n);
          store_row(y + at, n, buffer);
          continue;
        }
        for (int64_t i = 0; i < n; ++i) buffer[i] = x[at + i * inner];
        softmax_row<kLog>(buffer, n);
        for (int64_t i = 0; i < n; ++i) y[at + i * inner] = T(buffer[i]);
      }
    });
  }

  const int64_t axis_;
};

const Registration registration{
    {.op = "Softmax", .inputs = {kFloats}, .make = make_kernel<Softmax<false>>},
    {.op = "LogSoftmax", .inputs = {kFloats}, .make = make_kernel<Softmax<true>>},
};

}  // namespace
}  // namespace ort_cpu
