// Cast, CastLike, BitCast.
#include "ops/cast.h"

#include "engine/registry.h"
#include "ops/elementwise.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 1.0;
constexpr DTypeSet kComplex{DType::c64, DType::c128};
constexpr DTypeSet kCastable = kFixedSize - kComplex;

CastOptions options_of(const Attributes& attributes) {
  CastOptions options;
  options.saturate = attributes.integer("saturate", 1) != 0;
  const std::string mode = attributes.text("round_mode", "up");
  require(mode == "up" || mode == "down" || mode == "nearest", "round_mode is '", mode,
          "', must be one of up, down, nearest");
  options.round_mode = mode == "up" ? CastOptions::up : mode == "down" ? CastOptions::down : CastOptions::nearest;
  return options;
}

DType target_of(const NodeSpec& node) {
  require(node.attributes.has("to"), "the attribute 'to' is missing");
  const int64_t to = node.attributes.integer("to", 0);
  require(to > 0 && to <= static_cast<int64_t>(DType::f6e3m2), "to is ", to, ", which is no type");
  return static_cast<DType>(to);
}

/// Y = X converted to another type. X and Y of one shape.
class Cast : public Kernel {
 public:
  Cast(const NodeSpec& node, DType to) : to_(to), convert_(node.dtype(0), to, options_of(node.attributes)) {}

  void plan(PlanContext& ctx) const override {
    if (ctx.dtype(0) == to_) return ctx.alias(0, 0, ctx.shape(0));
    ctx.output(0, to_, ctx.shape(0));
    ctx.cost_ns(static_cast<double>(ctx.shape(0).size()) * kNsPerElement);
  }

  void run(RunContext& ctx) const override {
    const Tensor &x = ctx.input(0), &y = ctx.output(0);
    if (x.dtype == to_) return;
    const int64_t x_size = static_cast<int64_t>(size_of(x.dtype)), y_size = static_cast<int64_t>(size_of(to_));
    ctx.parallel_for(x.size(), grain_of(kNsPerElement), [&](int64_t begin, int64_t end) {
      convert_(x.as<std::byte>() + begin * x_size, y.as<std::byte>() + begin * y_size, end - begin);
    });
  }

 private:
  const DType to_;
  const Converter convert_;
};

int bits_of(DType type) {
  switch (type) {
    case DType::i4:
    case DType::u4:
    case DType::f4e2m1: return 4;
    case DType::i2:
    case DType::u2: return 2;
    case DType::f6e2m3:
    case DType::f6e3m2: return 6;
    default: return static_cast<int>(size_of(type) * 8);
  }
}

/// Y = the bits of X as another type of the same width. X and Y of one shape.
class BitCast : public Kernel {
 public:
  explicit BitCast(const NodeSpec& node) : to_(target_of(node)) {
    require(bits_of(node.dtype(0)) == bits_of(to_), "the input is ", name_of(node.dtype(0)), " of ",
            bits_of(node.dtype(0)), " bits, 'to' is ", name_of(to_), " of ", bits_of(to_), " bits");
  }
  void plan(PlanContext& ctx) const override {
    ctx.output(0, to_, ctx.shape(0));
    ctx.may_overwrite(0, 0);
  }
  void run(RunContext& ctx) const override {
    const Tensor &x = ctx.input(0), &y = ctx.output(0);
    if (x.data != y.data && x.size_bytes() > 0) std::memcpy(y.data, x.data, x.size_bytes());
  }

 private:
  const DType to_;
};

const Registration registration{
    {.op = "Cast",
     .inputs = {kCastable},
     .outputs = {kCastable},
     .make = [](const NodeSpec& node) { return std::make_unique<Cast>(node, target_of(node)); }},
    {.op = "CastLike",
     .inputs = {kCastable, kCastable},
     .outputs = {kCastable},
     .make = [](const NodeSpec& node) { return std::make_unique<Cast>(node, node.dtype(1)); }},
    {.op = "BitCast", .inputs = {kFixedSize}, .outputs = {kFixedSize}, .make = make_kernel<BitCast>},
};

}  // namespace
}  // namespace ort_cpu
