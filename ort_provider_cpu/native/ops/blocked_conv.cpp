// BlockedConv: Conv over blocked tensors.
#include "engine/registry.h"
#include "ops/conv_kernel.h"

namespace ort_cpu {
namespace {

enum Algorithm : int { kDirect, kDirectFewPixels, kWinograd2, kWinograd4, kDepthwise };

/// y = activation(Conv(x, w) + b + residual). x [N, ceil(C / 16), spatial..., 16], w [OC, C / group, kernel...], b [OC],
/// residual and y [N, ceil(OC / 16), spatial..., 16].
class BlockedConv : public PackedConvKernel {
 public:
  explicit BlockedConv(const NodeSpec& node)
      : PackedConvKernel(node, ConvInput::blocked),
        allows_winograd_(node.settings.winograd && !node.settings.deterministic) {
    pack_early(node);
  }

 protected:
  int choose(const ConvGeometry& g) const override {
    if (g.group > 1 && g.in_depth() == 1) return kDepthwise;
    if (allows_winograd_ && suits_winograd(g)) return std::min(g.out[1], g.out[2]) >= 20 ? kWinograd4 : kWinograd2;
    return has_few_pixels(g) ? kDirectFewPixels : kDirect;
  }

  std::unique_ptr<PackedConv> pack(int algorithm, const ConvGeometry& geometry, const float* weights) const override {
    switch (algorithm) {
      case kDepthwise: return pack_depthwise(geometry, weights);
      case kWinograd2: return pack_winograd(geometry, weights, 2);
      case kWinograd4: return pack_winograd(geometry, weights, 4);
      default: return pack_direct(geometry, weights, algorithm == kDirectFewPixels);
    }
  }

 private:
  static bool suits_winograd(const ConvGeometry& g) {
    const ConvGeometry::Dims once{1, 1, 1};
    return g.group == 1 && g.spatial_rank == 2 && g.kernel == ConvGeometry::Dims{1, 3, 3} && g.stride == once &&
           g.dilation == once && g.in_channels >= 64 && g.out_channels >= 64 && std::min(g.out[1], g.out[2]) >= 10;
  }
  bool allows_winograd_;
};

/// Why the groups of a node do not fit into blocks.
std::optional<std::string> decline_groups(const NodeSpec& node) {
  if (auto reason = decline_variable_weights(node)) return reason;
  const Shape& weights = node.constant(1)->shape;
  const int64_t group = node.attributes.integer("group", 1);
  if (group == 1 || weights.rank() < 3 || weights[1] == 1) return std::nullopt;
  if (weights[1] % 16 != 0 || group <= 0 || weights[0] / group % 16 != 0)
    return "groups whose channels are no multiple of 16 are not supported";
  return std::nullopt;
}

const Registration registration{
    {.op = "BlockedConv",
     .domain = "ort.cpu",
     .inputs = {{DType::f32}},
     .make = make_kernel<BlockedConv>,
     .declines = decline_groups},
};

}  // namespace
}  // namespace ort_cpu
