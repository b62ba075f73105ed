// RoiAlign and MaxRoiPool.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

constexpr double kMostSamples = 1 << 24;

/// A bilinear sample along one axis.
template <class A>
struct RoiSample {
  int64_t low, high;
  A low_weight, high_weight;
};

/// The samples of one axis of a region, `per_bin` for each bin.
template <class A>
struct RoiSamples {
  int64_t per_bin = 0;
  std::vector<RoiSample<A>> samples;

  RoiSamples(A start, A end, int64_t bins, int64_t ratio, int64_t size, bool half_pixel) {
    const A length = half_pixel ? end - start : std::max(end - start, A{1});
    require(std::isfinite(length), "a region has no finite size");
    const double wanted = std::ceil(static_cast<double>(length / static_cast<A>(bins)));
    require(ratio > 0 || wanted * static_cast<double>(bins) <= kMostSamples, "a region of ", length,
            " has too many samples");
    per_bin = ratio > 0 ? ratio : std::max<int64_t>(0, static_cast<int64_t>(wanted));
    const A step = length / static_cast<A>(bins);
    for (int64_t bin = 0; bin < bins; ++bin)
      for (int64_t i = 0; i < per_bin; ++i) {
        const A offset = (static_cast<A>(i) + A{0.5}) * step / static_cast<A>(per_bin);
        samples.push_back(sample(start + static_cast<A>(bin) * step + offset, size));
      }
  }

 private:
  static RoiSample<A> sample(A place, int64_t size) {
    const bool outside = !(place >= -1 && place <= static_cast<A>(size));
    place = std::clamp(outside ? A{0} : place, A{0}, static_cast<A>(size - 1));
    const int64_t low = std::min(static_cast<int64_t>(place), size - 1), high = std::min(low + 1, size - 1);
    const A weight = place - static_cast<A>(low);
    return {low, high, outside ? A{0} : 1 - weight, outside ? A{0} : weight};
  }
};

/// Y [R, C, output_height, output_width] = X [N, C, H, W] pooled bilinearly in each of rois [R, 4] (x, y, x, y).
class RoiAlign : public Kernel {
 public:
  explicit RoiAlign(const NodeSpec& node)
      : height_(node.attributes.integer("output_height", 1)),
        width_(node.attributes.integer("output_width", 1)),
        ratio_(node.attributes.integer("sampling_ratio", 0)),
        scale_(node.attributes.real("spatial_scale", 1)) {
    const std::string mode = node.attributes.text("mode", "avg");
    const std::string coordinates = node.attributes.text("coordinate_transformation_mode", "half_pixel");
    require(mode == "avg" || mode == "max", "mode is '", mode, "', must be avg or max");
    require(coordinates == "half_pixel" || coordinates == "output_half_pixel", "coordinate_transformation_mode '",
            coordinates, "' is unknown");
    average_ = mode == "avg";
    half_pixel_ = coordinates == "half_pixel";
    require(height_ > 0 && width_ > 0, "output_height ", height_, " and output_width ", width_, " must be positive");
    require(height_ <= kMostSamples && width_ <= kMostSamples && ratio_ >= 0 && ratio_ <= kMostSamples &&
                static_cast<double>(std::max(height_, width_)) * static_cast<double>(ratio_) <= kMostSamples,
            "sampling_ratio ", ratio_, " makes too many samples");
  }

  void plan(PlanContext& ctx) const override {
    const Shape &x = ctx.shape(0), &rois = ctx.shape(1), &batch = ctx.shape(2);
    require(x.rank() == 4, "X must be [N, C, H, W], got shape ", x);
    require(rois.rank() == 2 && rois[1] == 4, "rois must be [R, 4], got shape ", rois);
    require(batch == Shape{rois[0]}, "batch_indices has shape ", batch, ", expected [", rois[0], "]");
    const Shape y{rois[0], x[1], height_, width_};
    ctx.output(0, ctx.dtype(0), y);
    require(y.size() == 0 || x[2] * x[3] > 0, "X of shape ", x, " has nothing to pool");
    ctx.cost_ns(static_cast<double>(y.size()) * 20);
  }

  void run(RunContext& ctx) const override {
    const auto batch = ctx.input(2).elements<int64_t>();
    const int64_t images = ctx.input(0).shape[0];
    for (int64_t index : batch)
      require(index >= 0 && index < images, "batch index ", index, " is out of range for ", images, " images");
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      ctx.parallel_for(ctx.input(1).shape[0], 1, [&](int64_t first, int64_t last) {
        for (int64_t roi = first; roi < last; ++roi) pool<T>(ctx, roi, batch[roi]);
      });
    });
  }

 private:
  template <class T>
  void pool(RunContext& ctx, int64_t roi, int64_t image) const {
    using A = compute_t<T>;
    const Shape& shape = ctx.input(0).shape;
    const int64_t channels = shape[1], plane = shape[2] * shape[3];
    const T* corners = ctx.input(1).as<T>() + roi * 4;
    const auto place = [&](int i) {
      return static_cast<A>(corners[i]) * static_cast<A>(scale_) - (half_pixel_ ? A{0.5} : A{0});
    };
    if (channels == 0) return;
    const RoiSamples<A> rows(place(1), place(3), height_, ratio_, shape[2], half_pixel_);
    const RoiSamples<A> columns(place(0), place(2), width_, ratio_, shape[3], half_pixel_);
    const int64_t per_bin = rows.per_bin * columns.per_bin;
    T* y = ctx.output(0).as<T>() + roi * channels * height_ * width_;
    for (int64_t c = 0; c < channels; ++c) {
      const T* x = ctx.input(0).as<T>() + (image * channels + c) * plane;
      for (int64_t bin_y = 0; bin_y < height_; ++bin_y)
        for (int64_t bin_x = 0; bin_x < width_; ++bin_x) {
          A total = average_ || per_bin == 0 ? A{0} : -std::numeric_limits<A>::infinity();
          for (int64_t i = bin_y * rows.per_bin; i < (bin_y + 1) * rows.per_bin; ++i)
            for (int64_t j = bin_x * columns.per_bin; j < (bin_x + 1) * columns.per_bin; ++j)
              accumulate(total, x, rows.samples[i], columns.samples[j], shape[3]);
          *y++ = T(average_ && per_bin > 0 ? total / static_cast<A>(per_bin) : total);
        }
    }
  }

  /// Adds the weighted corners of one sample, or takes the largest of them.
  template <class T, class A>
  void accumulate(A& total, const T* x, const RoiSample<A>& row, const RoiSample<A>& column, int64_t width) const {
    const T *low = x + row.low * width, *high = x + row.high * width;
    const A values[4] = {static_cast<A>(low[column.low]) * (row.low_weight * column.low_weight),
                         static_cast<A>(low[column.high]) * (row.low_weight * column.high_weight),
                         static_cast<A>(high[column.low]) * (row.high_weight * column.low_weight),
                         static_cast<A>(high[column.high]) * (row.high_weight * column.high_weight)};
    if (average_) {
      total += (values[0] + values[1]) + (values[2] + values[3]);
    } else {
      for (A value : values) total = value > total || value != value ? value : total;
    }
  }

  const int64_t height_, width_, ratio_;
  const float scale_;
  bool average_ = true, half_pixel_ = true;
};

/// Y [R, C, *pooled_shape] = the maxima of X [N, C, H, W] over a grid in each of rois [R, 5] (batch, x, y, x, y).
class MaxRoiPool : public Kernel {
 public:
  explicit MaxRoiPool(const NodeSpec& node)
      : pooled_(node.attributes.integers("pooled_shape")), scale_(node.attributes.real("spatial_scale", 1)) {
    require(pooled_.size() == 2 && pooled_[0] > 0 && pooled_[1] > 0, "pooled_shape must be two positive sizes");
    require(std::max(pooled_[0], pooled_[1]) <= kMostSamples, "pooled_shape has a value of ",
            std::max(pooled_[0], pooled_[1]));
  }

  void plan(PlanContext& ctx) const override {
    const Shape &x = ctx.shape(0), &rois = ctx.shape(1);
    require(x.rank() == 4, "X must be [N, C, H, W], got shape ", x);
    require(rois.rank() == 2 && rois[1] == 5, "rois must be [R, 5], got shape ", rois);
    ctx.output(0, ctx.dtype(0), {rois[0], x[1], pooled_[0], pooled_[1]});
  }

  void run(RunContext& ctx) const override {
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      ctx.parallel_for(ctx.input(1).shape[0], 1, [&](int64_t first, int64_t last) {
        for (int64_t roi = first; roi < last; ++roi) pool<T>(ctx, roi);
      });
    });
  }

 private:
  struct Bin {
    int64_t first, last;
  };

  static std::vector<Bin> bins(double start, double end, int64_t count, int64_t size) {
    const double length = std::max(end - start + 1, 1.0) / static_cast<double>(count);
    std::vector<Bin> bins(static_cast<size_t>(count));
    const auto bound = [size](double x) { return static_cast<int64_t>(std::clamp(x, 0.0, static_cast<double>(size))); };
    for (int64_t i = 0; i < count; ++i)
      bins[i] = {bound(start + std::floor(static_cast<double>(i) * length)),
                 bound(start + std::ceil(static_cast<double>(i + 1) * length))};
    return bins;
  }

  template <class T>
  void pool(RunContext& ctx, int64_t roi) const {
    using A = compute_t<T>;
    const Shape& shape = ctx.input(0).shape;
    const T* region = ctx.input(1).as<T>() + roi * 5;
    double corners[5];
    for (int i = 0; i < 5; ++i) {
      corners[i] = static_cast<double>(region[i]);
      require(std::isfinite(corners[i]), "a region has a corner that is not finite");
      if (i > 0) corners[i] = std::floor(corners[i] * scale_ + 0.5);
    }
    require(corners[0] > -1 && corners[0] < static_cast<double>(shape[0]), "batch index ", corners[0],
            " is out of range for ", shape[0], " images");
    const auto rows = bins(corners[2], corners[4], pooled_[0], shape[2]);
    const auto columns = bins(corners[1], corners[3], pooled_[1], shape[3]);
    const int64_t image = static_cast<int64_t>(corners[0]), channels = shape[1];
    T* y = ctx.output(0).as<T>() + roi * channels * pooled_[0] * pooled_[1];
    for (int64_t c = 0; c < channels; ++c) {
      const T* x = ctx.input(0).as<T>() + (image * channels + c) * shape[2] * shape[3];
      for (const Bin& row : rows)
        for (const Bin& column : columns) {
          const bool empty = row.first >= row.last || column.first >= column.last;
          A best = empty ? A{0} : -std::numeric_limits<A>::infinity();
          for (int64_t h = row.first; h < row.last; ++h)
            for (int64_t w = column.first; w < column.last; ++w) {
              const A value = static_cast<A>(x[h * shape[3] + w]);
              best = value > best || value != value ? value : best;
            }
          *y++ = T(best);
        }
    }
  }

  const std::vector<int64_t> pooled_;
  const double scale_;
};

const Registration registration{
    {.op = "RoiAlign", .inputs = {kFloats, kFloats, DTypeSet{DType::i64}}, .make = make_kernel<RoiAlign>},
    {.op = "MaxRoiPool", .inputs = {kFloats, kFloats}, .make = make_kernel<MaxRoiPool>},
};

}  // namespace
}  // namespace ort_cpu
