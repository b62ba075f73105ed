// The attributes and the geometry that all convolutions share.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "engine/kernel.h"
#include "simd/activation.h"

namespace ort_cpu {

/// The attributes of Conv and its relatives as they stand in the model; empty lists are absent ones.
struct ConvAttributes {
  explicit ConvAttributes(const Attributes& attributes);
  /// Raises InvalidArgument for a group or a padding mode that does not exist.
  void check() const;

  std::vector<int64_t> kernel_shape, strides, dilations, pads;
  std::string auto_pad;
  int64_t group;
};

/// A convolution of known shapes. Spatial dimensions are filled up in front to three: depth, height, width.
struct ConvGeometry {
  using Dims = std::array<int64_t, 3>;

  int64_t batch = 0, in_channels = 0, out_channels = 0, group = 1;
  int spatial_rank = 0;
  Dims in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  Dims pad{0, 0, 0};  // in front of each dimension

  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
  int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
  int64_t in_blocks() const { return (in_channels + 15) / 16; }
  int64_t out_blocks() const { return (out_channels + 15) / 16; }
  /// Channels of one group.
  int64_t in_depth() const { return in_channels / group; }
  int64_t out_depth() const { return out_channels / group; }
  /// Products that the convolution needs, as a measure of its work.
  double products() const { return 1.0 * batch * out_pixels() * out_channels * taps() * in_depth(); }
  /// How far the last pixel of dimension `d` reaches beyond the input; not positive if it does not.
  int64_t overhang(int d) const {
    return (out[d] - 1) * stride[d] + (kernel[d] - 1) * dilation[d] - pad[d] - (in[d] - 1);
  }
  /// The elements of the kernel that meet the input at output coordinate `o` of dimension `d`: [first, last).
  std::pair<int64_t, int64_t> valid_taps(int d, int64_t o) const {
    const int64_t start = o * stride[d] - pad[d], step = dilation[d];
    const int64_t first = start >= 0 ? 0 : std::min(kernel[d], (-start + step - 1) / step);
    const int64_t last = start >= in[d] ? first : std::clamp((in[d] - start + step - 1) / step, first, kernel[d]);
    return {first, last};
  }
  bool is_empty() const { return batch == 0 || out_channels == 0 || out_pixels() == 0; }
  /// Whether every output pixel depends on the input pixel at the same place only.
  bool is_pointwise() const;
  std::span<const int64_t> out_dims() const {
    return {out.data() + (3 - spatial_rank), static_cast<size_t>(spatial_rank)};
  }
};

/// The geometry of Conv: x [batch, channels, spatial...] with weights [out channels, channels / group, kernel...].
///
/// Raises InvalidArgument for attributes and shapes that do not fit each other, or whose sizes overflow.
ConvGeometry conv_geometry(const ConvAttributes& attributes, int64_t batch, int64_t channels,
                           std::span<const int64_t> spatial, const Shape& weights);

/// Checks that a bias has one element for each output channel.
void check_conv_bias(const Shape& bias, int64_t out_channels);

/// The list of one entry per spatial dimension, `fallback` everywhere if it is empty. Raises InvalidArgument for other
/// lengths and for entries below `least`.
std::vector<int64_t> spatial_list(const char* name, const std::vector<int64_t>& values, int rank, int64_t fallback,
                                  int64_t least);

/// a + b and a * b, which raise InvalidArgument when they overflow.
int64_t checked_add(int64_t a, int64_t b);
int64_t checked_multiply(int64_t a, int64_t b);

}  // namespace ort_cpu
