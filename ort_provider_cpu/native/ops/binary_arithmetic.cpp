// Add, Sub, Mul, Div, Mod, PRelu.
#include <cmath>
#include <type_traits>

#include "engine/registry.h"
#include "ops/binary.h"

namespace ort_cpu {
namespace {

using simd::Arithmetic;
using simd::Binary;

/// A loop of a function of two elements of type T.
template <class T, auto kFunction>
void loop(const void* pa, const void* pb, void* py, int64_t n, int a_step, int b_step) {
  const T *a = static_cast<const T*>(pa), *b = static_cast<const T*>(pb);
  T* y = static_cast<T*>(py);
  if (a_step != 0 && b_step != 0) {
    for (int64_t i = 0; i < n; ++i) y[i] = kFunction(a[i], b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = kFunction(a[i * a_step], b[i * b_step]);
  }
}

/// The quotient towards zero, which wraps for the smallest integer over -1.
template <class T>
T quotient(T a, T b) {
  if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    if (b == T(-1)) return static_cast<T>(0 - static_cast<uint64_t>(a));
  }
  return static_cast<T>(a / b);
}

/// The remainder with the sign of `b`.
template <class T>
T floor_mod(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    const T r = std::fmod(a, b);
    if (r == 0) return std::copysign(T(0), b);
    return (r < 0) != (b < 0) ? r + b : r;
  } else if constexpr (std::is_signed_v<T>) {
    if (b == T(-1)) return 0;
    const T r = static_cast<T>(a % b);
    return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
  } else {
    return static_cast<T>(a % b);
  }
}

/// The remainder with the sign of `a`.
template <class T>
T trunc_mod(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fmod(a, b);
  } else {
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return 0;
    }
    return static_cast<T>(a % b);
  }
}

template <class T>
T prelu(T x, T slope) {
  if constexpr (std::is_integral_v<T>) {
    return x < T{} ? static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(slope)) : x;
  } else {
    return x < 0 ? x * slope : x;
  }
}

template <Arithmetic K>
std::unique_ptr<Kernel> make_arithmetic(const NodeSpec& node) {
  return std::make_unique<BinaryKernel>(BinaryFunction{.loop = arithmetic_loop(node.dtype(0), K)});
}

std::unique_ptr<Kernel> make_div(const NodeSpec& node) {
  const DType type = node.dtype(0);
  BinaryFunction function{.loop = simd::binary_table().loop(Binary::div)};
  if (type == DType::f64) function = {.loop = loop<double, quotient<double>>, .ns_per_element = 1.0};
  if (kIntegers.contains(type))
    function = {.loop = dispatch_integer(type, []<class T>() -> simd::BinaryLoop { return loop<T, quotient<T>>; }),
                .divides = true,
                .ns_per_element = 2.0};
  return std::make_unique<BinaryKernel>(function);
}

std::unique_ptr<Kernel> make_mod(const NodeSpec& node) {
  const int64_t fmod = node.attributes.integer("fmod", 0);
  require(fmod == 0 || fmod == 1, "fmod is ", fmod, ", must be 0 or 1");
  const auto choose = [fmod]<class T>() -> simd::BinaryLoop {
    using C = compute_t<T>;
    return fmod == 1 ? loop<C, trunc_mod<C>> : loop<C, floor_mod<C>>;
  };
  return std::make_unique<BinaryKernel>(BinaryFunction{.loop = dispatch_number(node.dtype(0), choose),
                                                       .divides = kIntegers.contains(node.dtype(0)),
                                                       .ns_per_element = 5.0});
}

/// Y = X < 0 ? slope * X : X, the slope broadcast to X. X and Y of one shape.
class PRelu : public BinaryKernel {
 public:
  explicit PRelu(const NodeSpec& node) : BinaryKernel({.loop = loop_of(node.dtype(0))}) {}
  void plan(PlanContext& ctx) const override {
    require(broadcast(ctx.shape(0), ctx.shape(1)) == ctx.shape(0), "the slope of shape ", ctx.shape(1),
            " does not broadcast to the shape of X, ", ctx.shape(0));
    BinaryKernel::plan(ctx);
  }

 private:
  static simd::BinaryLoop loop_of(DType type) {
    if (type == DType::f64) return loop<double, prelu<double>>;
    if (kFloats.contains(type)) return simd::binary_table().loop(Binary::prelu);
    return dispatch_integer(type, []<class T>() -> simd::BinaryLoop { return loop<T, prelu<T>>; });
  }
};

const Registration registration{
    {.op = "Add", .inputs = {kNumbers}, .make = make_arithmetic<Arithmetic::add>},
    {.op = "Sub", .inputs = {kNumbers}, .make = make_arithmetic<Arithmetic::sub>},
    {.op = "Mul", .inputs = {kNumbers}, .make = make_arithmetic<Arithmetic::mul>},
    {.op = "Div", .inputs = {kNumbers}, .make = make_div},
    {.op = "Mod", .inputs = {kNumbers}, .make = make_mod},
    {.op = "PRelu", .inputs = {kNumbers}, .make = make_kernel<PRelu>},
};

}  // namespace
}  // namespace ort_cpu
