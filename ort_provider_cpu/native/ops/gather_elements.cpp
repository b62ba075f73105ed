// GatherElements.
#include "engine/registry.h"
#include "ops/gather_index.h"

namespace ort_cpu {
namespace {

/// Y[i, j, k] = data[indices[i, j, k], j, k] for axis 0, likewise for others.
class GatherElements : public Kernel {
 public:
  explicit GatherElements(const NodeSpec& node) : axis_(node.attributes.integer("axis", 0)) {}

  void plan(PlanContext& ctx) const override {
    ctx.output(0, ctx.dtype(0), ctx.shape(1));
    ctx.state(ElementRows(ctx.shape(0), ctx.shape(1), axis_));
  }

  void run(RunContext& ctx) const override {
    const auto& rows = ctx.state<ElementRows>();
    const IndexReader indices(ctx.input(1));
    const int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, rows.length));
    dispatch_size(ctx.input(0).dtype, [&]<class T>() {
      const T* data = ctx.input(0).as<const T>();
      T* y = ctx.output(0).as<T>();
      ctx.parallel_for(rows.count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const T* base = data + rows.offset(row);
          for (int64_t i = 0, at = row * rows.length; i < rows.length; ++i, ++at)
            y[at] = base[i * rows.step + checked_index(indices[at], rows.size) * rows.stride];
        }
      });
    });
  }

 private:
  const int64_t axis_;
};

const Registration registration{
    {.op = "GatherElements", .inputs = {kFixedSize, kIndices}, .make = make_kernel<GatherElements>}};

}  // namespace
}  // namespace ort_cpu
