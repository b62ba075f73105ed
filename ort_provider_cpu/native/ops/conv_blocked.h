// The ways to compute a convolution over blocked tensors: each packs weights, prepares for shapes, and runs.
//
// A blocked tensor is a float32 tensor [N, ceil(C / 16), spatial..., 16]. The lanes of channels past C hold anything,
// NaN included: nobody may let them influence other lanes. The kernels here never read them into a sum.
#pragma once

#include <memory>

#include "engine/kernel.h"
#include "ops/conv_geometry.h"
#include "simd/activation.h"

namespace ort_cpu {

/// What one run computes with. All tensors are blocked; the bias is filled up with zeros to whole blocks.
struct BlockedOperands {
  const float* input;
  const float* bias;
  const float* residual;  // or null
  float* output;
  Activation activation;
};

/// A convolution ready to run for certain shapes.
class PreparedConv {
 public:
  virtual ~PreparedConv() = default;
  virtual size_t scratch_bytes() const { return 0; }
  virtual void run(const RunContext& ctx, const BlockedOperands& operands) const = 0;
};

/// Weights packed for one algorithm. What it prepares refers to it and must not outlive it.
class PackedConv {
 public:
  virtual ~PackedConv() = default;
  virtual std::unique_ptr<PreparedConv> prepare(const ConvGeometry& geometry, int threads) const = 0;
};

/// Dense or grouped convolution of any geometry; channels per group are a multiple of 16 if there are several groups.
/// `few_pixels`: packs for pointwise convolutions of so few pixels that wide panels are faster.
std::unique_ptr<PackedConv> pack_direct(const ConvGeometry& geometry, const float* weights, bool few_pixels);
/// Whether a geometry has few pixels in that sense.
bool has_few_pixels(const ConvGeometry& geometry);

/// 3x3 convolution of stride 1 without dilation or groups, in tiles of `m` x `m` outputs, m = 2 or 4.
std::unique_ptr<PackedConv> pack_winograd(const ConvGeometry& geometry, const float* weights, int m);

/// Depthwise convolution: one input channel per group, one or more output channels.
std::unique_ptr<PackedConv> pack_depthwise(const ConvGeometry& geometry, const float* weights);

/// Convolution of any geometry and any number of channels per group.
std::unique_ptr<PackedConv> pack_grouped(const ConvGeometry& geometry, const float* weights);
/// Whether that is the only way for groups of these channels, or a faster one than `pack_direct`.
bool suits_grouped(const ConvGeometry& geometry);

/// Dense convolution that reads a plain tensor [N, C, spatial...] and writes a blocked one.
std::unique_ptr<PackedConv> pack_stem(const ConvGeometry& geometry, const float* weights);

/// A part of the range [0, total): the `chunk`-th of `chunks`.
inline std::pair<int64_t, int64_t> share_of(int64_t total, int chunk, int chunks) {
  return {total * chunk / chunks, total * (chunk + 1) / chunks};
}

/// Threads worth using for so many products: one for each 4 us or so at full speed.
inline int useful_threads(double products, int threads) {
  return static_cast<int>(std::clamp(products / 5e5, 1.0, static_cast<double>(threads)));
}

}  // namespace ort_cpu
