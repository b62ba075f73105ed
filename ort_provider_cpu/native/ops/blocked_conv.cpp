// BlockedConv: Conv over blocked tensors.
#include "engine/registry.h"
#include "ops/conv_kernel.h"

namespace ort_cpu {
namespace {

enum Algorithm : int { kDirect, kDirectFewPixels, kWinograd2, kWinograd4, kDepthwise, kGrouped };

/// y = activation(Conv(x, w) + b + residual). x [N, ceil(C / 16), spatial..., 16], w [OC, C / group, kernel...], b
/// [OC], residual and y [N, ceil(OC / 16), spatial..., 16].
class BlockedConv : public PackedConvKernel {
 public:
  explicit BlockedConv(const NodeSpec& node)
      : PackedConvKernel(node, ConvInput::blocked),
        allows_winograd_(node.settings.winograd && !node.settings.deterministic && !node.settings.low_memory) {
    pack_early(node);
  }

 protected:
  int choose(const ConvGeometry& g) const override {
    if (g.group > 1 && g.in_depth() == 1) return kDepthwise;
    if (allows_winograd_ && suits_winograd(g)) {
      const double direct = direct_cost(g), winograd_2 = winograd_cost(g, 2), winograd_4 = winograd_cost(g, 4);
      if (winograd_4 < std::min(winograd_2, direct)) return kWinograd4;
      if (winograd_2 < direct) return kWinograd2;
    }
    if (suits_grouped(g)) return kGrouped;
    return has_few_pixels(g) ? kDirectFewPixels : kDirect;
  }

  std::unique_ptr<PackedConv> pack(int algorithm, const ConvGeometry& geometry, const float* weights) const override {
    switch (algorithm) {
      case kDepthwise: return pack_depthwise(geometry, weights);
      case kGrouped: return pack_grouped(geometry, weights);
      case kWinograd2: return pack_winograd(geometry, weights, 2);
      case kWinograd4: return pack_winograd(geometry, weights, 4);
      default: return pack_direct(geometry, weights, algorithm == kDirectFewPixels);
    }
  }

 private:
  static bool suits_winograd(const ConvGeometry& g) {
    const ConvGeometry::Dims once{1, 1, 1};
    return g.group == 1 && g.spatial_rank == 2 && g.kernel == ConvGeometry::Dims{1, 3, 3} && g.stride == once &&
           g.dilation == once && g.in_channels >= 16;
  }

  // Costs are products for each pair of an input and an output channel. What loading weights costs in addition depends
  // on where they fit; the transforms cost as much as the products of nine channels. Both were measured on convolutions
  // of 16 to 512 channels and maps of 7 to 224 pixels.
  static double weight_cost(const ConvGeometry& g, double coefficients) {
    const double bytes = 4.0 * coefficients * g.in_channels * g.out_channels;
    return coefficients * (bytes > 24e6 ? 32 : bytes > 2e6 ? 16 : 4);
  }
  static double direct_cost(const ConvGeometry& g) {
    const double rows = 1.0 * g.batch * g.out[1] * g.out[2];
    const double borders = (1 - 2.0 / (3 * g.out[1])) * (1 - 2.0 / (3 * g.out[2]));
    return 9 * rows * borders + weight_cost(g, 9);
  }
  static double winograd_cost(const ConvGeometry& g, int64_t m) {
    const double tiles = 1.0 * g.batch * ((g.out[1] + m - 1) / m) * ((g.out[2] + m - 1) / m);
    const double coefficients = 1.0 * (m + 2) * (m + 2);
    return coefficients * tiles * (1 + 9.0 / g.in_channels + 9.0 / (16 * g.out_blocks())) +
           weight_cost(g, coefficients);
  }
  bool allows_winograd_;
};

const Registration registration{
    {.op = "BlockedConv",
     .domain = "ort.cpu",
     .inputs = {{DType::f32}},
     .make = make_kernel<BlockedConv>,
     .declines = decline_variable_weights},
};

}  // namespace
}  // namespace ort_cpu
