// SwiGLU.
#include "engine/registry.h"
#include "ops/elementwise.h"
#include "ops/elementwise_narrow.h"
#include "ops/unary_double.h"
#include "simd/binary.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 0.6;

/// Y = A * sigmoid(alpha * A) * B. A, B, Y of one shape.
class SwiGlu : public Kernel {
 public:
  explicit SwiGlu(const NodeSpec& node) : alpha_(node.attributes.real("alpha", 1.f)) {}

  void plan(PlanContext& ctx) const override {
    require(ctx.shape(0) == ctx.shape(1), "A of shape ", ctx.shape(0), " and B of shape ", ctx.shape(1),
            " must have the same shape");
    ctx.output(0, ctx.dtype(0), ctx.shape(0));
    ctx.may_overwrite(0, 0);
    ctx.may_overwrite(0, 1);
    ctx.cost_ns(static_cast<double>(ctx.shape(0).size()) * kNsPerElement);
  }

  void run(RunContext& ctx) const override {
    const Tensor &a = ctx.input(0), &b = ctx.input(1), &y = ctx.output(0);
    ctx.parallel_for(a.size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; at += kNarrowPiece) piece(a, b, y, at, std::min(kNarrowPiece, end - at));
    });
  }

 private:
  void piece(const Tensor& a, const Tensor& b, const Tensor& y, int64_t at, int64_t n) const {
    if (a.dtype == DType::f64) {
      double gate[kNarrowPiece];
      double_loop(simd::Unary::silu)(a.as<double>() + at, gate, n, alpha_, 0);
      for (int64_t i = 0; i < n; ++i) y.as<double>()[at + i] = gate[i] * b.as<double>()[at + i];
      return;
    }
    alignas(64) float gate[kNarrowPiece];
    const simd::UnaryLoop silu = simd::unary_table().loop(simd::Unary::silu);
    const simd::BinaryLoop mul = simd::binary_table().loop(simd::Binary::mul);
    if (a.dtype == DType::f32) {
      silu(a.as<float>() + at, gate, n, alpha_, 0);
      mul(gate, b.as<float>() + at, y.as<float>() + at, n, 1, 1);
      return;
    }
    alignas(64) float value[kNarrowPiece];
    const NarrowFloat format = narrow_float(a.dtype);
    format.decode(a.as<uint16_t>() + at, gate, n);
    format.decode(b.as<uint16_t>() + at, value, n);
    silu(gate, gate, n, alpha_, 0);
    mul(gate, value, value, n, 1, 1);
    format.encode(value, y.as<uint16_t>() + at, n);
  }
  const float alpha_;
};

const Registration registration{{.op = "SwiGLU", .inputs = {kFloats}, .make = make_kernel<SwiGlu>}};

}  // namespace
}  // namespace ort_cpu
