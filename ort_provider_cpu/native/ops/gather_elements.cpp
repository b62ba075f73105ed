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
    dispatch_size(ctx.input(0).dtype, [&]<class T>() {
      if (ctx.input(1).dtype == DType::i32) gather<T, int32_t>(ctx);
      else gather<T, int64_t>(ctx);
    });
  }

 private:
  template <class T, class Index>
  static void gather(const RunContext& ctx) {
    const auto& rows = ctx.state<ElementRows>();
    const T* data = ctx.input(0).as<const T>();
    T* const y = ctx.output(0).as<T>();
    const int64_t length = rows.length, size = rows.size, stride = rows.stride, step = rows.step;  // step 0: stride 1
    ctx.parallel_for(rows.count, 8192 / (length + 1) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* base = data + rows.offset(row);
        const Index* index = ctx.input(1).as<const Index>() + row * length;
        T* to = y + row * length;
        if (step == 0)
          for (int64_t i = 0; i < length; ++i) to[i] = base[checked_index(index[i], size)];
        else
          for (int64_t i = 0; i < length; ++i) to[i] = base[i + checked_index(index[i], size) * stride];
      }
    });
  }

  const int64_t axis_;
};

const Registration registration{
    {.op = "GatherElements", .inputs = {kFixedSize, kIndices}, .make = make_kernel<GatherElements>}};

}  // namespace
}  // namespace ort_cpu
