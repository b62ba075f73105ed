// The geometry of windows that slide over spatial axes: attributes of pools, padding, output sizes.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "engine/attributes.h"

namespace ort_cpu {

/// One spatial axis: window `o` has its taps at `o * stride - begin + k * dilation` for k in [0, kernel).
struct PoolAxis {
  int64_t size = 1, kernel = 1, stride = 1, dilation = 1, begin = 0, end = 0, out = 1;

  struct Taps {
    int64_t first, last;
    int64_t count() const { return last - first; }
  };

  int64_t start(int64_t o) const { return o * stride - begin; }
  /// The positions below which taps count: the size, cropped by negative padding.
  int64_t limit() const { return size + std::min<int64_t>(end, 0); }
  /// The taps of window `o` that are inside the input.
  Taps taps(int64_t o) const {
    const int64_t from = start(o);
    const int64_t first = from >= 0 ? 0 : std::min(kernel, ceil_divide(-from, dilation));
    return {first, std::max(first, taps_below(limit(), from))};
  }
  /// The number of taps of window `o` inside the input and its padding, at least 1.
  int64_t count_with_padding(int64_t o) const { return std::max<int64_t>(1, taps_below(size + end, start(o))); }
  /// Whether every window has taps inside and padding only adds places, few of them.
  bool has_plain_padding() const {
    constexpr int64_t kFew = 256;
    return begin >= 0 && end >= 0 && dilation <= size && begin <= kFew && padded() <= begin + size + kFew &&
           taps(0).count() > 0 && taps(out - 1).count() > 0;
  }
  /// The places that all windows fit into, and the input with the padding before it.
  int64_t padded() const { return std::max(begin + size, (out - 1) * stride + (kernel - 1) * dilation + 1); }
  /// The windows [first, last) that are inside the input with all taps.
  std::pair<int64_t, int64_t> interior() const {
    const int64_t first = begin > 0 ? std::min(out, ceil_divide(begin, stride)) : 0;
    const int64_t room = limit() - 1 - (kernel - 1) * dilation + begin;
    return {first, room < 0 ? first : std::clamp(room / stride + 1, first, out)};
  }

 private:
  static int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }
  int64_t taps_below(int64_t bound, int64_t from) const {
    return from >= bound ? 0 : std::min(kernel, ceil_divide(bound - from, dilation));
  }
};

/// The attributes kernel_shape, strides, dilations, pads, auto_pad and ceil_mode.
class PoolAttributes {
 public:
  explicit PoolAttributes(const Attributes& attributes)
      : kernel_(attributes.integers("kernel_shape")),
        strides_(attributes.integers("strides")),
        dilations_(attributes.integers("dilations")),
        pads_(attributes.integers("pads")),
        auto_pad_(attributes.text("auto_pad", "NOTSET")),
        ceil_mode_(attributes.integer("ceil_mode", 0) != 0) {
    const size_t rank = kernel_.size();
    if (strides_.empty()) strides_.assign(rank, 1);
    if (dilations_.empty()) dilations_.assign(rank, 1);
    if (pads_.empty()) pads_.assign(2 * rank, 0);
    require(strides_.size() == rank, "strides has ", strides_.size(), " values, kernel_shape has ", rank);
    require(dilations_.size() == rank, "dilations has ", dilations_.size(), " values, kernel_shape has ", rank);
    require(pads_.size() == 2 * rank, "pads has ", pads_.size(), " values, kernel_shape has ", rank);
    require(auto_pad_ == "NOTSET" || auto_pad_.empty() || auto_pad_ == "VALID" || auto_pad_ == "SAME_UPPER" ||
                auto_pad_ == "SAME_LOWER",
            "auto_pad is '", auto_pad_, "', must be NOTSET, SAME_UPPER, SAME_LOWER or VALID");
    check_range("kernel_shape", kernel_, 1);
    check_range("strides", strides_, 1);
    check_range("dilations", dilations_, 1);
    check_range("pads", pads_, -kMost);
  }

  int rank() const { return static_cast<int>(kernel_.size()); }
  const std::vector<int64_t>& kernel() const { return kernel_; }

  /// The geometry over spatial sizes, as three axes: unit axes come first where there are fewer.
  std::array<PoolAxis, 3> axes(std::span<const int64_t> sizes) const {
    require(static_cast<int>(sizes.size()) == rank(), "kernel_shape has ", rank(), " values, the input has ",
            sizes.size(), " spatial axes");
    require(rank() <= 3, "pools over ", rank(), " spatial axes are not supported");
    std::array<PoolAxis, 3> axes;
    for (int i = 0; i < rank(); ++i) axes[3 - rank() + i] = axis(i, sizes[i]);
    return axes;
  }

 private:
  static constexpr int64_t kMost = int64_t{1} << 30;

  static void check_range(const char* name, const std::vector<int64_t>& values, int64_t least) {
    for (int64_t value : values)
      require(value >= least && value <= kMost, name, " has a value of ", value, ", must be in [", least, ", ", kMost,
              "]");
  }

  PoolAxis axis(int i, int64_t size) const {
    require(size <= int64_t{1} << 48, "a spatial axis of ", size, " is too large for a pool");
    PoolAxis axis{size, kernel_[i], strides_[i], dilations_[i], pads_[i], pads_[i + rank()], 0};
    const int64_t extent = (axis.kernel - 1) * axis.dilation + 1;
    if (auto_pad_ == "VALID") {
      axis.begin = axis.end = 0;
    } else if (auto_pad_ == "SAME_UPPER" || auto_pad_ == "SAME_LOWER") {
      const int64_t windows = (size + axis.stride - 1) / axis.stride;
      const int64_t total = std::max<int64_t>(0, (windows - 1) * axis.stride + extent - size);
      axis.begin = auto_pad_ == "SAME_UPPER" ? total / 2 : total - total / 2;
      axis.end = total - axis.begin;
    }
    const int64_t span = size + axis.begin + axis.end - extent;
    require(span >= 0, "a window of ", extent, " does not fit an axis of ", size, " padded by ", axis.begin, " and ",
            axis.end);
    axis.out = (ceil_mode_ ? (span + axis.stride - 1) / axis.stride : span / axis.stride) + 1;
    if (ceil_mode_ && (axis.out - 1) * axis.stride >= size + axis.begin) --axis.out;
    return axis;
  }

  std::vector<int64_t> kernel_, strides_, dilations_, pads_;
  std::string auto_pad_;
  bool ceil_mode_;
};

}  // namespace ort_cpu
