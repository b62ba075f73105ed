// LRN.
#include <cmath>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 1 << 13;
constexpr int64_t kTile = 1024;

/// y = x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta. X [N, C, ...] -> Y as X.
class LocalResponseNormalization : public Kernel {
 public:
  explicit LocalResponseNormalization(const NodeSpec& node)
      : alpha_(node.attributes.real("alpha", 1e-4f)),
        beta_(node.attributes.real("beta", 0.75f)),
        bias_(node.attributes.real("bias", 1)),
        size_(node.attributes.integer("size", 0)) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(size_ > 0, "size is ", size_, ", must be positive");
    require(x.rank() >= 2, "an input [N, C, ...] is needed, got shape ", x);
    ctx.output(0, ctx.dtype(0), x);
    ctx.cost_ns((1 + 0.1 * static_cast<double>(std::min(size_, x[1]))) * static_cast<double>(x.size()));
  }

  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    if (shape.size() > 0) dispatch_float(ctx.input(0).dtype, [&]<class T>() { run_as<T>(ctx, shape); });
  }

 private:
  template <class T>
  void run_as(RunContext& ctx, const Shape& shape) const {
    using C = compute_t<T>;
    const int64_t channels = shape[1], inner = shape.size_from(2), tiles = (inner + kTile - 1) / kTile;
    const int64_t before = std::min((size_ - 1) / 2, channels), after = std::min(size_ - 1 - (size_ - 1) / 2, channels);
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    const C scale = static_cast<C>(alpha_) / static_cast<C>(size_);
    ctx.parallel_for(
        shape[0] * channels * tiles, 1 + kGrain / std::min(inner, kTile), [&](int64_t first, int64_t last) {
          C sum[kTile];
          for (int64_t u = first; u < last; ++u) {
            const int64_t column = u % tiles * kTile, n = std::min(kTile, inner - column);
            const int64_t c = u / tiles % channels, image = u / tiles / channels;
            const int64_t at = image * channels * inner + column;
            std::fill_n(sum, n, C{0});
            for (int64_t k = std::max<int64_t>(0, c - before); k <= std::min(channels - 1, c + after); ++k) {
              const T* row = x + at + k * inner;
              for (int64_t j = 0; j < n; ++j) sum[j] += static_cast<C>(row[j]) * static_cast<C>(row[j]);
            }
            divide(y + at + c * inner, x + at + c * inner, sum, n, scale);
          }
        });
  }

  template <class T, class C>
  void divide(T* y, const T* x, const C* sum, int64_t n, C scale) const {
    const C bias = static_cast<C>(bias_), beta = static_cast<C>(beta_);
    if (beta_ == 0.75f) {
      for (int64_t j = 0; j < n; ++j) {
        const C root = std::sqrt(bias + scale * sum[j]);
        y[j] = T(static_cast<C>(x[j]) / (root * std::sqrt(root)));
      }
    } else {
      for (int64_t j = 0; j < n; ++j) y[j] = T(static_cast<C>(x[j]) / std::pow(bias + scale * sum[j], beta));
    }
  }

  const float alpha_, beta_, bias_;
  const int64_t size_;
};

const Registration registration{
    {.op = "LRN", .inputs = {kFloats}, .make = make_kernel<LocalResponseNormalization>},
};

}  // namespace
}  // namespace ort_cpu
