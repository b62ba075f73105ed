// DynamicQuantizeLinear.
#include <cmath>

#include "engine/registry.h"
#include "ops/elementwise.h"
#include "simd/convert_quantized.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 0.4;

/// Y uint8, scale and zero point such that the range of X and 0 becomes 0 to 255; the scale is 1 if all of X is 0.
class DynamicQuantizeLinear : public Kernel {
 public:
  explicit DynamicQuantizeLinear(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    ctx.output(0, DType::u8, ctx.shape(0));
    ctx.output(1, DType::f32, {});
    ctx.output(2, DType::u8, {});
    ctx.cost_ns(static_cast<double>(ctx.shape(0).size()) * kNsPerElement);
  }

  void run(RunContext& ctx) const override {
    const Tensor& x = ctx.input(0);
    const auto& table = simd::quantized_table();
    constexpr int kMostChunks = 64;
    float lows[kMostChunks] = {}, highs[kMostChunks] = {};
    const int64_t grain = grain_of(kNsPerElement);
    const int chunks = static_cast<int>(std::clamp<int64_t>(x.size() / grain, 1, std::min(ctx.threads(), kMostChunks)));
    ctx.parallel(chunks, [&](int chunk, int n) {
      const int64_t begin = x.size() * chunk / n, end = x.size() * (chunk + 1) / n;
      table.range(x.as<float>() + begin, end - begin, &lows[chunk], &highs[chunk]);
    });
    const float low = *std::min_element(lows, lows + chunks), high = *std::max_element(highs, highs + chunks);
    const float scale = high > low ? (high - low) / 255.f : 1.f;
    uint8_t zero_point = 0;
    const float none = 0, shift = -low;
    table.quantize_u8(&shift, &zero_point, 1, &scale, &none, 0);
    const float zero = zero_point;
    if (ctx.wants(1)) *ctx.output(1).as<float>() = scale;
    if (ctx.wants(2)) *ctx.output(2).as<uint8_t>() = zero_point;
    if (!ctx.wants(0)) return;
    uint8_t* y = ctx.output(0).as<uint8_t>();
    ctx.parallel_for(x.size(), grain, [&](int64_t begin, int64_t end) {
      table.quantize_u8(x.as<float>() + begin, y + begin, end - begin, &scale, &zero, 0);
    });
  }
};

const Registration registration{
    {.op = "DynamicQuantizeLinear", .inputs = {DTypeSet{DType::f32}}, .make = make_kernel<DynamicQuantizeLinear>},
};

}  // namespace
}  // namespace ort_cpu
