// ReverseSequence.
#include "engine/registry.h"
#include "ops/transpose_copy.h"
#include "simd/transpose.h"

namespace ort_cpu {
namespace {

/// Y [T, B, ...] = X with the first sequence_lens[b] steps of each batch in reverse order; the two axes may be swapped.
class ReverseSequence : public Kernel {
 public:
  explicit ReverseSequence(const NodeSpec& node)
      : time_axis_(node.attributes.integer("time_axis", 0)), batch_axis_(node.attributes.integer("batch_axis", 1)) {
    require((time_axis_ == 0 && batch_axis_ == 1) || (time_axis_ == 1 && batch_axis_ == 0), "time_axis is ", time_axis_,
            " and batch_axis ", batch_axis_, "; they must be 0 and 1");
  }

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    require(shape.rank() >= 2, "the input must have at least two dimensions, got ", shape);
    require(ctx.shape(1) == Shape{shape[static_cast<int>(batch_axis_)]}, "sequence_lens have the shape ", ctx.shape(1),
            " for a batch of ", shape[static_cast<int>(batch_axis_)]);
    ctx.output(0, ctx.dtype(0), shape);
  }

  void run(RunContext& ctx) const override {
    const Tensor &x = ctx.input(0), &y = ctx.output(0);
    const int64_t batches = x.shape[static_cast<int>(batch_axis_)], steps = x.shape[static_cast<int>(time_axis_)];
    const int64_t* lengths = ctx.input(1).as<const int64_t>();
    for (int64_t b = 0; b < batches; ++b)
      require(lengths[b] >= 0 && lengths[b] <= steps, "the length ", lengths[b], " of batch ", b, " is not in [0, ",
              steps, "]");
    if (x.size() == 0) return;
    const int64_t bytes = x.shape.size_from(2) * static_cast<int64_t>(size_of(x.dtype));
    const int64_t columns = x.shape[1];
    const auto& table = simd::movement_table();
    ctx.parallel_for(batches * steps, kCopyGrainBytes / bytes + 1, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const int64_t row = at / columns, column = at % columns;
        const int64_t step = time_axis_ == 0 ? row : column, length = lengths[time_axis_ == 0 ? column : row];
        const int64_t shift = step < length ? (length - 1 - 2 * step) * (time_axis_ == 0 ? columns : 1) : 0;
        table.copy_rows(x.as<const char>() + (at + shift) * bytes, 0, y.as<char>() + at * bytes, 0, 1,
                        static_cast<size_t>(bytes));
      }
    });
  }

 private:
  const int64_t time_axis_, batch_axis_;
};

const Registration registration{
    {.op = "ReverseSequence", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<ReverseSequence>}};

}  // namespace
}  // namespace ort_cpu
