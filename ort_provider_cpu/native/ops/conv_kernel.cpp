#include "ops/conv_kernel.h"

#include "ops/activation.h"
#include "ops/conv_panels.h"

namespace ort_cpu {

PackedConvKernel::PackedConvKernel(const NodeSpec& node, ConvInput input)
    : input_(input),
      attributes_(node.attributes),
      activation_(activation_of(node.attributes)),
      channels_(node.attributes.integer("channels", 0)) {
  require(node.constant(1) != nullptr, "the weights are no constant");
  weight_shape_ = node.constant(1)->shape;
  require(weight_shape_.rank() >= 3, "the weights have shape ", weight_shape_, ", at least rank 3 is needed");
  bias_ = zeroed_floats((weight_shape_[0] + 15) / 16 * 16);
  if (const Tensor* bias = node.constant(2)) {
    check_conv_bias(bias->shape, weight_shape_[0]);
    std::copy_n(bias->as<float>(), bias->size(), bias_.data());
    node.release_constant(2);
  }
}

/// The algorithm is chosen for a map of this extent where the model leaves it open.
constexpr int64_t kTypicalExtent = 32;

void PackedConvKernel::pack_early(const NodeSpec& node) {
  if (node.inputs[0].shape == nullptr) return;
  Shape x = *node.inputs[0].shape;
  if (x.rank() > 0 && x[0] < 0) x[0] = 1;
  for (int axis = 2; axis < x.rank(); ++axis)
    if (x[axis] < 0) x[axis] = kTypicalExtent;
  if (x.rank() < 3 || x[1] < 0) return;
  try {
    const ConvGeometry g = geometry(x);
    if (g.is_empty()) return;
    packed_early_ = pack(choose(g), g, node.constant(1)->as<float>());
  } catch (const Error&) {
    return;  // `plan` meets the fault again, with the shapes that are fed
  }
  node.release_constant(1);
}

ConvGeometry PackedConvKernel::geometry(const Shape& x) const {
  const int rank = x.rank();
  if (input_ == ConvInput::plain) {
    require(rank >= 3, "the input has shape ", x, ", at least rank 3 is needed");
    return conv_geometry(attributes_, x[0], x[1], x.dims().subspan(2), weight_shape_);
  }
  require(rank >= 4 && x.back() == 16, "the input has shape ", x, ", [N, blocks, spatial..., 16] is needed");
  require(channels_ >= 0 && x[1] == (channels_ + 15) / 16, "the input has shape ", x, ", which does not hold ",
          channels_, " channels");
  return conv_geometry(attributes_, x[0], channels_, x.dims().subspan(2, rank - 3), weight_shape_);
}

std::shared_ptr<const PackedConv> PackedConvKernel::packed_for(const ConvGeometry& geometry,
                                                               const PlanContext& ctx) const {
  if (packed_early_ != nullptr) return packed_early_;
  const std::lock_guard lock(mutex_);
  auto& packed = packed_[choose(geometry)];
  if (packed == nullptr) packed = pack(choose(geometry), geometry, ctx.value(1).as<float>());
  return packed;
}

void PackedConvKernel::plan(PlanContext& ctx) const {
  const ConvGeometry g = geometry(ctx.shape(0));
  Shape out{g.batch, g.out_blocks()};
  for (const int64_t dim : g.out_dims()) out.push_back(dim);
  out.push_back(16);
  ctx.output(0, DType::f32, out);
  if (ctx.has_input(3))
    require(ctx.shape(3) == out, "the residual has shape ", ctx.shape(3), ", the result has shape ", out);
  if (out.size() == 0) return;
  State state;
  state.packed = packed_for(g, ctx);
  state.prepared = state.packed->prepare(g, ctx.threads());
  ctx.scratch(state.prepared->scratch_bytes());
  ctx.cost_ns(g.products() / 50);
  ctx.state(std::move(state));
}

void PackedConvKernel::run(RunContext& ctx) const {
  if (ctx.output(0).size() == 0) return;
  ctx.state<State>().prepared->run(ctx, {.input = ctx.input(0).as<float>(),
                                         .bias = bias_.data(),
                                         .residual = ctx.has_input(3) ? ctx.input(3).as<float>() : nullptr,
                                         .output = ctx.output(0).as<float>(),
                                         .activation = activation_});
}

std::optional<std::string> decline_variable_weights(const NodeSpec& node) {
  if (node.constant(1) == nullptr) return "the weights are no constant";
  if (node.has_input(2) && node.constant(2) == nullptr) return "the bias is no constant";
  return std::nullopt;
}

}  // namespace ort_cpu
