// MaxUnpool.
#include <cstring>

#include "engine/registry.h"
#include "ops/pool_geometry.h"

namespace ort_cpu {
namespace {

/// y = zeros, with x at the flat `indices` into the tensor that was pooled. x, indices [N, C, *spatial] -> y [N, C,
/// *out].
///
/// An `output_shape` larger than what was pooled adds zeros after each axis.
class MaxUnpool : public Kernel {
 public:
  explicit MaxUnpool(const NodeSpec& node)
      : kernel_(node.attributes.integers("kernel_shape")),
        strides_(node.attributes.integers("strides")),
        pads_(node.attributes.integers("pads")) {
    const size_t rank = kernel_.size();
    if (strides_.empty()) strides_.assign(rank, 1);
    if (pads_.empty()) pads_.assign(2 * rank, 0);
    require(strides_.size() == rank && pads_.size() == 2 * rank, "kernel_shape of ", rank, " values does not fit ",
            strides_.size(), " strides and ", pads_.size(), " pads");
  }

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    const int rank = static_cast<int>(kernel_.size());
    require(x.rank() == rank + 2, "kernel_shape has ", rank, " values, the input has shape ", x);
    require(ctx.shape(1) == x, "indices have shape ", ctx.shape(1), ", the input has shape ", x);
    Shape pooled = x;
    for (int i = 0; i < rank; ++i) {
      int64_t size = 0;
      const bool overflow =
          __builtin_mul_overflow(x[2 + i] - 1, strides_[i], &size) || __builtin_sub_overflow(size, pads_[i], &size) ||
          __builtin_sub_overflow(size, pads_[rank + i], &size) || __builtin_add_overflow(size, kernel_[i], &size);
      require(!overflow && size >= 1, "pads and strides leave nothing of spatial axis ", i);
      pooled[2 + i] = size;
    }
    Shape y = pooled;
    if (ctx.has_input(2)) {
      const std::vector<int64_t> wanted = to_int64(ctx.value(2));
      require(static_cast<int>(wanted.size()) == x.rank(), "output_shape has ", wanted.size(), " values, expected ",
              x.rank());
      for (int i = 0; i < x.rank(); ++i) {
        require(wanted[i] >= pooled[i], "output_shape[", i, "] is ", wanted[i], ", less than ", pooled[i]);
        y[i] = wanted[i];
      }
    }
    pooled.size();
    ctx.output(0, ctx.dtype(0), y);
    ctx.state(pooled);
  }

  void run(RunContext& ctx) const override {
    const auto& pooled = ctx.state<Shape>();
    const Tensor& y = ctx.output(0);
    std::memset(y.data, 0, y.size_bytes());
    const auto indices = ctx.input(1).elements<int64_t>();
    const int64_t count = pooled.size();
    const bool same = pooled == y.shape;
    const auto steps = strides_of(y.shape);
    dispatch_float(y.dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      T* out = y.as<T>();
      for (size_t i = 0; i < indices.size(); ++i) {
        int64_t index = indices[i];
        require(index >= 0 && index < count, "index ", index, " is out of range for ", count, " elements");
        if (!same) {
          int64_t rest = index;
          index = 0;
          for (int axis = pooled.rank() - 1; axis >= 0; --axis) {
            index += rest % pooled[axis] * steps[axis];
            rest /= pooled[axis];
          }
        }
        out[index] = x[i];
      }
    });
  }

 private:
  std::vector<int64_t> kernel_, strides_, pads_;
};

const Registration registration{
    {.op = "MaxUnpool", .inputs = {kFloats, DTypeSet{DType::i64}}, .make = make_kernel<MaxUnpool>},
};

}  // namespace
}  // namespace ort_cpu
