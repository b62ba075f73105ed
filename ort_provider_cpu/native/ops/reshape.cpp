// Reshape, Flatten, Squeeze, Unsqueeze: the input's memory with another shape.
#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// Base of the operators whose output is the input with another shape.
class View : public Kernel {
 public:
  void plan(PlanContext& ctx) const override { ctx.alias(0, 0, shape_of(ctx)); }
  void run(RunContext&) const override {}

 private:
  virtual Shape shape_of(const PlanContext& ctx) const = 0;
};

/// Y = X in the shape given: -1 is inferred, 0 keeps the input's dimension unless `allowzero`.
class Reshape : public View {
 public:
  explicit Reshape(const NodeSpec& node) : allow_zero_(node.attributes.integer("allowzero", 0) != 0) {}

 private:
  Shape shape_of(const PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const Tensor& target = ctx.value(1);
    require(target.shape.rank() <= 1, "the shape must be a vector, it has the shape ", target.shape);
    Shape out(target.elements<const int64_t>());
    int inferred = -1;
    bool has_zero = false;
    for (int i = 0; i < out.rank(); ++i) {
      if (out[i] == 0 && allow_zero_) has_zero = true;
      if (out[i] == 0 && !allow_zero_) {
        require(i < shape.rank(), "dimension ", i, " is to be kept, the input has the shape ", shape);
        out[i] = shape[i];
      } else if (out[i] == -1) {
        require(inferred < 0, "the shape ", out, " leaves more than one dimension to be inferred");
        inferred = i;
      } else {
        require(out[i] >= 0, "the shape ", out, " has a negative dimension");
      }
    }
    if (inferred >= 0) {
      require(!has_zero, "the shape ", out, " has both 0 and -1");
      out[inferred] = 1;
      const int64_t rest = out.size();
      require(rest > 0 && shape.size() % rest == 0, "an input of the shape ", shape, " cannot be reshaped to ",
              Shape(target.elements<const int64_t>()));
      out[inferred] = shape.size() / rest;
    }
    require(out.size() == shape.size(), "an input of the shape ", shape, " cannot be reshaped to ", out);
    return out;
  }

  const bool allow_zero_;
};

/// Y [d_0 * ... * d_(axis-1), d_axis * ...].
class Flatten : public View {
 public:
  explicit Flatten(const NodeSpec& node) : axis_(node.attributes.integer("axis", 1)) {}

 private:
  Shape shape_of(const PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const int64_t rank = shape.rank();
    require(axis_ >= -rank && axis_ <= rank, "axis ", axis_, " is out of range for rank ", rank);
    const int axis = static_cast<int>(axis_ < 0 ? axis_ + rank : axis_);
    return {shape.size_to(axis), shape.size_from(axis)};
  }

  const int64_t axis_;
};

/// The axes that a one-dimensional tensor names, as bits. Raises InvalidArgument for repeated ones.
unsigned axes_in(const Tensor& tensor, int rank) {
  unsigned axes = 0;
  for (int64_t given : tensor.elements<const int64_t>()) {
    const int axis = normalize_axis(given, rank);
    require((axes >> axis & 1u) == 0, "axis ", axis, " is named twice");
    axes |= 1u << axis;
  }
  return axes;
}

/// Y = X without its dimensions of 1, or without those that `axes` names.
class Squeeze : public View {
 public:
  explicit Squeeze(const NodeSpec&) {}

 private:
  Shape shape_of(const PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const bool all = !ctx.has_input(1);
    const unsigned axes = all ? 0 : axes_in(ctx.value(1), shape.rank());
    Shape out;
    for (int i = 0; i < shape.rank(); ++i) {
      const bool named = (axes >> i & 1u) != 0;
      require(!named || shape[i] == 1, "axis ", i, " of the shape ", shape, " cannot be removed");
      if (all ? shape[i] != 1 : !named) out.push_back(shape[i]);
    }
    return out;
  }
};

/// Y = X with dimensions of 1 at the axes of Y that `axes` names.
class Unsqueeze : public View {
 public:
  explicit Unsqueeze(const NodeSpec&) {}

 private:
  Shape shape_of(const PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    const int64_t added = ctx.value(1).size();
    if (shape.rank() + added > kMaxRank)
      throw_not_implemented("tensors of rank ", shape.rank() + added, " are not supported, at most ", kMaxRank);
    Shape out = Shape::filled(static_cast<int>(shape.rank() + added), 1);
    const unsigned axes = axes_in(ctx.value(1), out.rank());
    for (int i = 0, from = 0; i < out.rank(); ++i)
      if ((axes >> i & 1u) == 0) out[i] = shape[from++];
    return out;
  }
};

const Registration registration{
    {.op = "Reshape", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<Reshape>},
    {.op = "Flatten", .inputs = {kFixedSize}, .make = make_kernel<Flatten>},
    {.op = "Squeeze", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<Squeeze>},
    {.op = "Unsqueeze", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<Unsqueeze>},
};

}  // namespace
}  // namespace ort_cpu
