// OneHot.
#include <cmath>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// The class that an index names, negative ones counted from the end; -1 if it is none of [-depth, depth).
template <class T>
int64_t class_of(T index, int64_t depth) {
  int64_t position = 0;
  if constexpr (std::is_integral_v<T>) {
    if (std::is_unsigned_v<T> && static_cast<uint64_t>(index) >= static_cast<uint64_t>(depth)) return -1;
    position = static_cast<int64_t>(index);
  } else {
    const double value = static_cast<double>(static_cast<compute_t<T>>(index));
    if (!(value >= -static_cast<double>(depth) && value < static_cast<double>(depth)) || value != std::floor(value))
      return -1;
    position = static_cast<int64_t>(value);
  }
  if (position < -depth || position >= depth) return -1;
  return position < 0 ? position + depth : position;
}

/// Y [outer, depth, inner] = values[1] where the middle coordinate, `axis`, is indices [outer, inner], else values[0].
class OneHot : public Kernel {
 public:
  explicit OneHot(const NodeSpec& node) : axis_(node.attributes.integer("axis", -1)) {}

  void plan(PlanContext& ctx) const override {
    const Shape& indices = ctx.shape(0);
    require(ctx.shape(2) == Shape{2}, "values have the shape ", ctx.shape(2), ", expected [2]");
    Shape out = indices;
    out.insert(normalize_axis(axis_, indices.rank() + 1), depth_of(ctx.value(1)));
    ctx.output(0, ctx.dtype(2), out);
  }

  void run(RunContext& ctx) const override {
    const Tensor &indices = ctx.input(0), &y = ctx.output(0);
    if (y.size() == 0) return;
    const int axis = normalize_axis(axis_, y.shape.rank());
    const int64_t outer = y.shape.size_to(axis), depth = y.shape[axis], inner = y.shape.size_from(axis + 1);
    const int64_t grain = std::max<int64_t>(1, 32768 / (depth * inner));
    dispatch_size(y.dtype, [&]<class V>() {
      const V off = ctx.input(2).as<const V>()[0], on = ctx.input(2).as<const V>()[1];
      dispatch_number(indices.dtype, [&]<class I>() {
        ctx.parallel_for(outer, grain, [&](int64_t begin, int64_t end) {
          const I* index = indices.as<const I>() + begin * inner;
          V* row = y.as<V>() + begin * depth * inner;
          std::fill_n(row, (end - begin) * depth * inner, off);
          for (int64_t i = begin; i < end; ++i, row += depth * inner)
            for (int64_t k = 0; k < inner; ++k)
              if (const int64_t hot = class_of(*index++, depth); hot >= 0) row[hot * inner + k] = on;
        });
      });
    });
  }

 private:
  static int64_t depth_of(const Tensor& depth) {
    require(depth.size() == 1, "depth has the shape ", depth.shape, ", expected one element");
    double value = 0;
    dispatch_number(depth.dtype,
                    [&]<class T>() { value = static_cast<double>(static_cast<compute_t<T>>(*depth.as<T>())); });
    require(value >= 0 && value < 0x1p62, "depth is ", value);
    return static_cast<int64_t>(value);
  }
  const int64_t axis_;
};

const Registration registration{
    {.op = "OneHot", .inputs = {kNumbers, kNumbers, kFixedSize}, .make = make_kernel<OneHot>}};

}  // namespace
}  // namespace ort_cpu
