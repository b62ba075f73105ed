// ToBlocked, FromBlocked: between plain tensors and blocks of 16 interleaved channels.
#include "engine/registry.h"
#include "simd/conv_layout.h"

namespace ort_cpu {
namespace {

/// Pixels that are transposed at a time.
constexpr int64_t kPixels = 1024;

/// Calls `f(plane, first, pixels)` for parts of all planes, in parallel.
template <class F>
void each_part(const RunContext& ctx, int64_t planes, int64_t pixels, F&& f) {
  const int64_t parts = (pixels + kPixels - 1) / kPixels;
  ctx.parallel_for(planes * parts, std::max<int64_t>(1, 4096 / std::min(pixels, kPixels)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i) {
                       const int64_t first = i % parts * kPixels;
                       f(i / parts, first, std::min(kPixels, pixels - first));
                     }
                   });
}

/// y[n, b, p, l] = x[n, 16 b + l, p], zero past the last channel. x [N, C, spatial...] -> y [N, ceil(C / 16),
/// spatial..., 16].
class ToBlocked : public Kernel {
 public:
  explicit ToBlocked(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 2, "the input has shape ", x, ", at least rank 2 is needed");
    Shape out = x;
    out[1] = (x[1] + 15) / 16;
    out.push_back(16);
    ctx.output(0, DType::f32, out);
  }

  void run(RunContext& ctx) const override {
    const Shape& x = ctx.input(0).shape;
    const int64_t channels = x[1], blocks = (channels + 15) / 16, pixels = x.size_from(2);
    if (x.size() == 0) return;
    const float* in = ctx.input(0).as<float>();
    float* out = ctx.output(0).as<float>();
    each_part(ctx, x[0] * blocks, pixels, [&](int64_t plane, int64_t first, int64_t n) {
      const int64_t c = plane % blocks * 16;
      simd::conv_layout_table().to_blocked(in + (plane / blocks * channels + c) * pixels + first, pixels,
                                           static_cast<int>(std::min<int64_t>(16, channels - c)), n,
                                           out + (plane * pixels + first) * 16);
    });
  }
};

/// y[n, c, p] = x[n, c / 16, p, c % 16]. x [N, ceil(C / 16), spatial..., 16] -> y [N, C, spatial...]; C is the
/// attribute `channels`.
class FromBlocked : public Kernel {
 public:
  explicit FromBlocked(const NodeSpec& node) : channels_(node.attributes.integer("channels", 0)) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 3 && x.back() == 16, "the input has shape ", x, ", [N, blocks, spatial..., 16] is needed");
    require(channels_ >= 0 && x[1] == (channels_ + 15) / 16, "the input has shape ", x, ", which does not hold ",
            channels_, " channels");
    Shape out = x;
    out[1] = channels_;
    out.erase(out.rank() - 1);
    ctx.output(0, DType::f32, out);
  }

  void run(RunContext& ctx) const override {
    const Shape& y = ctx.output(0).shape;
    const int64_t blocks = (channels_ + 15) / 16, pixels = y.size_from(2);
    if (y.size() == 0) return;
    const float* in = ctx.input(0).as<float>();
    float* out = ctx.output(0).as<float>();
    each_part(ctx, y[0] * blocks, pixels, [&](int64_t plane, int64_t first, int64_t n) {
      const int64_t c = plane % blocks * 16;
      simd::conv_layout_table().from_blocked(in + (plane * pixels + first) * 16, n,
                                             static_cast<int>(std::min<int64_t>(16, channels_ - c)),
                                             out + (plane / blocks * channels_ + c) * pixels + first, pixels);
    });
  }

 private:
  int64_t channels_;
};

const Registration registration{
    {.op = "ToBlocked", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<ToBlocked>},
    {.op = "FromBlocked", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<FromBlocked>},
};

}  // namespace
}  // namespace ort_cpu
