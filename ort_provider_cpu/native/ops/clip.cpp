// Clip.
#include <cmath>
#include <limits>

#include "engine/registry.h"
#include "ops/elementwise.h"
#include "ops/elementwise_narrow.h"
#include "simd/unary.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 0.4;

/// Y = min(max(X, min), max), where the bounds are scalars or absent; NaN stays. X and Y of one shape and type.
class Clip : public Kernel {
 public:
  explicit Clip(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    for (int i = 1; i < 3; ++i) {
      if (!ctx.has_input(i)) continue;
      require(ctx.shape(i).size() == 1, i == 1 ? "min" : "max", " must be a scalar, its shape is ", ctx.shape(i));
      require(ctx.dtype(i) == ctx.dtype(0), i == 1 ? "min" : "max", " is ", name_of(ctx.dtype(i)), ", the input is ",
              name_of(ctx.dtype(0)));
    }
    ctx.output(0, ctx.dtype(0), ctx.shape(0));
    ctx.may_overwrite(0, 0);
  }

  void run(RunContext& ctx) const override {
    const DType type = ctx.input(0).dtype;
    if (type == DType::f32) return run_float(ctx);
    if (is_narrow(type)) return run_narrow(ctx);
    if (type == DType::f64) return run_plain<double>(ctx);
    dispatch_integer(type, [&]<class T>() { run_plain<T>(ctx); });
  }

 private:
  template <class T>
  static T bound(const RunContext& ctx, int input, T absent) {
    return ctx.has_input(input) ? *ctx.input(input).as<T>() : absent;
  }
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  static void run_float(RunContext& ctx) {
    const float low = bound(ctx, 1, -kInfinity), high = bound(ctx, 2, kInfinity);
    const float* x = ctx.input(0).as<float>();
    float* y = ctx.output(0).as<float>();
    ctx.parallel_for(ctx.input(0).size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      simd::unary_table().loop(simd::Unary::clip)(x + begin, y + begin, end - begin, low, high);
    });
  }

  static void run_narrow(RunContext& ctx) {
    const NarrowFloat format = narrow_float(ctx.input(0).dtype);
    float bounds[] = {-kInfinity, kInfinity};
    for (int i = 0; i < 2; ++i)
      if (ctx.has_input(i + 1)) format.decode(ctx.input(i + 1).as<uint16_t>(), &bounds[i], 1);
    const uint16_t* x = ctx.input(0).as<uint16_t>();
    uint16_t* y = ctx.output(0).as<uint16_t>();
    ctx.parallel_for(ctx.input(0).size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      through_float(format, x + begin, y + begin, end - begin, [&](const float* in, float* out, int64_t n) {
        simd::unary_table().loop(simd::Unary::clip)(in, out, n, bounds[0], bounds[1]);
      });
    });
  }

  template <class T>
  static void run_plain(RunContext& ctx) {
    using Limits = std::numeric_limits<T>;
    const T low = bound<T>(ctx, 1, Limits::has_infinity ? static_cast<T>(-Limits::infinity()) : Limits::lowest());
    const T high = bound<T>(ctx, 2, Limits::has_infinity ? Limits::infinity() : Limits::max());
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    ctx.parallel_for(ctx.input(0).size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T above = low > x[i] ? low : x[i];
        y[i] = high < above ? high : above;
      }
    });
  }
};

const Registration registration{{.op = "Clip", .inputs = {kNumbers}, .make = make_kernel<Clip>}};

}  // namespace
}  // namespace ort_cpu
