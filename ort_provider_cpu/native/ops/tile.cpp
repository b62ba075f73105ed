// Tile.
#include "engine/registry.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Y [d_0 * repeats_0, ...] = X [d_0, ...] repeated along each axis.
class Tile : public Kernel {
 public:
  explicit Tile(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const std::vector<int64_t> repeats = to_int64(ctx.value(1));
    require(static_cast<int>(repeats.size()) == shape.rank(), "repeats has ", repeats.size(), " values for rank ",
            shape.rank());
    Shape out = shape;
    for (int i = 0; i < shape.rank(); ++i) {
      require(repeats[i] >= 0, "repeats has the negative value ", repeats[i]);
      require(!__builtin_mul_overflow(shape[i], repeats[i], &out[i]), "axis ", i, " of ", shape[i],
              " cannot be repeated ", repeats[i], " times");
    }
    if (out.size() == shape.size()) {
      ctx.alias(0, 0, out);
      ctx.state(StridedCopy{});
      return;
    }
    ctx.output(0, ctx.dtype(0), out);
    ctx.state(out.size() == 0 ? StridedCopy{} : repetition(size_of(ctx.dtype(0)), shape, out, repeats));
  }

  void run(RunContext& ctx) const override { ctx.state<StridedCopy>().run(ctx, ctx.input(0).data, ctx.output(0).data); }

 private:
  /// Each axis as [repeats, size], the first of which the source broadcasts.
  static StridedCopy repetition(size_t element_bytes, const Shape& shape, const Shape& out,
                                const std::vector<int64_t>& repeats) {
    const auto own = strides_of(shape), target = strides_of(out);
    std::array<int64_t, 2 * kMaxRank> dims{}, from{}, to{};
    for (int i = 0; i < shape.rank(); ++i) {
      dims[2 * i] = repeats[i];
      to[2 * i] = shape[i] * target[i];
      dims[2 * i + 1] = shape[i];
      from[2 * i + 1] = own[i];
      to[2 * i + 1] = target[i];
    }
    const size_t n = 2 * static_cast<size_t>(shape.rank());
    return {element_bytes, std::span(dims).first(n), std::span(from).first(n), std::span(to).first(n)};
  }
};

const Registration registration{{.op = "Tile", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<Tile>}};

}  // namespace
}  // namespace ort_cpu
