// TensorScatter.
#include "engine/registry.h"
#include "ops/transpose_copy.h"
#include "simd/transpose.h"

namespace ort_cpu {
namespace {

/// present [B, ..., L, ...] = past, with update [B, ..., S, ...] from write_indices[b] on along `axis`; circular mode
/// wraps.
class TensorScatter : public Kernel {
 public:
  explicit TensorScatter(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", -2)), is_circular_(node.attributes.text("mode", "linear") == "circular") {
    const std::string mode = node.attributes.text("mode", "linear");
    require(is_circular_ || mode == "linear", "the mode '", mode, "' is unknown; it must be linear or circular");
  }

  void plan(PlanContext& ctx) const override {
    const Shape &past = ctx.shape(0), &update = ctx.shape(1);
    const int axis = normalize_axis(axis_, past.rank());
    require(axis > 0, "axis 0 is the batch, it cannot be the sequence");
    require(update.rank() == past.rank(), "update has the shape ", update,
            ", another rank than the cache of the shape ", past);
    for (int i = 0; i < past.rank(); ++i)
      require(i == axis ? update[i] <= past[i] : update[i] == past[i], "update of the shape ", update,
              " does not fit the cache of the shape ", past);
    if (ctx.has_input(2))
      require(ctx.shape(2) == Shape{past[0]}, "write_indices have the shape ", ctx.shape(2), " for a batch of ",
              past[0]);
    ctx.output(0, ctx.dtype(0), past);
    if (&ctx.shape(0) != &ctx.shape(1)) ctx.may_overwrite(0, 0);
  }

  void run(RunContext& ctx) const override {
    const Tensor &past = ctx.input(0), &update = ctx.input(1), &present = ctx.output(0);
    if (past.data != present.data) copy_bytes(ctx, past.data, present.data, past.size_bytes());
    if (update.size() == 0) return;
    const int axis = normalize_axis(axis_, past.shape.rank());
    const int64_t length = past.shape[axis], steps = update.shape[axis], batches = past.shape[0];
    const int64_t bytes = past.shape.size_from(axis + 1) * static_cast<int64_t>(size_of(past.dtype));
    const int64_t rows = past.shape.product(1, axis);
    const auto& table = simd::movement_table();
    for (int64_t b = 0; b < batches; ++b) {
      const int64_t start = first_step(ctx, b, length, steps);
      const int64_t before_end = std::min(steps, length - start);
      const char* from = update.as<const char>() + b * rows * steps * bytes;
      char* to = present.as<char>() + b * rows * length * bytes;
      table.copy_rows(from, steps * bytes, to + start * bytes, length * bytes, rows,
                      static_cast<size_t>(before_end * bytes));
      table.copy_rows(from + before_end * bytes, steps * bytes, to, length * bytes, rows,
                      static_cast<size_t>((steps - before_end) * bytes));
    }
  }

 private:
  int64_t first_step(const RunContext& ctx, int64_t batch, int64_t length, int64_t steps) const {
    const int64_t index = ctx.has_input(2) ? ctx.input(2).as<const int64_t>()[batch] : 0;
    if (is_circular_) return (index % length + length) % length;
    require(index >= 0 && index <= length - steps, "write index ", index, " of batch ", batch, " leaves no room for ",
            steps, " steps in a cache of ", length);
    return index;
  }

  const int64_t axis_;
  const bool is_circular_;
};

const Registration registration{
    {.op = "TensorScatter", .inputs = {kFixedSize, kFixedSize, {DType::i64}}, .make = make_kernel<TensorScatter>}};

}  // namespace
}  // namespace ort_cpu
