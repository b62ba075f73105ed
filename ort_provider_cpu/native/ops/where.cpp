// Where.
#include <complex>

#include "engine/registry.h"
#include "ops/elementwise.h"
#include "simd/binary_types.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 0.4;

void select_pairs(const uint8_t* c, const void* pa, const void* pb, void* py, int64_t n, int c_step, int a_step,
                  int b_step) {
  using Pair = std::complex<double>;
  const Pair *a = static_cast<const Pair*>(pa), *b = static_cast<const Pair*>(pb);
  Pair* y = static_cast<Pair*>(py);
  for (int64_t i = 0; i < n; ++i) y[i] = c[i * c_step] != 0 ? a[i * a_step] : b[i * b_step];
}

/// Y = condition ? X : Y, the three broadcast to each other. condition bool; X, Y and the output of one type.
class Where : public Kernel {
 public:
  explicit Where(const NodeSpec& node) : loop_(loop_of(size_of(node.dtype(1)))) {}

  void plan(PlanContext& ctx) const override {
    require(ctx.dtype(1) == ctx.dtype(2), "X is ", name_of(ctx.dtype(1)), ", Y is ", name_of(ctx.dtype(2)));
    const Shape shapes[] = {ctx.shape(0), ctx.shape(1), ctx.shape(2)};
    const Broadcast broadcast = make_broadcast(shapes);
    ctx.output(0, ctx.dtype(1), broadcast.shape);
    for (int i = 1; i < 3; ++i)
      if (ctx.shape(i).size() == broadcast.size) ctx.may_overwrite(0, i);
    ctx.state(broadcast);
  }

  void run(RunContext& ctx) const override {
    const auto& broadcast = ctx.state<Broadcast>();
    const size_t size = size_of(ctx.input(1).dtype);
    const void* inputs[] = {ctx.input(0).data, ctx.input(1).data, ctx.input(2).data};
    const size_t sizes[] = {1, size, size};
    std::byte* y = ctx.output(0).as<std::byte>();
    ctx.parallel_for(broadcast.size, grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      BroadcastWalk(broadcast, inputs, sizes)
          .each(begin, end, [&](const void* const* in, const int* steps, int64_t at, int64_t n) {
            loop_(static_cast<const uint8_t*>(in[0]), in[1], in[2], y + at * size, n, steps[0], steps[1], steps[2]);
          });
    });
  }

 private:
  static simd::SelectLoop loop_of(size_t size) {
    const auto& loops = simd::binary_types_table().select;
    switch (size) {
      case 1: return loops[0];
      case 2: return loops[1];
      case 4: return loops[2];
      case 8: return loops[3];
      default: return select_pairs;
    }
  }
  const simd::SelectLoop loop_;
};

const Registration registration{
    {.op = "Where", .inputs = {kBool, kFixedSize, kFixedSize}, .make = make_kernel<Where>},
};

}  // namespace
}  // namespace ort_cpu
