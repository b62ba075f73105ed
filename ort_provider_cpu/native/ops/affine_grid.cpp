// AffineGrid.
#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// Y [N, *spatial, rank] = theta [N, rank, rank + 1] applied to the positions of an image, each from -1 to 1.
///
/// size is (N, C, *spatial), of two or three spatial axes.
class AffineGrid : public Kernel {
 public:
  explicit AffineGrid(const NodeSpec& node) : align_corners_(node.attributes.integer("align_corners", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    const std::vector<int64_t> size = to_int64(ctx.value(1));
    require(size.size() == 4 || size.size() == 5, "size has ", size.size(), " values, must have 4 or 5");
    const int rank = static_cast<int>(size.size()) - 2;
    const Shape& theta = ctx.shape(0);
    require(theta == Shape{size[0], rank, rank + 1}, "theta has shape ", theta, ", expected ",
            Shape{size[0], rank, rank + 1});
    Shape y{size[0]};
    for (int i = 0; i < rank; ++i) {
      require(size[2 + i] >= 0, "size[", 2 + i, "] is ", size[2 + i]);
      y.push_back(size[2 + i]);
    }
    y.push_back(rank);
    ctx.output(0, ctx.dtype(0), y);
  }

  void run(RunContext& ctx) const override {
    dispatch_float(ctx.output(0).dtype, [&]<class T>() { fill<T>(ctx); });
  }

 private:
  template <class T>
  void fill(RunContext& ctx) const {
    using A = compute_t<T>;
    const Shape& shape = ctx.output(0).shape;
    const int rank = static_cast<int>(shape.back());
    const int64_t depth = rank == 3 ? shape[1] : 1, height = shape[rank - 1], width = shape[rank];
    const T* theta = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    ctx.parallel_for(shape[0] * depth * height, 1 + 5000 / (1 + width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t n = row / (depth * height), d = row / height % depth, h = row % height;
        const T* m = theta + n * rank * (rank + 1);
        const double position_y = position(h, height), position_z = position(d, depth);
        T* to = y + row * width * rank;
        for (int64_t w = 0; w < width; ++w) {
          const A position_x = static_cast<A>(position(w, width));
          for (int i = 0; i < rank; ++i) {
            const T* line = m + i * (rank + 1);
            A value = static_cast<A>(line[0]) * position_x + static_cast<A>(line[1]) * static_cast<A>(position_y);
            if (rank == 3) value += static_cast<A>(line[2]) * static_cast<A>(position_z);
            *to++ = T(value + static_cast<A>(line[rank]));
          }
        }
      }
    });
  }

  double position(int64_t i, int64_t n) const {
    if (align_corners_) return n == 1 ? -1 : -1 + 2.0 * static_cast<double>(i) / static_cast<double>(n - 1);
    return (2.0 * static_cast<double>(i) + 1) / static_cast<double>(n) - 1;
  }

  const bool align_corners_;
};

const Registration registration{
    {.op = "AffineGrid", .inputs = {kFloats, DTypeSet{DType::i64}}, .make = make_kernel<AffineGrid>},
};

}  // namespace
}  // namespace ort_cpu
