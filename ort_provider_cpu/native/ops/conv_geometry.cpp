#include "ops/conv_geometry.h"

namespace ort_cpu {

ConvAttributes::ConvAttributes(const Attributes& attributes)
    : kernel_shape(attributes.integers("kernel_shape")),
      strides(attributes.integers("strides")),
      dilations(attributes.integers("dilations")),
      pads(attributes.integers("pads")),
      auto_pad(attributes.text("auto_pad", "NOTSET")),
      group(attributes.integer("group", 1)) {}

void ConvAttributes::check() const {
  require(group >= 1, "group is ", group, ", it must be at least 1");
  require(auto_pad == "NOTSET" || auto_pad == "VALID" || auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER",
          "auto_pad is '", auto_pad, "', it must be NOTSET, VALID, SAME_UPPER or SAME_LOWER");
}

bool ConvGeometry::is_pointwise() const {
  for (int d = 0; d < 3; ++d)
    if (kernel[d] != 1 || stride[d] != 1 || pad[d] != 0 || in[d] != out[d]) return false;
  return true;
}

int64_t checked_add(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) throw_invalid("the size ", a, " + ", b, " overflows");
  return result;
}

int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) throw_invalid("the size ", a, " * ", b, " overflows");
  return result;
}

std::vector<int64_t> spatial_list(const char* name, const std::vector<int64_t>& values, int rank, int64_t fallback,
                                  int64_t least) {
  if (values.empty()) return std::vector<int64_t>(rank, fallback);
  require(values.size() == static_cast<size_t>(rank), name, " has ", values.size(), " entries for ", rank,
          " spatial dimensions");
  for (const int64_t value : values) require(value >= least, name, " holds ", value, ", it must be at least ", least);
  return values;
}

ConvGeometry conv_geometry(const ConvAttributes& attributes, int64_t batch, int64_t channels,
                           std::span<const int64_t> spatial, const Shape& weights) {
  const int rank = static_cast<int>(spatial.size());
  require(rank >= 1, "the input has no spatial dimension");
  if (rank > 3) throw_not_implemented("convolutions over ", rank, " spatial dimensions are not supported, at most 3");
  require(weights.rank() == rank + 2, "the weights have shape ", weights, ", the input has ", rank,
          " spatial dimensions");
  attributes.check();
  const int64_t group = attributes.group;
  require(weights[0] % group == 0, "group ", group, " does not divide ", weights[0], " output channels");
  require(checked_multiply(weights[1], group) == channels, "the input has ", channels,
          " channels, the weights of shape ", weights, " with group ", group, " need ", weights[1], " * ", group);

  ConvGeometry g;
  g.batch = batch;
  g.in_channels = channels;
  g.out_channels = weights[0];
  g.group = group;
  g.spatial_rank = rank;
  const auto kernel = spatial_list("kernel_shape", attributes.kernel_shape, rank, 0, 0);
  const auto strides = spatial_list("strides", attributes.strides, rank, 1, 1);
  const auto dilations = spatial_list("dilations", attributes.dilations, rank, 1, 1);
  const auto pads = spatial_list("pads", attributes.pads, 2 * rank, 0, 0);
  for (int i = 0; i < rank; ++i) {
    const int d = 3 - rank + i;
    require(attributes.kernel_shape.empty() || kernel[i] == weights[i + 2], "kernel_shape holds ", kernel[i],
            " where the weights have shape ", weights);
    require(weights[i + 2] >= 1, "the kernel of the weights of shape ", weights, " is empty");
    g.in[d] = spatial[i];
    g.kernel[d] = weights[i + 2];
    g.stride[d] = strides[i];
    g.dilation[d] = dilations[i];
    const int64_t extent = checked_add(checked_multiply(g.kernel[d] - 1, g.dilation[d]), 1);
    int64_t before = 0, after = 0;
    if (attributes.auto_pad == "NOTSET") {
      before = pads[i];
      after = pads[rank + i];
    } else if (attributes.auto_pad != "VALID") {
      const int64_t out = spatial[i] == 0 ? 0 : (spatial[i] - 1) / strides[i] + 1;
      const int64_t reach = checked_add((out - 1) * strides[i], extent);
      const int64_t total = std::max<int64_t>(0, reach - spatial[i]);
      before = attributes.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      after = total - before;
    }
    g.pad[d] = before;
    const int64_t padded = checked_add(spatial[i], checked_add(before, after));
    require(padded >= extent || spatial[i] == 0, "a kernel of ", extent, " elements does not fit into ", padded,
            " elements of the padded dimension ", i + 2);
    g.out[d] = padded < extent ? 0 : (padded - extent) / g.stride[d] + 1;
    checked_add(checked_multiply(g.out[d], g.stride[d]), extent);
  }
  return g;
}

void check_conv_bias(const Shape& bias, int64_t out_channels) {
  require(bias.rank() == 1 && bias[0] == out_channels, "the bias has shape ", bias, " for ", out_channels,
          " output channels");
}

}  // namespace ort_cpu
