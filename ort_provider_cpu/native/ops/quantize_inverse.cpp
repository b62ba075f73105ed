// DequantizeLinear.
#include "engine/registry.h"
#include "ops/elementwise.h"
#include "ops/quantize.h"
#include "simd/convert_quantized.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 0.4;
constexpr int64_t kPiece = 512;

constexpr DTypeSet kSmallFloats{DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz,
                                DType::f4e2m1,   DType::f6e2m3,     DType::f6e3m2};
constexpr DTypeSet kQuantized = kSmallFloats | DTypeSet{DType::u8, DType::i8, DType::u16, DType::i16, DType::i32,
                                                        DType::u4, DType::i4, DType::u2,  DType::i2};
constexpr DTypeSet kOutputs{DType::f32, DType::f16, DType::bf16};

/// Y = (X - zero_point) * scale in float, rounded to the type of the scale or `output_dtype`.
///
/// Scale and zero point are scalars, one for each index of `axis`, or one for each block of `block_size` indices.
class DequantizeLinear : public Kernel {
 public:
  explicit DequantizeLinear(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", 1)),
        block_size_(node.attributes.integer("block_size", 0)),
        type_(output_type(node)),
        from_x_(node.dtype(0), DType::f32),
        to_y_(DType::f32, type_) {}

  static DType output_type(const NodeSpec& node) {
    const int64_t given = node.attributes.integer("output_dtype", 0);
    return given == 0 ? node.dtype(1) : static_cast<DType>(given);
  }

  void plan(PlanContext& ctx) const override {
    const QuantizationLayout layout = make_quantization_layout(ctx.shape(0), ctx.shape(1), axis_, block_size_);
    if (ctx.has_input(2)) {
      require(ctx.dtype(2) == ctx.dtype(0), "x is ", name_of(ctx.dtype(0)), ", the zero point is ",
              name_of(ctx.dtype(2)));
      check_zero_point(ctx.shape(2), ctx.shape(1));
    }
    ctx.output(0, type_, ctx.shape(0));
    ctx.scratch(static_cast<size_t>(layout.n_scales()) * (sizeof(float) + sizeof(double)));
    ctx.state(layout);
  }

  void run(RunContext& ctx) const override {
    const auto& layout = ctx.state<QuantizationLayout>();
    const Tensor &x = ctx.input(0), &y = ctx.output(0);
    const int64_t n_scales = layout.n_scales();
    Parameters parameters;
    parameters.exact_zero = ctx.scratch<double>();
    parameters.scale = reinterpret_cast<float*>(parameters.exact_zero + n_scales);
    expand_parameter(ctx.input(1), parameters.scale, n_scales);
    read_zero(ctx, parameters, n_scales);
    ctx.parallel_for(x.size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      layout.each(begin, end,
                  [&](int64_t at, int64_t n, int64_t first, int step) { piece(x, y, at, n, parameters, first, step); });
    });
  }

 private:
  /// Zero points: as doubles where x is int32, which floats do not hold, as floats otherwise.
  struct Parameters {
    float* scale;
    double* exact_zero;
    float* zero() const { return reinterpret_cast<float*>(exact_zero); }
  };

  static void read_zero(RunContext& ctx, const Parameters& parameters, int64_t n) {
    const DType type = ctx.input(0).dtype;
    if (type == DType::i32) {
      const int64_t given = ctx.has_input(2) ? ctx.input(2).size() : 0;
      for (int64_t i = 0; i < n; ++i)
        parameters.exact_zero[i] = given == 0 ? 0 : ctx.input(2).as<int32_t>()[given == 1 ? 0 : i];
      return;
    }
    std::fill(parameters.zero(), parameters.zero() + n, 0.f);
    if (ctx.has_input(2)) expand_parameter(ctx.input(2), parameters.zero(), n);
    if (kSmallFloats.contains(type))
      require(std::all_of(parameters.zero(), parameters.zero() + n, [](float z) { return z == 0; }),
              "the zero point of ", name_of(type), " must be zero");
  }

  void piece(const Tensor& x, const Tensor& y, int64_t at, int64_t n, const Parameters& parameters, int64_t first,
             int step) const {
    const float* scale = parameters.scale + first;
    if (x.dtype != DType::i32 && type_ == DType::f32) {
      const auto& table = simd::quantized_table();
      const float* zero = parameters.zero() + first;
      float* to = y.as<float>() + at;
      if (x.dtype == DType::u8) return table.dequantize_u8(x.as<uint8_t>() + at, to, n, scale, zero, step);
      if (x.dtype == DType::i8) return table.dequantize_i8(x.as<int8_t>() + at, to, n, scale, zero, step);
    }
    for (int64_t i = 0; i < n; i += kPiece)
      short_piece(x, y, at + i, std::min(kPiece, n - i), parameters, first + i * step, step);
  }

  void short_piece(const Tensor& x, const Tensor& y, int64_t at, int64_t n, const Parameters& parameters, int64_t first,
                   int step) const {
    float real[kPiece];
    if (x.dtype == DType::i32) {
      const int32_t* values = x.as<int32_t>() + at;
      for (int64_t i = 0; i < n; ++i)
        real[i] = static_cast<float>(static_cast<double>(values[i]) - parameters.exact_zero[first + i * step]);
    } else {
      from_x_(x.as<std::byte>() + at * static_cast<int64_t>(size_of(x.dtype)), real, n);
      const float* zero = parameters.zero() + first;
      for (int64_t i = 0; i < n; ++i) real[i] -= zero[i * step];
    }
    for (int64_t i = 0; i < n; ++i) real[i] *= parameters.scale[first + i * step];
    to_y_(real, y.as<std::byte>() + at * static_cast<int64_t>(size_of(type_)), n);
  }

  const int64_t axis_, block_size_;
  const DType type_;
  const Converter from_x_, to_y_;
};

std::optional<std::string> decline(const NodeSpec& node) {
  const int64_t given = node.attributes.integer("output_dtype", 0);
  if (given < 0 || given > 28 || !kOutputs.contains(DequantizeLinear::output_type(node)))
    return "a scale of this type needs output_dtype float, float16 or bfloat16";
  return std::nullopt;
}

const Registration registration{
    {.op = "DequantizeLinear",
     .inputs = {kQuantized, kOutputs | DTypeSet{DType::f8e8m0}, kQuantized},
     .make = make_kernel<DequantizeLinear>,
     .declines = decline},
};

}  // namespace
}  // namespace ort_cpu
