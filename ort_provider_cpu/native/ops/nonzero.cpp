// NonZero.
#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// The elements that are not zero: NaN is none of the zeros, -0 is one.
template <class T>
bool is_set(T value) {
  return value != T{};
}
template <>
bool is_set(Half value) {
  return (value.bits & 0x7fff) != 0;
}
template <>
bool is_set(BFloat16 value) {
  return (value.bits & 0x7fff) != 0;
}

template <class F>
decltype(auto) dispatch_any(DType dtype, F&& f) {
  switch (dtype) {
    case DType::boolean: return f.template operator()<uint8_t>();
    case DType::c64: return f.template operator()<std::complex<float>>();
    case DType::c128: return f.template operator()<std::complex<double>>();
    default: return dispatch_number(dtype, f);
  }
}

/// Y [rank, count] int64 = the coordinates of the elements that are not zero, in row-major order.
class NonZero : public Kernel {
 public:
  explicit NonZero(const NodeSpec&) {}

  void plan(PlanContext& ctx) const override {
    const Tensor& x = ctx.value(0);
    const int64_t count = dispatch_any(x.dtype, [&]<class T>() {
      const std::span<const T> elements = x.elements<const T>();
      int64_t n = 0;
      for (const T& value : elements) n += is_set(value);
      return n;
    });
    ctx.output(0, DType::i64, {x.shape.rank(), count});
  }

  void run(RunContext& ctx) const override {
    const Tensor& x = ctx.input(0);
    const int64_t count = ctx.output(0).shape[1];
    if (count == 0 || x.shape.rank() == 0) return;
    dispatch_any(x.dtype, [&]<class T>() { fill(x.as<const T>(), x.shape, count, ctx.output(0).as<int64_t>()); });
  }

 private:
  template <class T>
  static void fill(const T* x, const Shape& shape, int64_t count, int64_t* y) {
    const int last = shape.rank() - 1;
    const int64_t length = shape.back();
    Shape at = Shape::filled(shape.rank(), 0);
    for (int64_t found = 0; found < count; x += length) {
      for (int64_t i = 0; i < length; ++i) {
        if (!is_set(x[i])) continue;
        for (int d = 0; d < last; ++d) y[d * count + found] = at[d];
        y[last * count + found++] = i;
      }
      for (int d = last - 1; d >= 0 && ++at[d] == shape[d]; --d) at[d] = 0;
    }
  }
};

const Registration registration{
    {.op = "NonZero", .inputs = {kNumbers | kBool | DTypeSet{DType::c64, DType::c128}}, .make = make_kernel<NonZero>}};

}  // namespace
}  // namespace ort_cpu
