// Slice.
#include "engine/registry.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// What one axis keeps: `size` indices from `start`, `step` apart.
struct Range {
  int64_t start = 0, size = 0, step = 1;
};

/// Counts negative ends from the axis' end and clamps both, so that no value of the three overflows.
Range clamp_range(int64_t start, int64_t end, int64_t step, int64_t dim) {
  require(step != 0, "a step of 0 is not allowed");
  if (dim == 0) return {0, 0, 1};
  const auto clamp = [dim](int64_t i, int64_t lowest, int64_t highest) {
    return std::clamp(i < -dim ? -1 : i < 0 ? i + dim : i, lowest, highest);
  };
  const bool backward = step < 0;
  const int64_t first = backward ? clamp(start, 0, dim - 1) : clamp(start, 0, dim);
  const int64_t last = backward ? clamp(end, -1, dim - 1) : clamp(end, 0, dim);
  const uint64_t distance = static_cast<uint64_t>(std::max<int64_t>(0, backward ? first - last : last - first));
  const uint64_t stride = backward ? uint64_t{0} - static_cast<uint64_t>(step) : static_cast<uint64_t>(step);
  const int64_t size = distance == 0 ? 0 : static_cast<int64_t>((distance - 1) / stride + 1);
  return {size > 0 ? first : 0, size, size > 1 ? step : 1};
}

/// Y = data[starts:ends:steps] along `axes`, by default along the first ones.
class Slice : public Kernel {
 public:
  explicit Slice(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    std::array<Range, kMaxRank> ranges;
    for (int i = 0; i < shape.rank(); ++i) ranges[i] = {0, shape[i], 1};
    read_ranges(ctx, shape, ranges);

    Shape out = shape;
    for (int i = 0; i < shape.rank(); ++i) out[i] = ranges[i].size;
    if (out.size() == 0) {
      ctx.output(0, ctx.dtype(0), out);
      ctx.state(Copy{});
      return;
    }
    const auto strides = strides_of(shape);
    std::array<int64_t, kMaxRank> from{};
    int64_t offset = 0;
    for (int i = 0; i < shape.rank(); ++i) {
      offset += ranges[i].start * strides[i];
      from[i] = ranges[i].step * strides[i];
    }
    const size_t rank = static_cast<size_t>(shape.rank()), element = size_of(ctx.dtype(0));
    const auto to = strides_of(out);
    const StridedCopy copy(element, out.dims(), std::span(from).first(rank), std::span(to).first(rank));
    const int64_t offset_bytes = offset * static_cast<int64_t>(element);
    if (copy.is_contiguous()) {
      ctx.alias(0, 0, out, static_cast<size_t>(offset_bytes));
      ctx.state(Copy{});
    } else {
      ctx.output(0, ctx.dtype(0), out);
      ctx.state(Copy{offset_bytes, copy});
    }
  }

  void run(RunContext& ctx) const override {
    const Copy& copy = ctx.state<Copy>();
    copy.strided.run(ctx, ctx.input(0).as<const char>() + copy.offset_bytes, ctx.output(0).data);
  }

 private:
  struct Copy {
    int64_t offset_bytes = 0;
    StridedCopy strided;
  };

  static void read_ranges(const PlanContext& ctx, const Shape& shape, std::array<Range, kMaxRank>& ranges) {
    const std::vector<int64_t> starts = to_int64(ctx.value(1)), ends = to_int64(ctx.value(2));
    const std::vector<int64_t> axes = ctx.has_input(3) ? to_int64(ctx.value(3)) : std::vector<int64_t>{};
    const std::vector<int64_t> steps = ctx.has_input(4) ? to_int64(ctx.value(4)) : std::vector<int64_t>{};
    require(ends.size() == starts.size(), "starts has ", starts.size(), " values, ends has ", ends.size());
    require(!ctx.has_input(3) || axes.size() == starts.size(), "starts has ", starts.size(), " values, axes has ",
            axes.size());
    require(!ctx.has_input(4) || steps.size() == starts.size(), "starts has ", starts.size(), " values, steps has ",
            steps.size());
    require(ctx.has_input(3) || static_cast<int>(starts.size()) <= shape.rank(), "starts has ", starts.size(),
            " values for rank ", shape.rank());
    unsigned seen = 0;
    for (size_t i = 0; i < starts.size(); ++i) {
      const int axis = normalize_axis(ctx.has_input(3) ? axes[i] : static_cast<int64_t>(i), shape.rank());
      require((seen >> axis & 1u) == 0, "axis ", axis, " is named twice");
      seen |= 1u << axis;
      ranges[axis] = clamp_range(starts[i], ends[i], ctx.has_input(4) ? steps[i] : 1, shape[axis]);
    }
  }
};

const Registration registration{{.op = "Slice", .inputs = {kFixedSize, kIndices}, .make = make_kernel<Slice>}};

}  // namespace
}  // namespace ort_cpu
