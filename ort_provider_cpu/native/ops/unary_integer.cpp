// Element-wise operators of one tensor that take integers too (Abs, Neg, Sign, Relu, Shrink, BitwiseNot), or give truth
// values (Not, IsNaN, IsInf).
#include <cmath>
#include <type_traits>

#include "engine/registry.h"
#include "ops/cast.h"
#include "ops/elementwise.h"
#include "ops/unary_double.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 0.5;

enum class IntegerFunction { abs, neg, sign, relu, bit_not, shrink };

/// The negation, which wraps at the smallest integer.
template <class T>
T negated(T x) {
  return static_cast<T>(0 - static_cast<uint64_t>(x));
}

template <class T, IntegerFunction K>
void integer_loop(const void* in, void* out, int64_t n, double lambda, double bias) {
  const T* x = static_cast<const T*>(in);
  T* y = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) {
    const T v = x[i];
    if constexpr (K == IntegerFunction::abs) y[i] = v < T{} ? negated(v) : v;
    else if constexpr (K == IntegerFunction::neg) y[i] = negated(v);
    else if constexpr (K == IntegerFunction::sign) y[i] = static_cast<T>((v > T{}) - (v < T{}));
    else if constexpr (K == IntegerFunction::relu) y[i] = v < T{} ? T{} : v;
    else if constexpr (K == IntegerFunction::bit_not) y[i] = static_cast<T>(~v);
    else {
      const double d = static_cast<double>(v);
      y[i] = d < -lambda ? convert_number<T>(d + bias) : d > lambda ? convert_number<T>(d - bias) : T{};
    }
  }
}

/// Y = f(X) on integers; what no longer fits wraps. X of any shape -> Y of the same shape and type.
template <IntegerFunction K>
class IntegerUnary : public Kernel {
 public:
  explicit IntegerUnary(const NodeSpec& node)
      : loop_(dispatch_integer(node.dtype(0), []<class T>() { return &integer_loop<T, K>; })),
        lambda_(node.attributes.real("lambd", 0.5f)),
        bias_(node.attributes.real("bias", 0.f)) {}

  void plan(PlanContext& ctx) const override {
    ctx.output(0, ctx.dtype(0), ctx.shape(0));
    ctx.may_overwrite(0, 0);
  }
  void run(RunContext& ctx) const override {
    const size_t size = size_of(ctx.input(0).dtype);
    const std::byte* x = ctx.input(0).as<std::byte>();
    std::byte* y = ctx.output(0).as<std::byte>();
    ctx.parallel_for(ctx.input(0).size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      loop_(x + begin * size, y + begin * size, end - begin, lambda_, bias_);
    });
  }

 private:
  void (*const loop_)(const void*, void*, int64_t, double, double);
  const double lambda_, bias_;
};

/// Integers by `K`, floats by the function of the same meaning.
template <IntegerFunction K, simd::Unary kFloat>
std::unique_ptr<Kernel> make_number(const NodeSpec& node) {
  if (kIntegers.contains(node.dtype(0))) return std::make_unique<IntegerUnary<K>>(node);
  if (K == IntegerFunction::shrink) return make_float_unary(node, kFloat, "lambd", 0.5f, "bias", 0.f);
  return make_float_unary(node, kFloat);
}

/// The bytes of the output from the elements of X: what the operators that answer a question share.
template <class F>
void answer(RunContext& ctx, F f) {
  ctx.parallel_for(ctx.input(0).size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
    // Copies: for all that the compiler knows, bytes may be stored into what is captured.
    const F own = f;
    uint8_t* y = ctx.output(0).as<uint8_t>();
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) y[i] = own(i) ? 1 : 0;
  });
}

/// Y = not X. X bool of any shape -> Y bool of the same shape.
class Not : public Kernel {
 public:
  explicit Not(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override {
    ctx.output(0, DType::boolean, ctx.shape(0));
    ctx.may_overwrite(0, 0);
  }
  void run(RunContext& ctx) const override {
    const uint8_t* x = ctx.input(0).as<uint8_t>();
    answer(ctx, [x](int64_t i) { return x[i] == 0; });
  }
};

constexpr DTypeSet kFloat8{DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz};

/// The bits of magnitude above which a 16- or 8-bit float is NaN, and those of infinity.
struct SpecialBits {
  uint16_t magnitude, infinity;
};
SpecialBits special_bits(DType type) {
  switch (type) {
    case DType::f16: return {0x7fff, 0x7c00};
    case DType::bf16: return {0x7fff, 0x7f80};
    case DType::f8e5m2: return {0x7f, 0x7c};
    default: return {0x7f, 0x7e};  // f8e4m3fn: no infinity, NaN is 0x7f
  }
}

template <class F>
void classify(RunContext& ctx, F f) {
  const Tensor& x = ctx.input(0);
  if (x.dtype == DType::f32) {
    answer(ctx, [f, p = x.as<float>()](int64_t i) { return f(p[i] != p[i], std::isinf(p[i]), p[i] < 0); });
  } else if (x.dtype == DType::f64) {
    answer(ctx, [f, p = x.as<double>()](int64_t i) { return f(p[i] != p[i], std::isinf(p[i]), p[i] < 0); });
  } else if (x.dtype == DType::f8e4m3fnuz || x.dtype == DType::f8e5m2fnuz) {
    answer(ctx, [f, p = x.as<uint8_t>()](int64_t i) { return f(p[i] == 0x80, false, false); });
  } else {
    const SpecialBits special = special_bits(x.dtype);
    const bool has_infinity = x.dtype != DType::f8e4m3fn;
    const auto of_bits = [f, special, has_infinity](unsigned bits) {
      const unsigned magnitude = bits & special.magnitude;
      const bool infinite = magnitude == special.infinity && has_infinity;
      return f(magnitude > special.infinity, infinite, bits > special.magnitude);
    };
    if (size_of(x.dtype) == 2) {
      answer(ctx, [of_bits, p = x.as<uint16_t>()](int64_t i) { return of_bits(p[i]); });
    } else {
      answer(ctx, [of_bits, p = x.as<uint8_t>()](int64_t i) { return of_bits(p[i]); });
    }
  }
}

/// Y = X is not a number. X float of any shape -> Y bool of the same shape.
class IsNaN : public Kernel {
 public:
  explicit IsNaN(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override { ctx.output(0, DType::boolean, ctx.shape(0)); }
  void run(RunContext& ctx) const override {
    classify(ctx, [](bool nan, bool, bool) { return nan; });
  }
};

/// Y = X is an infinity of a sign that is asked for. X float of any shape -> Y bool of the same shape.
class IsInf : public Kernel {
 public:
  explicit IsInf(const NodeSpec& node)
      : positive_(node.attributes.integer("detect_positive", 1) != 0),
        negative_(node.attributes.integer("detect_negative", 1) != 0) {}
  void plan(PlanContext& ctx) const override { ctx.output(0, DType::boolean, ctx.shape(0)); }
  void run(RunContext& ctx) const override {
    classify(ctx, [positive = positive_, negative = negative_](bool, bool infinite, bool below) {
      return infinite && (below ? negative : positive);
    });
  }

 private:
  const bool positive_, negative_;
};

using simd::Unary;

const Registration registration{
    {.op = "Abs", .inputs = {kNumbers}, .make = make_number<IntegerFunction::abs, Unary::abs>},
    {.op = "Neg", .inputs = {kFloats | kSigned}, .make = make_number<IntegerFunction::neg, Unary::neg>},
    {.op = "Sign", .inputs = {kNumbers}, .make = make_number<IntegerFunction::sign, Unary::sign>},
    {.op = "Relu", .inputs = {kFloats | kSigned}, .make = make_number<IntegerFunction::relu, Unary::relu>},
    {.op = "Shrink", .inputs = {kNumbers}, .make = make_number<IntegerFunction::shrink, Unary::shrink>},
    {.op = "BitwiseNot", .inputs = {kIntegers}, .make = make_kernel<IntegerUnary<IntegerFunction::bit_not>>},
    {.op = "Not", .inputs = {kBool}, .make = make_kernel<Not>},
    {.op = "IsNaN", .inputs = {kFloats | kFloat8}, .make = make_kernel<IsNaN>},
    {.op = "IsInf", .inputs = {kFloats | kFloat8}, .make = make_kernel<IsInf>},
};

}  // namespace
}  // namespace ort_cpu
