// Element-wise functions of one float tensor: Exp, Tanh, Gelu and the like.
#include <cmath>

#include "engine/registry.h"
#include "ops/elementwise.h"
#include "ops/elementwise_narrow.h"
#include "ops/unary_double.h"
#include "simd/unary.h"

namespace ort_cpu {
namespace {

using simd::Unary;

/// How an operator is computed: its function, and the attributes that hold its parameters.
struct Function {
  Unary kind;
  const char* alpha = nullptr;
  float alpha_value = 0;  // the default of the attribute, or the value where there is none
  const char* beta = nullptr;
  float beta_value = 0;
};

/// Y = f(X), element by element. X of any shape -> Y of the same shape and type.
class FloatUnary : public Kernel {
 public:
  FloatUnary(const NodeSpec& node, Function function)
      : kind_(function.kind),
        alpha_(function.alpha ? node.attributes.real(function.alpha, function.alpha_value) : function.alpha_value),
        beta_(function.beta ? node.attributes.real(function.beta, function.beta_value) : function.beta_value) {}

  void plan(PlanContext& ctx) const override {
    ctx.output(0, ctx.dtype(0), ctx.shape(0));
    ctx.may_overwrite(0, 0);
    ctx.cost_ns(static_cast<double>(ctx.shape(0).size()) * cost_of(ctx.dtype(0)));
  }

  void run(RunContext& ctx) const override {
    const Tensor& x = ctx.input(0);
    const Tensor& y = ctx.output(0);
    const int64_t grain = grain_of(cost_of(x.dtype));
    if (x.dtype == DType::f64) {
      const DoubleLoop loop = double_loop(kind_);
      ctx.parallel_for(x.size(), grain, [&](int64_t begin, int64_t end) {
        loop(x.as<double>() + begin, y.as<double>() + begin, end - begin, alpha_, beta_);
      });
      return;
    }
    const simd::UnaryLoop loop = simd::unary_table().loop(kind_);
    if (x.dtype == DType::f32) {
      ctx.parallel_for(x.size(), grain, [&](int64_t begin, int64_t end) {
        loop(x.as<float>() + begin, y.as<float>() + begin, end - begin, alpha_, beta_);
      });
      return;
    }
    const NarrowFloat format = narrow_float(x.dtype);
    ctx.parallel_for(x.size(), grain, [&](int64_t begin, int64_t end) {
      through_float(format, x.as<uint16_t>() + begin, y.as<uint16_t>() + begin, end - begin,
                    [&](const float* in, float* out, int64_t n) { loop(in, out, n, alpha_, beta_); });
    });
  }

 private:
  static double cost_of(DType type) { return type == DType::f64 ? 5.0 : 0.4; }
  const Unary kind_;
  const float alpha_, beta_;
};

KernelEntry entry(const char* op, Function function) {
  return {.op = op, .inputs = {kFloats}, .make = [function](const NodeSpec& node) {
            return std::make_unique<FloatUnary>(node, function);
          }};
}

std::unique_ptr<Kernel> make_gelu(const NodeSpec& node) {
  const std::string approximate = node.attributes.text("approximate", "none");
  require(approximate == "none" || approximate == "tanh", "approximate is '", approximate,
          "', must be 'none' or 'tanh'");
  return std::make_unique<FloatUnary>(node, Function{approximate == "none" ? Unary::gelu_erf : Unary::gelu_tanh});
}

const Registration registration{
    entry("Ceil", {Unary::ceil}),
    entry("Floor", {Unary::floor}),
    entry("Round", {Unary::round}),
    entry("Sqrt", {Unary::sqrt}),
    entry("Reciprocal", {Unary::reciprocal}),
    entry("Exp", {Unary::exp}),
    entry("Log", {Unary::log}),
    entry("Sin", {Unary::sin}),
    entry("Cos", {Unary::cos}),
    entry("Tan", {Unary::tan}),
    entry("Asin", {Unary::asin}),
    entry("Acos", {Unary::acos}),
    entry("Atan", {Unary::atan}),
    entry("Sinh", {Unary::sinh}),
    entry("Cosh", {Unary::cosh}),
    entry("Tanh", {Unary::tanh}),
    entry("Asinh", {Unary::asinh}),
    entry("Acosh", {Unary::acosh}),
    entry("Atanh", {Unary::atanh}),
    entry("Erf", {Unary::erf}),
    entry("Sigmoid", {Unary::sigmoid}),
    entry("LeakyRelu", {Unary::leaky_relu, "alpha", 0.01f}),
    entry("ThresholdedRelu", {Unary::thresholded_relu, "alpha", 1.f}),
    entry("Elu", {Unary::elu, "alpha", 1.f}),
    entry("Selu", {Unary::selu, "alpha", 1.67326319f, "gamma", 1.05070102f}),
    entry("Celu", {Unary::celu, "alpha", 1.f}),
    entry("HardSigmoid", {Unary::hard_sigmoid, "alpha", 0.2f, "beta", 0.5f}),
    entry("HardSwish", {Unary::hard_swish, nullptr, 1.f / 6, nullptr, 0.5f}),
    entry("Softplus", {Unary::softplus}),
    entry("Softsign", {Unary::softsign}),
    entry("Mish", {Unary::mish}),
    entry("Swish", {Unary::silu, "alpha", 1.f}),
    {.op = "Gelu", .inputs = {kFloats}, .make = make_gelu},
};

}  // namespace

std::unique_ptr<Kernel> make_float_unary(const NodeSpec& node, simd::Unary kind, const char* alpha, float alpha_value,
                                         const char* beta, float beta_value) {
  return std::make_unique<FloatUnary>(node, Function{kind, alpha, alpha_value, beta, beta_value});
}

}  // namespace ort_cpu
