// Trilu.
#include <cstring>

#include "engine/registry.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Y [*, N, M] = X where column - row >= k (upper) or <= k (lower), else 0.
class Trilu : public Kernel {
 public:
  explicit Trilu(const NodeSpec& node) : is_upper_(node.attributes.integer("upper", 1) != 0) {}

  void plan(PlanContext& ctx) const override {
    require(ctx.shape(0).rank() >= 2, "the input must have at least two dimensions, got ", ctx.shape(0));
    if (ctx.has_input(1)) require(ctx.shape(1).size() == 1, "k has the shape ", ctx.shape(1), ", expected one element");
    ctx.output(0, ctx.dtype(0), ctx.shape(0));
    ctx.may_overwrite(0, 0);
  }

  void run(RunContext& ctx) const override {
    const Tensor &x = ctx.input(0), &y = ctx.output(0);
    const int64_t rows = x.shape.back(1), columns = x.shape.back(0), element = static_cast<int64_t>(size_of(x.dtype));
    if (x.size() == 0) return;
    const int64_t k = std::clamp<int64_t>(ctx.has_input(1) ? *ctx.input(1).as<const int64_t>() : 0, -rows, columns);
    const char* from = x.as<const char>();
    char* to = y.as<char>();
    const auto copy = [&](int64_t row, int64_t first, int64_t last) {
      const int64_t at = (row * columns + first) * element;
      if (from != to) std::memcpy(to + at, from + at, static_cast<size_t>((last - first) * element));
    };
    const auto clear = [&](int64_t row, int64_t first, int64_t last) {
      std::memset(to + (row * columns + first) * element, 0, static_cast<size_t>((last - first) * element));
    };
    ctx.parallel_for(x.size() / columns, kCopyGrainBytes / (columns * element) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t edge = std::clamp<int64_t>(row % rows + k + (is_upper_ ? 0 : 1), 0, columns);
        if (is_upper_) {
          clear(row, 0, edge);
          copy(row, edge, columns);
        } else {
          copy(row, 0, edge);
          clear(row, edge, columns);
        }
      }
    });
  }

 private:
  const bool is_upper_;
};

const Registration registration{{.op = "Trilu", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<Trilu>}};

}  // namespace
}  // namespace ort_cpu
