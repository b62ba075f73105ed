// Split.
#include "engine/registry.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Y_i = consecutive parts of X along `axis`, of the sizes given or as equal as possible (the last one smaller).
class Split : public Kernel {
 public:
  explicit Split(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", 0)),
        parts_(node.attributes.integer("num_outputs", static_cast<int64_t>(node.outputs.size()))) {
    require(parts_ == static_cast<int64_t>(node.outputs.size()), "num_outputs is ", parts_, ", the node has ",
            node.outputs.size(), " outputs");
  }

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const int axis = normalize_axis(axis_, shape.rank());
    const std::vector<int64_t> sizes = sizes_of(ctx, shape[axis]);
    const bool is_view = shape.size_to(axis) == 1;
    const size_t inner_bytes = static_cast<size_t>(shape.size_from(axis + 1)) * size_of(ctx.dtype(0));
    size_t offset = 0;
    for (int i = 0; i < ctx.n_outputs(); ++i) {
      Shape out = shape;
      out[axis] = sizes[i];
      if (is_view) ctx.alias(i, 0, out, offset);
      else ctx.output(i, ctx.dtype(0), out);
      offset += static_cast<size_t>(sizes[i]) * inner_bytes;
    }
    std::vector<Part> copies;
    if (!is_view && shape.size() > 0) copies = parts_of(ctx, shape, axis, sizes);
    ctx.state(std::move(copies));
  }

  void run(RunContext& ctx) const override {
    for (const Part& part : ctx.state<std::vector<Part>>())
      part.copy.run(ctx, ctx.input(0).as<const char>() + part.offset_bytes, ctx.output(part.output).data);
  }

 private:
  struct Part {
    int output;
    int64_t offset_bytes;
    StridedCopy copy;
  };

  std::vector<int64_t> sizes_of(const PlanContext& ctx, int64_t total) const {
    const size_t count = static_cast<size_t>(ctx.n_outputs());
    if (!ctx.has_input(1)) {
      const int64_t n = static_cast<int64_t>(count), part = total / n + (total % n != 0);
      std::vector<int64_t> sizes(count);
      for (int64_t i = 0; i < n; ++i) sizes[i] = std::clamp<int64_t>(total - i * part, 0, part);
      return sizes;
    }
    std::vector<int64_t> sizes = to_int64(ctx.value(1));
    require(sizes.size() == count, "split has ", sizes.size(), " sizes for ", count, " outputs");
    int64_t rest = total;
    for (int64_t size : sizes) {
      require(size >= 0 && size <= rest, "the sizes of split must not be negative and add up to ", total);
      rest -= size;
    }
    require(rest == 0, "the sizes of split add up to ", total - rest, ", the axis has ", total);
    return sizes;
  }

  static std::vector<Part> parts_of(const PlanContext& ctx, const Shape& shape, int axis,
                                    const std::vector<int64_t>& sizes) {
    const int64_t inner = shape.size_from(axis + 1), outer = shape.size_to(axis);
    const int64_t element = static_cast<int64_t>(size_of(ctx.dtype(0)));
    std::vector<Part> parts;
    int64_t offset = 0;
    for (int i = 0; i < ctx.n_outputs(); ++i) {
      const int64_t dims[]{outer, sizes[i] * inner}, from[]{shape[axis] * inner, 1}, to[]{sizes[i] * inner, 1};
      if (ctx.wants(i) && sizes[i] > 0)
        parts.push_back({i, offset * inner * element, StridedCopy(static_cast<size_t>(element), dims, from, to)});
      offset += sizes[i];
    }
    return parts;
  }

  const int64_t axis_, parts_;
};

const Registration registration{{.op = "Split", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<Split>}};

}  // namespace
}  // namespace ort_cpu
