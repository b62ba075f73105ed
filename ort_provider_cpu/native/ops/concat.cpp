// Concat.
#include <cstring>

#include "engine/registry.h"
#include "ops/transpose_copy.h"
#include "simd/transpose.h"

namespace ort_cpu {
namespace {

/// Y [..., d_0 + d_1 + ..., ...] = the inputs one after another along `axis`.
class Concat : public Kernel {
 public:
  explicit Concat(const NodeSpec& node) : axis_(node.attributes.integer("axis", 0)) {
    require(node.attributes.has("axis"), "the attribute 'axis' is missing");
    require(node.n_inputs() > 0, "there is no input");
  }

  void plan(PlanContext& ctx) const override {
    Shape out = ctx.shape(0);
    require(out.rank() > 0, "scalars cannot be concatenated");
    const int axis = normalize_axis(axis_, out.rank());
    for (int i = 1; i < ctx.n_inputs(); ++i) {
      const Shape& shape = ctx.shape(i);
      require(shape.rank() == out.rank(), "input ", i, " has the shape ", shape,
              ", another rank than input 0 of the shape ", ctx.shape(0));
      for (int d = 0; d < out.rank(); ++d)
        require(d == axis || shape[d] == out[d], "input ", i, " has the shape ", shape,
                ", which differs from that of input 0, ", ctx.shape(0), ", outside axis ", axis);
      require(!__builtin_add_overflow(out[axis], shape[axis], &out[axis]), "the output would be too large");
    }
    if (ctx.n_inputs() == 1) {
      ctx.alias(0, 0, out);
    } else {
      ctx.output(0, ctx.dtype(0), out);
    }
  }

  void run(RunContext& ctx) const override {
    const Tensor& y = ctx.output(0);
    if (ctx.n_inputs() == 1 || y.size() == 0) return;
    const int axis = normalize_axis(axis_, y.shape.rank());
    const int64_t outer = y.shape.size_to(axis);
    const int64_t row_bytes = static_cast<int64_t>(y.size_bytes()) / outer;
    if (outer == 1 || outer < 4 * ctx.threads()) {
      ctx.parallel_for(row_bytes, std::max<int64_t>(1, kCopyGrainBytes / outer),
                       [&](int64_t begin, int64_t end) { copy_columns(ctx, outer, row_bytes, begin, end); });
    } else {
      ctx.parallel_for(outer, std::max<int64_t>(1, kCopyGrainBytes / row_bytes),
                       [&](int64_t begin, int64_t end) { copy_rows(ctx, outer, row_bytes, begin, end); });
    }
  }

 private:
  /// Writes the bytes [begin, end) of each row of the output.
  static void copy_columns(const RunContext& ctx, int64_t outer, int64_t row_bytes, int64_t begin, int64_t end) {
    int64_t offset = 0;
    for (int i = 0; i < ctx.n_inputs() && offset < end; ++i) {
      const int64_t bytes = static_cast<int64_t>(ctx.input(i).size_bytes()) / outer;
      const int64_t first = std::max(begin, offset), last = std::min(end, offset + bytes);
      for (int64_t row = 0; row < outer && first < last; ++row)
        std::memcpy(ctx.output(0).as<char>() + row * row_bytes + first,
                    ctx.input(i).as<const char>() + row * bytes + (first - offset), static_cast<size_t>(last - first));
      offset += bytes;
    }
  }
  /// Writes the rows [begin, end) of the output.
  static void copy_rows(const RunContext& ctx, int64_t outer, int64_t row_bytes, int64_t begin, int64_t end) {
    char* y = ctx.output(0).as<char>() + begin * row_bytes;
    for (int i = 0; i < ctx.n_inputs(); ++i) {
      const int64_t bytes = static_cast<int64_t>(ctx.input(i).size_bytes()) / outer;
      simd::movement_table().copy_rows(ctx.input(i).as<const char>() + begin * bytes, bytes, y, row_bytes, end - begin,
                                       static_cast<size_t>(bytes));
      y += bytes;
    }
  }

  const int64_t axis_;
};

const Registration registration{{.op = "Concat", .inputs = {kFixedSize}, .make = make_kernel<Concat>}};

}  // namespace
}  // namespace ort_cpu
