// MaxPool, AveragePool, LpPool, and the first two on blocked channels.
#include "engine/registry.h"
#include "ops/pool_windows.h"

namespace ort_cpu {
namespace {

/// What all pools share: the output's shape, the split into chunks. x [N, C, *spatial] or [N, C / 16, *spatial, 16].
class Pool : public Kernel {
 protected:
  Pool(const NodeSpec& node, bool blocked) : attributes_(node.attributes), blocked_(blocked) {}

  /// Plans output 0 and returns the geometry.
  PoolPlan plan_windows(PlanContext& ctx) const {
    const Shape& x = ctx.shape(0);
    const int channels_last = blocked_ ? 1 : 0;
    require(x.rank() == 2 + attributes_.rank() + channels_last, "kernel_shape has ", attributes_.rank(),
            " values, the input has shape ", x);
    require(!blocked_ || x.back() == 16, "blocks of 16 channels are needed, the input has shape ", x);
    PoolPlan plan;
    plan.axes = attributes_.axes(x.dims().subspan(2, attributes_.rank()));
    plan.block = blocked_ ? 16 : 1;
    Shape y = x;
    for (int i = 0; i < attributes_.rank(); ++i) y[2 + i] = plan.axes[3 - attributes_.rank() + i].out;
    ctx.output(0, ctx.dtype(0), y);
    if (y.size() == 0) return plan;
    plan.planes = x[0] * x[1];
    std::tie(plan.interior_first, plan.interior_last) = plan.axes[2].interior();
    if (std::all_of(plan.axes.begin(), plan.axes.end(), [](const PoolAxis& axis) { return axis.has_plain_padding(); }))
      plan.padded_row = plan.axes[2].padded();
    const double taps = static_cast<double>(std::min(plan.axes[0].kernel, plan.axes[0].size)) *
                            std::min(plan.axes[1].kernel, plan.axes[1].size) +
                        std::min(plan.axes[2].kernel, plan.axes[2].size);
    const double ns = static_cast<double>(y.size()) * taps * (ctx.dtype(0) == DType::f32 ? 0.08 : 1.0);
    ctx.cost_ns(ns);
    plan.chunks = static_cast<int>(std::clamp<double>(ns / 8000, 1, ctx.threads()));
    plan.chunks = static_cast<int>(std::min<int64_t>(plan.chunks, plan.rows()));
    ctx.scratch(static_cast<size_t>(plan.accumulators()) * plan.chunks * 8);
    return plan;
  }

  /// Runs all chunks; `finish` as in `pool_rows`.
  template <class T, class Window, class Finish>
  void run_windows(RunContext& ctx, const Window& window, const Finish& finish) const {
    using A = typename Window::Accumulator;
    const auto& plan = ctx.state<PoolPlan>();
    if (plan.planes == 0) return;
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    A* scratch = ctx.scratch<A>();
    ctx.parallel(plan.chunks, [&](int chunk, int chunks) {
      const int64_t rows = plan.rows();
      pool_rows<T>(window, plan, x, y, scratch + chunk * plan.accumulators(), rows * chunk / chunks,
                   rows * (chunk + 1) / chunks, finish);
    });
  }

  const PoolAttributes attributes_;
  const bool blocked_;
};

/// The indices of the largest elements, beside the elements: one row after another, one window after another.
template <class T>
void max_with_indices(const PoolPlan& plan, bool column_major, const T* x, T* y, int64_t* indices, int64_t first,
                      int64_t last) {
  using A = compute_t<T>;
  const auto& [depth, height, width] = plan.axes;
  const int64_t image = depth.size * height.size * width.size;
  const int64_t steps[3] = {column_major ? 1 : height.size * width.size, column_major ? depth.size : width.size,
                            column_major ? depth.size * height.size : 1};
  for (int64_t row = first; row < last; ++row) {
    const int64_t oh = row % height.out, od = row / height.out % depth.out, plane = row / height.out / depth.out;
    const auto taps_d = depth.taps(od), taps_h = height.taps(oh);
    const T* in = x + plane * image;
    for (int64_t ow = 0; ow < width.out; ++ow) {
      const auto taps_w = width.taps(ow);
      A best = MaxOfWindow<A>{}.empty();
      int64_t index = -1;
      for (int64_t i = taps_d.first; i < taps_d.last; ++i) {
        const int64_t d = depth.start(od) + i * depth.dilation;
        for (int64_t j = taps_h.first; j < taps_h.last; ++j) {
          const int64_t h = height.start(oh) + j * height.dilation;
          for (int64_t k = taps_w.first; k < taps_w.last; ++k) {
            const int64_t w = width.start(ow) + k * width.dilation;
            const A value = static_cast<A>(in[(d * height.size + h) * width.size + w]);
            if (value > best || index < 0) {
              best = value;
              index = d * steps[0] + h * steps[1] + w * steps[2];
            }
          }
        }
      }
      y[row * width.out + ow] = T(best);
      indices[row * width.out + ow] = plane * image + index;
    }
  }
}

/// The largest element of each window, and its index in x. x [N, C, *spatial] -> y, indices int64 [N, C, *out].
template <bool kBlocked>
class MaxPool : public Pool {
 public:
  explicit MaxPool(const NodeSpec& node)
      : Pool(node, kBlocked), column_major_(node.attributes.integer("storage_order", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    PoolPlan plan = plan_windows(ctx);
    if (ctx.wants(1)) {
      Shape y = ctx.shape(0);
      for (int i = 0; i < attributes_.rank(); ++i) y[2 + i] = plan.axes[3 - attributes_.rank() + i].out;
      ctx.output(1, DType::i64, y);
    }
    ctx.state(std::move(plan));
  }

  void run(RunContext& ctx) const override {
    if constexpr (kBlocked) {
      return run_windows<float>(ctx, MaxOfWindow<float>{}, [](float*, int64_t, int64_t) {});
    } else {
      const DType dtype = ctx.input(0).dtype;
      if (dtype == DType::i8) return run_as<int8_t>(ctx);
      if (dtype == DType::u8) return run_as<uint8_t>(ctx);
      dispatch_float(dtype, [&]<class T>() { run_as<T>(ctx); });
    }
  }

 private:
  template <class T>
  void run_as(RunContext& ctx) const {
    using A = compute_t<T>;
    if (!ctx.wants(1)) return run_windows<T>(ctx, MaxOfWindow<A>{}, [](A*, int64_t, int64_t) {});
    const auto& plan = ctx.state<PoolPlan>();
    if (plan.planes == 0) return;
    const T* x = ctx.input(0).as<T>();
    std::vector<T> unwanted(ctx.wants(0) ? 0 : static_cast<size_t>(plan.rows() * plan.row_out()));
    T* y = ctx.wants(0) ? ctx.output(0).as<T>() : unwanted.data();
    int64_t* indices = ctx.output(1).as<int64_t>();
    ctx.parallel(plan.chunks, [&](int chunk, int chunks) {
      const int64_t rows = plan.rows();
      max_with_indices(plan, column_major_, x, y, indices, rows * chunk / chunks, rows * (chunk + 1) / chunks);
    });
  }

  const bool column_major_;
};

/// The mean of each window; padding counts if `count_include_pad`. x [N, C, *spatial] -> y [N, C, *out].
template <bool kBlocked>
class AveragePool : public Pool {
 public:
  explicit AveragePool(const NodeSpec& node)
      : Pool(node, kBlocked), count_padding_(node.attributes.integer("count_include_pad", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    PoolPlan plan = plan_windows(ctx);
    if (plan.planes > 0) {
      const PoolAxis& axis = plan.axes[2];
      if (ctx.dtype(0) == DType::f64) plan.wide_counts.resize(axis.out);
      else plan.counts.resize(axis.out);
      for (int64_t o = 0; o < axis.out; ++o) {
        if (ctx.dtype(0) == DType::f64) plan.wide_counts[o] = static_cast<double>(count(axis, o));
        else plan.counts[o] = static_cast<float>(count(axis, o));
      }
    }
    ctx.state(std::move(plan));
  }

  void run(RunContext& ctx) const override {
    const auto& plan = ctx.state<PoolPlan>();
    const auto finish = [&](auto* out, int64_t od, int64_t oh) {
      const int64_t rows = count(plan.axes[0], od) * count(plan.axes[1], oh);
      if constexpr (std::is_same_v<decltype(out), float*>) {
        simd::pool_table().divide(out, plan.counts.data(), static_cast<float>(rows), plan.block, plan.axes[2].out);
      } else {
        for (int64_t o = 0; o < plan.axes[2].out; ++o) out[o] /= plan.wide_counts[o] * static_cast<double>(rows);
      }
    };
    if constexpr (kBlocked) {
      run_windows<float>(ctx, SumOfWindow<float>{}, finish);
    } else {
      dispatch_float(ctx.input(0).dtype, [&]<class T>() { run_windows<T>(ctx, SumOfWindow<compute_t<T>>{}, finish); });
    }
  }

 private:
  int64_t count(const PoolAxis& axis, int64_t o) const {
    return count_padding_ ? axis.count_with_padding(o) : std::max<int64_t>(1, axis.taps(o).count());
  }
  const bool count_padding_;
};

/// (sum |x|^p)^(1/p) over each window. x [N, C, *spatial] -> y [N, C, *out].
class LpPool : public Pool {
 public:
  explicit LpPool(const NodeSpec& node) : Pool(node, false), p_(node.attributes.integer("p", 2)) {
    require(p_ >= 1, "p is ", p_, ", must be at least 1");
  }
  void plan(PlanContext& ctx) const override { ctx.state(plan_windows(ctx)); }
  void run(RunContext& ctx) const override {
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      using A = compute_t<T>;
      const PowersOfWindow<A> window(p_);
      const int64_t n = ctx.state<PoolPlan>().row_out();
      run_windows<T>(ctx, window, [&](A* out, int64_t, int64_t) {
        for (int64_t i = 0; i < n; ++i) out[i] = window.root(out[i]);
      });
    });
  }

 private:
  const int64_t p_;
};

std::optional<std::string> decline_rank(const NodeSpec& node) {
  const size_t rank = node.attributes.integers("kernel_shape").size();
  if (rank <= 3) return std::nullopt;
  return message("pools over ", rank, " spatial axes are not supported, at most 3");
}

constexpr DTypeSet kPooled = kFloats | DTypeSet{DType::i8, DType::u8};
constexpr DTypeSet kFloat32{DType::f32};

const Registration registration{
    {.op = "MaxPool", .inputs = {kPooled}, .make = make_kernel<MaxPool<false>>, .declines = decline_rank},
    {.op = "AveragePool", .inputs = {kFloats}, .make = make_kernel<AveragePool<false>>, .declines = decline_rank},
    {.op = "LpPool", .inputs = {kFloats}, .make = make_kernel<LpPool>, .declines = decline_rank},
    {.op = "BlockedMaxPool", .domain = "ort.cpu", .inputs = {kFloat32}, .make = make_kernel<MaxPool<true>>},
    {.op = "BlockedAveragePool", .domain = "ort.cpu", .inputs = {kFloat32}, .make = make_kernel<AveragePool<true>>},
};

}  // namespace
}  // namespace ort_cpu
