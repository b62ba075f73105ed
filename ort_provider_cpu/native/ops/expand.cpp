// Expand.
#include "engine/registry.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Y = X broadcast with a tensor of the shape given.
class Expand : public Kernel {
 public:
  explicit Expand(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const Tensor& target = ctx.value(1);
    require(target.shape.rank() == 1, "the shape must be a vector, it has the shape ", target.shape);
    const Shape wanted(target.elements<const int64_t>());
    for (int64_t dim : wanted) require(dim >= 0, "the shape ", wanted, " has a negative dimension");
    const Shape out = broadcast(shape, wanted);
    if (out.size() == shape.size()) {
      ctx.alias(0, 0, out);
      ctx.state(StridedCopy{});
      return;
    }
    ctx.output(0, ctx.dtype(0), out);
    if (out.size() == 0) {
      ctx.state(StridedCopy{});
      return;
    }
    const size_t rank = static_cast<size_t>(out.rank());
    const auto from = broadcast_strides(shape, out), to = strides_of(out);
    ctx.state(StridedCopy(size_of(ctx.dtype(0)), out.dims(), std::span(from).first(rank), std::span(to).first(rank)));
  }

  void run(RunContext& ctx) const override { ctx.state<StridedCopy>().run(ctx, ctx.input(0).data, ctx.output(0).data); }
};

const Registration registration{{.op = "Expand", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<Expand>}};

}  // namespace
}  // namespace ort_cpu
