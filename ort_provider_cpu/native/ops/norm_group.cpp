// GroupNormalization, InstanceNormalization.
#include <cmath>

#include "engine/registry.h"
#include "ops/norm_affine.h"
#include "ops/norm_rows.h"
#include "ops/reduce_elements.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 1 << 15;

/// y = (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance being those of a group of channels of
/// one image, or of one channel. X [N, C, ...], scale [C], bias [C] -> Y as X.
template <bool kOfInstances>
class GroupNormalization : public Kernel {
 public:
  explicit GroupNormalization(const NodeSpec& node)
      : groups_(node.attributes.integer("num_groups", 0)), epsilon_(node.attributes.real("epsilon", 1e-5f)) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 2, "an input [N, C, ...] is needed, got shape ", x);
    require(kOfInstances || groups_ > 0, "num_groups is ", groups_, ", must be positive");
    require(kOfInstances || x[1] % groups_ == 0, "num_groups ", groups_, " does not divide the ", x[1], " channels");
    for (int i = 1; i <= 2; ++i)
      require(ctx.shape(i) == Shape{x[1]}, i == 1 ? "scale" : "bias", " has shape ", ctx.shape(i), ", expected [", x[1],
              "]");
    ctx.output(0, ctx.dtype(0), x);
    ctx.may_overwrite(0, 0);
    if (x.size() > 0) ctx.scratch(static_cast<size_t>(x[1]) * 2 * sizeof(double));
  }

  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    if (shape.size() > 0) dispatch_float(ctx.input(0).dtype, [&]<class T>() { run_as<T>(ctx, shape); });
  }

 private:
  template <class T>
  void run_as(RunContext& ctx, const Shape& shape) const {
    const int64_t channels = shape[1], inner = shape.size_from(2), groups = kOfInstances ? channels : groups_;
    const int64_t channels_of_group = channels / groups, n = channels_of_group * inner;
    double *scale = ctx.scratch<double>(), *bias = scale + channels;
    load_elements(ctx.input(1), 0, channels, scale);
    load_elements(ctx.input(2), 0, channels, bias);
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    ctx.parallel_for(shape[0] * groups, 1 + kGrain / n, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const double count = static_cast<double>(n);
        const double mean = reduce_row<T, double>(Reduction::sum, x + i * n, n, 0) / count;
        const auto center = static_cast<compute_t<T>>(mean);
        const double rounded_off = mean - static_cast<double>(center);
        const double squares = reduce_row<T, double>(Reduction::sum_square, x + i * n, n, center);
        const double inverse = 1 / std::sqrt(squares / count - rounded_off * rounded_off + epsilon_);
        for (int64_t k = 0; k < channels_of_group; ++k) {
          const int64_t channel = i % groups * channels_of_group + k, at = i * n + k * inner;
          affine_row(y + at, x + at, inner, mean, inverse * scale[channel], bias[channel]);
        }
      }
    });
  }

  const int64_t groups_;
  const double epsilon_;
};

const Registration registration{
    {.op = "GroupNormalization", .inputs = {kFloats}, .make = make_kernel<GroupNormalization<false>>},
    {.op = "InstanceNormalization", .inputs = {kFloats}, .make = make_kernel<GroupNormalization<true>>},
};

}  // namespace
}  // namespace ort_cpu
