// Transpose.
#include "engine/registry.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Y [d_perm[0], d_perm[1], ...] = X [d_0, d_1, ...] with its axes in the order `perm`, reversed by default.
class Transpose : public Kernel {
 public:
  explicit Transpose(const NodeSpec& node) : perm_(node.attributes.integers("perm")) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const int rank = shape.rank();
    require(perm_.empty() || static_cast<int>(perm_.size()) == rank, "perm has ", perm_.size(), " axes for rank ",
            rank);
    std::array<int, kMaxRank> axes{};
    Shape out = Shape::filled(rank, 0);
    unsigned seen = 0;
    for (int i = 0; i < rank; ++i) {
      axes[i] = perm_.empty() ? rank - 1 - i : normalize_axis(perm_[i], rank);
      require((seen >> axes[i] & 1u) == 0, "perm names axis ", axes[i], " twice");
      seen |= 1u << axes[i];
      out[i] = shape[axes[i]];
    }
    const StridedCopy copy =
        permutation(size_of(ctx.dtype(0)), shape, std::span(axes).first(static_cast<size_t>(rank)));
    if (shape.size() == 0 || copy.is_contiguous()) {
      ctx.alias(0, 0, out);
      return;
    }
    ctx.output(0, ctx.dtype(0), out);
    ctx.state(copy);
  }

  void run(RunContext& ctx) const override {
    const void* x = ctx.input(0).data;
    void* y = ctx.output(0).data;
    if (x != y) ctx.state<StridedCopy>().run(ctx, x, y);
  }

 private:
  const std::vector<int64_t> perm_;
};

const Registration registration{{.op = "Transpose", .inputs = {kFixedSize}, .make = make_kernel<Transpose>}};

}  // namespace
}  // namespace ort_cpu
