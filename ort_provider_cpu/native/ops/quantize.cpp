// QuantizeLinear.
#include "ops/quantize.h"

#include <cmath>

#include "engine/registry.h"
#include "ops/elementwise.h"
#include "ops/elementwise_narrow.h"
#include "simd/convert_quantized.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 0.5;
constexpr int64_t kPiece = 512;

struct IntegerRange {
  float low, high;
};
IntegerRange range_of(DType type) {
  switch (type) {
    case DType::u8: return {0, 255};
    case DType::i8: return {-128, 127};
    case DType::u16: return {0, 65535};
    case DType::i16: return {-32768, 32767};
    case DType::u4: return {0, 15};
    case DType::i4: return {-8, 7};
    case DType::u2: return {0, 3};
    default: return {-2, 1};  // i2
  }
}
constexpr DTypeSet kQuantizedFloats{DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz,
                                    DType::f4e2m1,   DType::f6e2m3,     DType::f6e3m2};
constexpr DTypeSet kQuantizedIntegers{DType::u8, DType::i8, DType::u16, DType::i16,
                                      DType::u4, DType::i4, DType::u2,  DType::i2};

/// Y = saturate(round_half_even(X / scale) + zero_point), the division in the precision of the scale or as asked for.
///
/// Scale and zero point are scalars, one for each index of `axis`, or one for each block of `block_size` indices.
class QuantizeLinear : public Kernel {
 public:
  explicit QuantizeLinear(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", 1)),
        block_size_(node.attributes.integer("block_size", 0)),
        saturate_(node.attributes.integer("saturate", 1) != 0),
        type_(type_of(node)),
        compute_(compute_of(node)),
        from_x_(node.dtype(0), compute_ == DType::f64 ? DType::f64 : DType::f32),
        to_y_(DType::f32, type_, {.saturate = saturate_}) {}

  void plan(PlanContext& ctx) const override {
    const QuantizationLayout layout = make_quantization_layout(ctx.shape(0), ctx.shape(1), axis_, block_size_);
    if (ctx.has_input(2)) check_zero_point(ctx.shape(2), ctx.shape(1));
    ctx.output(0, type_, ctx.shape(0));
    ctx.scratch(static_cast<size_t>(layout.n_scales()) * 2 * sizeof(float));
    ctx.state(layout);
  }

  void run(RunContext& ctx) const override {
    const auto& layout = ctx.state<QuantizationLayout>();
    const Tensor &x = ctx.input(0), &y = ctx.output(0);
    const int64_t n_scales = layout.n_scales();
    float* scale = ctx.scratch<float>();
    float* zero = scale + n_scales;
    expand_parameter(ctx.input(1), scale, n_scales);
    std::fill(zero, zero + n_scales, 0.f);
    if (ctx.has_input(2)) expand_parameter(ctx.input(2), zero, n_scales);
    if (kQuantizedFloats.contains(type_))
      require(std::all_of(zero, zero + n_scales, [](float z) { return z == 0; }), "the zero point of ", name_of(type_),
              " must be zero");
    ctx.parallel_for(x.size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      layout.each(begin, end, [&](int64_t at, int64_t n, int64_t first, int step) {
        piece(x, y, at, n, scale + first, zero + first, step);
      });
    });
  }

 private:
  static DType type_of(const NodeSpec& node) {
    const int64_t given = node.attributes.integer("output_dtype", 0);
    if (!node.has_input(2)) return given == 0 ? DType::u8 : static_cast<DType>(given);
    require(given == 0 || given == static_cast<int64_t>(node.dtype(2)), "output_dtype is ", given,
            ", the zero point is ", name_of(node.dtype(2)));
    return node.dtype(2);
  }
  /// The type that x and the scale are divided in.
  static DType compute_of(const NodeSpec& node) {
    const int64_t precision = node.attributes.integer("precision", 0);
    const DType asked = precision == 0 ? node.dtype(1) : static_cast<DType>(precision);
    if (asked == DType::f8e8m0) return DType::f32;
    return asked == DType::i32 ? DType::f64 : asked;
  }

  void piece(const Tensor& x, const Tensor& y, int64_t at, int64_t n, const float* scale, const float* zero,
             int step) const {
    if (x.dtype == DType::f32 && compute_ == DType::f32 && type_ == DType::u8)
      return simd::quantized_table().quantize_u8(x.as<float>() + at, y.as<uint8_t>() + at, n, scale, zero, step);
    if (x.dtype == DType::f32 && compute_ == DType::f32 && type_ == DType::i8)
      return simd::quantized_table().quantize_i8(x.as<float>() + at, y.as<int8_t>() + at, n, scale, zero, step);
    for (int64_t i = 0; i < n; i += kPiece)
      short_piece(x, y, at + i, std::min(kPiece, n - i), scale + i * step, zero + i * step, step);
  }

  void short_piece(const Tensor& x, const Tensor& y, int64_t at, int64_t n, const float* scale, const float* zero,
                   int step) const {
    float q[kPiece];
    const std::byte* from = x.as<std::byte>() + at * static_cast<int64_t>(size_of(x.dtype));
    if (compute_ == DType::f64) {
      double wide[kPiece];
      from_x_(from, wide, n);
      for (int64_t i = 0; i < n; ++i) q[i] = static_cast<float>(wide[i] / static_cast<double>(scale[i * step]));
    } else {
      from_x_(from, q, n);
      round_to_compute(q, n);
      for (int64_t i = 0; i < n; ++i) q[i] /= scale[i * step];
      round_to_compute(q, n);
    }
    std::byte* to = y.as<std::byte>() + at * static_cast<int64_t>(size_of(type_));
    if (kQuantizedIntegers.contains(type_)) {
      const IntegerRange range = range_of(type_);
      for (int64_t i = 0; i < n; ++i) {
        const float rounded = std::nearbyint(q[i]) + zero[i * step];
        q[i] = rounded > range.low ? std::min(rounded, range.high) : range.low;
      }
    }
    to_y_(q, to, n);
  }

  void round_to_compute(float* values, int64_t n) const {
    if (!is_narrow(compute_)) return;
    uint16_t narrow[kPiece];
    narrow_float(compute_).encode(values, narrow, n);
    narrow_float(compute_).decode(narrow, values, n);
  }

  const int64_t axis_, block_size_;
  const bool saturate_;
  const DType type_, compute_;
  const Converter from_x_, to_y_;
};

std::optional<std::string> decline(const NodeSpec& node) {
  const int64_t precision = node.attributes.integer("precision", 0);
  if (precision != 0 && (precision < 0 || precision > 28 || !kFloats.contains(static_cast<DType>(precision))))
    return message("precision ", precision, " is no float type");
  const int64_t given = node.attributes.integer("output_dtype", 0);
  const DTypeSet quantized = kQuantizedIntegers | kQuantizedFloats;
  if (given != 0 && (given < 0 || given > 28 || !quantized.contains(static_cast<DType>(given))))
    return message("output_dtype ", given, " is no quantised type");
  return std::nullopt;
}

const Registration registration{
    {.op = "QuantizeLinear",
     .inputs = {DTypeSet{DType::f32, DType::f16, DType::bf16, DType::i32},
                DTypeSet{DType::f32, DType::f16, DType::bf16, DType::i32, DType::f8e8m0},
                kQuantizedIntegers | kQuantizedFloats},
     .make = make_kernel<QuantizeLinear>,
     .declines = decline},
};

}  // namespace
}  // namespace ort_cpu
