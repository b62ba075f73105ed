// DepthToSpace, SpaceToDepth.
#include "engine/registry.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Base of the two: a permutation of a view of rank 6.
class Blocks : public Kernel {
 public:
  explicit Blocks(const NodeSpec& node)
      : block_(node.attributes.integer("blocksize", 0)), is_crd_(node.attributes.text("mode", "DCR") == "CRD") {
    const std::string mode = node.attributes.text("mode", "DCR");
    require(is_crd_ || mode == "DCR", "the mode '", mode, "' is unknown; it must be DCR or CRD");
    require(block_ >= 1 && block_ < (int64_t{1} << 30), "blocksize is ", block_);
  }
  void run(RunContext& ctx) const override { ctx.state<StridedCopy>().run(ctx, ctx.input(0).data, ctx.output(0).data); }

 protected:
  static void plan_permutation(PlanContext& ctx, const Shape& view, const std::array<int, 6>& axes, const Shape& out) {
    ctx.output(0, ctx.dtype(0), out);
    ctx.state(permutation(size_of(ctx.dtype(0)), view, axes));
  }
  const int64_t block_;
  const bool is_crd_;
};

/// Y [N, C / b^2, H * b, W * b] = X [N, C, H, W] with blocks of channels as b x b pixels; mode DCR counts the blocks
/// first.
class DepthToSpace : public Blocks {
 public:
  using Blocks::Blocks;

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() == 4, "the input must have the shape [N, C, H, W], got ", x);
    require(x[1] % (block_ * block_) == 0, "the ", x[1], " channels are no multiple of blocks of ", block_, " x ",
            block_);
    const int64_t kept = x[1] / (block_ * block_);
    const Shape out{x[0], kept, checked_product(x[2]), checked_product(x[3])};
    if (is_crd_) plan_permutation(ctx, {x[0], kept, block_, block_, x[2], x[3]}, {0, 1, 4, 2, 5, 3}, out);
    else plan_permutation(ctx, {x[0], block_, block_, kept, x[2], x[3]}, {0, 3, 4, 1, 5, 2}, out);
  }

 private:
  int64_t checked_product(int64_t size) const {
    int64_t product = 0;
    require(!__builtin_mul_overflow(size, block_, &product), "the output would be too large");
    return product;
  }
};

/// Y [N, C * b^2, H / b, W / b] = X [N, C, H, W] with b x b pixels as blocks of channels; mode DCR counts the blocks
/// first.
class SpaceToDepth : public Blocks {
 public:
  using Blocks::Blocks;

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() == 4, "the input must have the shape [N, C, H, W], got ", x);
    require(x[2] % block_ == 0 && x[3] % block_ == 0, "images of ", x[2], " x ", x[3], " are no multiple of blocks of ",
            block_, " x ", block_);
    int64_t channels = 0;
    require(!__builtin_mul_overflow(x[1], block_ * block_, &channels), "the output would be too large");
    const int64_t rows = x[2] / block_, columns = x[3] / block_;
    const std::array<int, 6> axes = is_crd_ ? std::array{0, 1, 3, 5, 2, 4} : std::array{0, 3, 5, 1, 2, 4};
    plan_permutation(ctx, {x[0], x[1], rows, block_, columns, block_}, axes, {x[0], channels, rows, columns});
  }
};

const Registration registration{
    {.op = "DepthToSpace", .inputs = {kFixedSize}, .make = make_kernel<DepthToSpace>},
    {.op = "SpaceToDepth", .inputs = {kFixedSize}, .make = make_kernel<SpaceToDepth>},
};

}  // namespace
}  // namespace ort_cpu
