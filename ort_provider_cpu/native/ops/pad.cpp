// Pad, CenterCropPad.
#include "engine/registry.h"
#include "ops/pad_border.h"

namespace ort_cpu {
namespace {

/// The axes named by a tensor or list, or all of them, each at most once.
std::vector<int> axes_of(const std::vector<int64_t>* given, int rank) {
  std::vector<int> axes;
  unsigned seen = 0;
  const int64_t count = given != nullptr ? static_cast<int64_t>(given->size()) : rank;
  for (int64_t i = 0; i < count; ++i) {
    const int axis = given != nullptr ? normalize_axis((*given)[i], rank) : static_cast<int>(i);
    require((seen >> axis & 1u) == 0, "axis ", axis, " is named twice");
    seen |= 1u << axis;
    axes.push_back(axis);
  }
  return axes;
}

void plan_copy(PlanContext& ctx, PaddedCopy copy) {
  if (copy.is_identity()) ctx.alias(0, 0, copy.out());
  else ctx.output(0, ctx.dtype(0), copy.out());
  ctx.state(std::move(copy));
}

/// Y = X with padding [begins, ends] around its axes: a constant, or X reflected, continued or repeated; negative pads
/// crop.
class Pad : public Kernel {
 public:
  explicit Pad(const NodeSpec& node) : mode_(parse_pad_mode(node.attributes.text("mode", "constant"))) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const std::vector<int64_t> pads = to_int64(ctx.value(1));
    std::vector<int64_t> given;
    if (ctx.has_input(3)) given = to_int64(ctx.value(3));
    const std::vector<int> axes = axes_of(ctx.has_input(3) ? &given : nullptr, shape.rank());
    require(pads.size() == 2 * axes.size(), "pads has ", pads.size(), " values for ", axes.size(), " axes");
    if (ctx.has_input(2)) require(ctx.shape(2).size() <= 1, "constant_value has the shape ", ctx.shape(2));
    std::vector<int64_t> begins(static_cast<size_t>(shape.rank())), ends = begins;
    for (size_t i = 0; i < axes.size(); ++i) {
      begins[static_cast<size_t>(axes[i])] = pads[i];
      ends[static_cast<size_t>(axes[i])] = pads[axes.size() + i];
    }
    plan_copy(ctx, PaddedCopy(mode_, shape, begins, ends));
  }

  void run(RunContext& ctx) const override {
    const bool has_value = ctx.has_input(2) && ctx.input(2).size() == 1;
    ctx.state<PaddedCopy>().run(ctx, ctx.input(0), has_value ? ctx.input(2).data : nullptr, ctx.output(0));
  }

 private:
  const PadMode mode_;
};

/// Y = the middle of X, or X in the middle of zeros, so that `axes` (all by default) get the sizes of `shape`.
class CenterCropPad : public Kernel {
 public:
  explicit CenterCropPad(const NodeSpec& node)
      : has_axes_(node.attributes.has("axes")), axes_(node.attributes.integers("axes")) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const std::vector<int64_t> sizes = to_int64(ctx.value(1));
    const std::vector<int> axes = axes_of(has_axes_ ? &axes_ : nullptr, shape.rank());
    require(sizes.size() == axes.size(), "shape has ", sizes.size(), " values for ", axes.size(), " axes");
    std::vector<int64_t> begins(static_cast<size_t>(shape.rank())), ends = begins;
    for (size_t i = 0; i < axes.size(); ++i) {
      require(sizes[i] >= 0, "shape has the negative value ", sizes[i]);
      const int64_t added = sizes[i] - shape[axes[i]];
      begins[static_cast<size_t>(axes[i])] = added / 2;
      ends[static_cast<size_t>(axes[i])] = added - added / 2;
    }
    plan_copy(ctx, PaddedCopy(PadMode::constant, shape, begins, ends));
  }

  void run(RunContext& ctx) const override { ctx.state<PaddedCopy>().run(ctx, ctx.input(0), nullptr, ctx.output(0)); }

 private:
  const bool has_axes_;
  const std::vector<int64_t> axes_;
};

const Registration registration{
    {.op = "Pad", .inputs = {kFixedSize, {DType::i64}, kFixedSize, kIndices}, .make = make_kernel<Pad>},
    {.op = "CenterCropPad", .inputs = {kFixedSize, kIndices}, .make = make_kernel<CenterCropPad>},
};

}  // namespace
}  // namespace ort_cpu
