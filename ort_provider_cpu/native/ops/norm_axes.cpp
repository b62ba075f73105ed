// LpNormalization, MeanVarianceNormalization.
#include <cmath>

#include "engine/registry.h"
#include "ops/norm_affine.h"
#include "ops/norm_moments.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 1 << 14;

/// y = x / p-norm of x along an axis, 0 where the norm is 0. x [...] -> y [...].
class LpNormalization : public Kernel {
 public:
  explicit LpNormalization(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", -1)), p_(node.attributes.integer("p", 2)) {}

  void plan(PlanContext& ctx) const override {
    require(p_ == 1 || p_ == 2, "p is ", p_, ", must be 1 or 2");
    const Shape& shape = ctx.shape(0);
    ctx.output(0, ctx.dtype(0), shape);
    ctx.may_overwrite(0, 0);
    ctx.state(AxisLayout(shape, normalize_axis(axis_, shape.rank())));
  }

  void run(RunContext& ctx) const override {
    const AxisLayout& layout = ctx.state<AxisLayout>();
    if (layout.outer > 0) dispatch_float(ctx.input(0).dtype, [&]<class T>() { run_as<T>(ctx, layout); });
  }

 private:
  template <class T>
  void run_as(RunContext& ctx, const AxisLayout& layout) const {
    using C = compute_t<T>;
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    const int64_t n = layout.n, inner = layout.inner, tiles = (inner + kColumnTile - 1) / kColumnTile;
    const Reduction kind = p_ == 1 ? Reduction::sum_abs : Reduction::sum_square;
    ctx.parallel_for(
        layout.outer * tiles, 1 + kGrain / (n * std::min(inner, kColumnTile)), [&](int64_t first, int64_t last) {
          double norm[kColumnTile];
          C divisor[kColumnTile];
          for (int64_t u = first; u < last; ++u) {
            const int64_t column = u % tiles * kColumnTile, columns = std::min(kColumnTile, inner - column);
            const int64_t at = u / tiles * n * inner + column;
            std::fill_n(norm, columns, 0.0);
            if (inner == 1) norm[0] = reduce_row<T, double>(kind, x + at, n, 0);
            else reduce_columns<T, double>(kind, norm, x + at, inner, n, columns, nullptr);
            // A norm of 0 means zeros, which any other divisor leaves as they are.
            for (int64_t j = 0; j < columns; ++j) {
              divisor[j] = static_cast<C>(p_ == 1 ? norm[j] : std::sqrt(norm[j]));
              if (divisor[j] == 0) divisor[j] = 1;
            }
            if (inner == 1) {
              for (int64_t i = 0; i < n; ++i) y[at + i] = T(static_cast<C>(x[at + i]) / divisor[0]);
              continue;
            }
            for (int64_t i = 0; i < n; ++i)
              for (int64_t j = 0; j < columns; ++j)
                y[at + i * inner + j] = T(static_cast<C>(x[at + i * inner + j]) / divisor[j]);
          }
        });
  }

  const int64_t axis_, p_;
};

/// y = (x - mean(x)) / (sqrt(variance(x)) + 1e-9) over the axes. x [...] -> y [...].
class MeanVarianceNormalization : public Kernel {
 public:
  explicit MeanVarianceNormalization(const NodeSpec& node) : axes_(node.attributes.integers("axes", {0, 2, 3})) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    std::array<bool, kMaxRank> is_reduced{};
    if (axes_.empty()) is_reduced.fill(true);
    for (const int64_t axis : axes_) is_reduced[normalize_axis(axis, shape.rank())] = true;
    ctx.output(0, ctx.dtype(0), shape);
    ctx.may_overwrite(0, 0);
    ctx.state(ReduceLayout(shape, is_reduced));
  }

  void run(RunContext& ctx) const override {
    const ReduceLayout& layout = ctx.state<ReduceLayout>();
    if (layout.size > 0) dispatch_float(ctx.input(0).dtype, [&]<class T>() { run_as<T>(ctx, layout); });
  }

 private:
  template <class T>
  void run_as(RunContext& ctx, const ReduceLayout& layout) const {
    using C = compute_t<T>;
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    const int64_t units = MomentTile::count(layout);
    ctx.parallel_for(units, 1 + kGrain / (layout.size / units + 1), [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const MomentTile tile(layout, unit);
        Moments moments;
        tile.moments(x, moments);
        C center[kMomentTile], scale[kMomentTile], zero[kMomentTile] = {};
        for (int64_t j = 0; j < tile.columns; ++j) {
          center[j] = static_cast<C>(moments.mean[j]);
          scale[j] = static_cast<C>(1 / (std::sqrt(moments.variance[j]) + 1e-9));
        }
        tile.for_runs([&](int64_t at, int64_t rows, int64_t stride, int64_t n) {
          if (layout.inner_is_reduced) affine_row(y + at, x + at, n, center[0], scale[0], 0);
          else
            for (int64_t i = 0; i < rows; ++i)
              affine_columns(y + at + i * stride, x + at + i * stride, 1, n, center, scale, zero);
        });
      }
    });
  }

  const std::vector<int64_t> axes_;
};

const Registration registration{
    {.op = "LpNormalization", .inputs = {kFloats}, .make = make_kernel<LpNormalization>},
    {.op = "MeanVarianceNormalization", .inputs = {kFloats}, .make = make_kernel<MeanVarianceNormalization>},
};

}  // namespace
}  // namespace ort_cpu
