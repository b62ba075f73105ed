// Compress.
#include "engine/registry.h"
#include "ops/transpose_copy.h"
#include "simd/transpose.h"

namespace ort_cpu {
namespace {

/// Y [outer, count, inner] = the slices of X [outer, D, inner] along `axis` whose condition holds; all of X is one axis
/// by default.
class Compress : public Kernel {
 public:
  explicit Compress(const NodeSpec& node)
      : has_axis_(node.attributes.has("axis")), axis_(node.attributes.integer("axis", 0)) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const int axis = has_axis_ ? normalize_axis(axis_, shape.rank()) : 0;
    require(ctx.shape(1).rank() == 1, "the condition must be a vector, it has the shape ", ctx.shape(1));
    const int64_t size = has_axis_ ? shape[axis] : shape.size();
    const std::span<const uint8_t> condition = ctx.value(1).elements<const uint8_t>();
    Selection selection{has_axis_ ? shape.size_to(axis) : 1, size, has_axis_ ? shape.size_from(axis + 1) : 1, {}};
    for (size_t i = 0; i < condition.size(); ++i) {
      if (condition[i] == 0) continue;
      require(static_cast<int64_t>(i) < size, "the condition selects index ", i, " of an axis of ", size);
      selection.indices.push_back(static_cast<int64_t>(i));
    }
    Shape out = has_axis_ ? shape : Shape{0};
    out[axis] = static_cast<int64_t>(selection.indices.size());
    ctx.output(0, ctx.dtype(0), out);
    ctx.state(std::move(selection));
  }

  void run(RunContext& ctx) const override {
    const auto& [outer, size, inner, indices] = ctx.state<Selection>();
    const int64_t element = static_cast<int64_t>(size_of(ctx.input(0).dtype)), bytes = inner * element;
    const int64_t count = static_cast<int64_t>(indices.size());
    const char* x = ctx.input(0).as<const char>();
    char* y = ctx.output(0).as<char>();
    const auto& table = simd::movement_table();
    ctx.parallel_for(outer * count, kCopyGrainBytes / (bytes + 16) + 1,
                     [&, n = size, &from = indices](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i)
                         table.copy_rows(x + (i / count * n + from[static_cast<size_t>(i % count)]) * bytes, 0,
                                         y + i * bytes, 0, 1, static_cast<size_t>(bytes));
                     });
  }

 private:
  struct Selection {
    int64_t outer, size, inner;
    std::vector<int64_t> indices;
  };
  const bool has_axis_;
  const int64_t axis_;
};

const Registration registration{{.op = "Compress", .inputs = {kFixedSize, kBool}, .make = make_kernel<Compress>}};

}  // namespace
}  // namespace ort_cpu
