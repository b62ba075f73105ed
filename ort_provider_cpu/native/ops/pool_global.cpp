// GlobalAveragePool, GlobalMaxPool, GlobalLpPool, and the average of blocked channels.
#include "engine/registry.h"
#include "ops/pool_windows.h"

namespace ort_cpu {
namespace {

/// One value of each plane. x [N, C, *spatial] -> y [N, C, 1, ...].
template <class Reduce>
class GlobalPool : public Kernel {
 public:
  explicit GlobalPool(const NodeSpec& node) : reduce_(node) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 2, "an input [N, C, ...] is needed, got shape ", x);
    Shape y = Shape::filled(x.rank(), 1);
    y[0] = x[0], y[1] = x[1];
    require(!Reduce::kNeedsElements || y.size() == 0 || x.size() > 0,
            "the maximum of no elements, the input has shape ", x);
    ctx.output(0, ctx.dtype(0), y);
  }

  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    const int64_t planes = shape[0] * shape[1];
    const int64_t n = planes == 0 ? 0 : shape.size_from(2);
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      T* y = ctx.output(0).as<T>();
      ctx.parallel_for(planes, 1 + (1 << 17) / (n + 8), [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) y[i] = T(reduce_.template reduce<T>(x + i * n, n));
      });
    });
  }

 private:
  const Reduce reduce_;
};

template <class T, class Window>
typename Window::Accumulator reduce_plane(const Window& window, const T* x, int64_t n) {
  using A = typename Window::Accumulator;
  A acc = window.empty();
  for (int64_t i = 0; i < n; ++i) acc = window.combine(acc, window.element(static_cast<A>(x[i])));
  return acc;
}

struct Mean {
  static constexpr bool kNeedsElements = false;
  explicit Mean(const NodeSpec&) {}
  template <class T>
  compute_t<T> reduce(const T* x, int64_t n) const {
    using A = compute_t<T>;
    if constexpr (std::is_same_v<T, float>)
      if (n > 0) return simd::pool_table().sum_all(x, n) / static_cast<float>(n);
    return reduce_plane(SumOfWindow<A>{}, x, n) / static_cast<A>(n);
  }
};

struct Maximum {
  static constexpr bool kNeedsElements = true;
  explicit Maximum(const NodeSpec&) {}
  template <class T>
  compute_t<T> reduce(const T* x, int64_t n) const {
    if constexpr (std::is_same_v<T, float>) return simd::pool_table().max_all(x, n);
    return reduce_plane(MaxOfWindow<compute_t<T>>{}, x, n);
  }
};

struct Norm {
  static constexpr bool kNeedsElements = false;
  explicit Norm(const NodeSpec& node) : p(node.attributes.integer("p", 2)) {
    require(p >= 1, "p is ", p, ", must be at least 1");
  }
  template <class T>
  compute_t<T> reduce(const T* x, int64_t n) const {
    const PowersOfWindow<compute_t<T>> window(p);
    return window.root(reduce_plane(window, x, n));
  }
  int64_t p;
};

/// The mean of each channel, unblocked. x [N, C / 16, *spatial, 16] -> y [N, C, 1, ...], C being the attribute
/// `channels`.
class BlockedGlobalAveragePool : public Kernel {
 public:
  explicit BlockedGlobalAveragePool(const NodeSpec& node) : channels_(node.attributes.integer("channels", 0)) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 3 && x.back() == 16, "an input [N, C / 16, ..., 16] is needed, got shape ", x);
    require(channels_ >= 0 && channels_ <= x[1] * 16 && channels_ > (x[1] - 1) * 16, "channels is ", channels_,
            ", the input has ", x[1], " blocks of 16");
    Shape y = Shape::filled(x.rank() - 1, 1);
    y[0] = x[0], y[1] = channels_;
    ctx.output(0, DType::f32, y);
  }

  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    const int64_t blocks = shape[1], n = shape.product(2, shape.rank() - 1);
    const float* x = ctx.input(0).as<float>();
    float* y = ctx.output(0).as<float>();
    ctx.parallel_for(shape[0] * blocks, 1 + 8192 / (n + 1), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        alignas(64) float sums[16];
        simd::pool_table().sum_blocks(sums, x + i * n * 16, n);
        const int64_t image = i / blocks, channel = i % blocks * 16, count = std::min<int64_t>(16, channels_ - channel);
        for (int64_t c = 0; c < count; ++c) y[image * channels_ + channel + c] = sums[c] / static_cast<float>(n);
      }
    });
  }

 private:
  const int64_t channels_;
};

const Registration registration{
    {.op = "GlobalAveragePool", .inputs = {kFloats}, .make = make_kernel<GlobalPool<Mean>>},
    {.op = "GlobalMaxPool", .inputs = {kFloats}, .make = make_kernel<GlobalPool<Maximum>>},
    {.op = "GlobalLpPool", .inputs = {kFloats}, .make = make_kernel<GlobalPool<Norm>>},
    {.op = "BlockedGlobalAveragePool",
     .domain = "ort.cpu",
     .inputs = {DTypeSet{DType::f32}},
     .make = make_kernel<BlockedGlobalAveragePool>},
};

}  // namespace
}  // namespace ort_cpu
