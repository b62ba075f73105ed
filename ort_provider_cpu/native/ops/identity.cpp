// Identity, Shape, Size.
#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// The input, unchanged.
class Identity : public Kernel {
 public:
  explicit Identity(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override { ctx.alias(0, 0, ctx.shape(0)); }
  void run(RunContext&) const override {}
};

/// Dimensions [start, end) of the input's shape. data of any shape -> shape [n] int64.
class ShapeOf : public Kernel {
 public:
  explicit ShapeOf(const NodeSpec& node)
      : start_(node.attributes.integer("start", 0)), end_(node.attributes.integer("end", kMaxRank)) {}

  void plan(PlanContext& ctx) const override {
    const auto [first, last] = range(ctx.shape(0).rank());
    ctx.output(0, DType::i64, {last - first});
  }
  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    const auto [first, last] = range(shape.rank());
    std::copy(shape.begin() + first, shape.begin() + last, ctx.output(0).as<int64_t>());
  }
  bool only_needs_shapes() const override { return true; }

 private:
  std::pair<int64_t, int64_t> range(int64_t rank) const {
    const auto clamp = [rank](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
    const int64_t first = clamp(start_);
    return {first, std::max(first, clamp(end_))};
  }
  int64_t start_, end_;
};

/// The number of elements. data of any shape -> size [] int64.
class Size : public Kernel {
 public:
  explicit Size(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override { ctx.output(0, DType::i64, {}); }
  void run(RunContext& ctx) const override { *ctx.output(0).as<int64_t>() = ctx.input(0).shape.size(); }
  bool only_needs_shapes() const override { return true; }
};

const Registration registration{
    {.op = "Identity", .inputs = {kFixedSize}, .make = make_kernel<Identity>},
    {.op = "Shape", .inputs = {kFixedSize}, .make = make_kernel<ShapeOf>},
    {.op = "Size", .inputs = {kFixedSize}, .make = make_kernel<Size>},
};

}  // namespace
}  // namespace ort_cpu
