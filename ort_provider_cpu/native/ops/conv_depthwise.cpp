// Depthwise convolution over blocked tensors.
#include <cstring>

#include "ops/conv_blocked.h"
#include "ops/conv_panels.h"
#include "simd/depthwise.h"

namespace ort_cpu {
namespace {

constexpr int64_t kBandBytes = 64 * 1024;  // of padded rows that are copied at a time

class PackedDepthwise : public PackedConv {
 public:
  PackedDepthwise(const ConvGeometry& g, const float* weights)
      : weights_(zeroed_floats(g.out_blocks() * g.taps() * 16)) {
    const int64_t taps = g.taps();
    for (int64_t c = 0; c < g.out_channels; ++c)
      for (int64_t t = 0; t < taps; ++t) weights_.data()[(c / 16 * taps + t) * 16 + c % 16] = weights[c * taps + t];
  }
  std::unique_ptr<PreparedConv> prepare(const ConvGeometry& geometry, int threads) const override;
  const float* weights() const { return weights_.data(); }

 private:
  AlignedArray<float> weights_;
};

class PreparedDepthwise : public PreparedConv {
 public:
  PreparedDepthwise(const PackedDepthwise& packed, const ConvGeometry& geometry, int threads)
      : packed_(packed),
        g_(geometry),
        threads_(useful_threads(2 * geometry.products(), threads)),
        multiplier_(g_.out_depth()) {
    is_3x3_ = g_.in[0] == 1 && g_.out[0] == 1 && g_.kernel == ConvGeometry::Dims{1, 3, 3} &&
              g_.stride[1] == g_.stride[2] && g_.stride[2] <= 2 && g_.dilation[1] == 1 && g_.dilation[2] == 1 &&
              g_.pad[0] == 0 && g_.pad[2] <= 1 && g_.overhang(2) <= 1;
    bool padded = false;
    for (int d = 0; d < 3; ++d) padded |= g_.pad[d] != 0 || g_.overhang(d) > 0;
    copies_ = padded && !is_3x3_;
    plan_bands();
  }

  size_t scratch_bytes() const override {
    return checked_size_bytes(
        DType::f32, Shape{checked_add(expanded_floats(), checked_multiply(threads_, copies_ ? band_floats_ : 0))});
  }

  void run(const RunContext& ctx, const BlockedOperands& operands) const override {
    float* scratch = ctx.scratch<float>();
    const float* input = operands.input;
    if (multiplier_ != 1) {
      expand(ctx, operands.input, scratch);
      input = scratch;
      scratch += expanded_floats();
    }
    const int64_t groups = g_.out[0] * bands_;  // of rows, in a plane
    const int64_t planes = g_.batch * g_.out_blocks();
    ctx.parallel(threads_, [&](int chunk, int chunks) {
      const auto [first, last] = share_of(planes * groups, chunk, chunks);
      float* band = scratch + (copies_ ? chunk * band_floats_ : 0);
      if (is_3x3_) {
        for (int64_t i = first; i < last;) {
          const int64_t plane = i / groups, from = i % groups, n = std::min(groups - from, last - i);
          rows_3x3(operands, input, plane, from * band_rows_, std::min(g_.out[1], (from + n) * band_rows_));
          i += n;
        }
        return;
      }
      for (int64_t i = first; i < last; ++i)
        compute_band(operands, input, band, i / groups, i % groups / bands_, i % bands_);
    });
  }

 private:
  int64_t expanded_floats() const {
    return multiplier_ == 1 ? 0 : Shape{g_.batch, g_.out_blocks(), g_.in_pixels(), 16}.size();
  }

  /// Bands of output rows: as many rows as fit, with the input that they need, into the first-level cache.
  void plan_bands() {
    row_width_ = checked_add((g_.out[2] - 1) * g_.stride[2], (g_.kernel[2] - 1) * g_.dilation[2] + 1);
    const int64_t extent = (g_.kernel[1] - 1) * g_.dilation[1] + 1;
    const int64_t row_floats = checked_multiply(checked_multiply(row_width_, 16), g_.kernel[0]);
    const int64_t rows = kBandBytes / 4 / row_floats;
    band_rows_ = std::clamp<int64_t>((rows - extent) / g_.stride[1] + 1, 1, g_.out[1]);
    if (is_3x3_) band_rows_ = std::min<int64_t>(2, g_.out[1]);
    bands_ = (g_.out[1] + band_rows_ - 1) / band_rows_;
    band_height_ = (band_rows_ - 1) * g_.stride[1] + extent;
    band_floats_ = checked_multiply(row_floats, band_height_);
    const int64_t row = (copies_ ? row_width_ : g_.in[2]) * 16;
    const int64_t slice = row * (copies_ ? band_height_ : g_.in[1] * g_.dilation[0]);
    for (int64_t kd = 0; kd < g_.kernel[0]; ++kd)
      for (int64_t kh = 0; kh < g_.kernel[1]; ++kh)
        for (int64_t kw = 0; kw < g_.kernel[2]; ++kw)
          taps_.push_back(kd * slice + kh * g_.dilation[1] * row + kw * g_.dilation[2] * 16);
  }

  /// Repeats each channel `multiplier_` times.
  void expand(const RunContext& ctx, const float* input, float* expanded) const {
    const int64_t pixels = g_.in_pixels();
    ctx.parallel_for(g_.batch * g_.out_blocks(), std::max<int64_t>(1, 4096 / std::max<int64_t>(pixels, 1)),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t plane = begin; plane < end; ++plane) {
                         const int64_t n = plane / g_.out_blocks(), block = plane % g_.out_blocks();
                         for (int64_t lane = 0; lane < 16; ++lane) {
                           const int64_t channel = std::min(g_.in_channels - 1, (block * 16 + lane) / multiplier_);
                           const float* from = input + (n * g_.in_blocks() + channel / 16) * pixels * 16 + channel % 16;
                           float* to = expanded + plane * pixels * 16 + lane;
                           for (int64_t p = 0; p < pixels; ++p) to[p * 16] = from[p * 16];
                         }
                       }
                     });
  }

  void rows_3x3(const BlockedOperands& operands, const float* input, int64_t plane, int64_t first, int64_t last) const {
    const int64_t block = plane % g_.out_blocks(), out = plane * g_.out_pixels() * 16;
    simd::depthwise_table().rows_3x3({.input = input + plane * g_.in_pixels() * 16,
                                      .height = g_.in[1],
                                      .width = g_.in[2],
                                      .stride = static_cast<int>(g_.stride[2]),
                                      .pad_top = g_.pad[1],
                                      .pad_left = g_.pad[2],
                                      .weights = packed_.weights() + block * 9 * 16,
                                      .bias = operands.bias + block * 16,
                                      .residual = operands.residual != nullptr ? operands.residual + out : nullptr,
                                      .output = operands.output + out,
                                      .out_width = g_.out[2],
                                      .first_row = first,
                                      .last_row = last,
                                      .activation = operands.activation});
  }

  void compute_band(const BlockedOperands& operands, const float* input, float* band, int64_t plane, int64_t od,
                    int64_t index) const {
    const int64_t block = plane % g_.out_blocks();
    const int64_t first = index * band_rows_, last = std::min(g_.out[1], first + band_rows_);
    const float* source = input + plane * g_.in_pixels() * 16;
    int64_t row = g_.in[2] * 16;
    if (copies_) {
      copy_band(source, band, od, first, last);
      source = band;
      row = row_width_ * 16;
    } else {
      source += (od * g_.stride[0] * g_.in[1] + first * g_.stride[1]) * row;
    }
    for (int64_t r = first; r < last; ++r) {
      const int64_t out = ((plane * g_.out[0] + od) * g_.out[1] + r) * g_.out[2] * 16;
      simd::depthwise_table().run({.input = source + (r - first) * g_.stride[1] * row,
                                   .input_stride = g_.stride[2] * 16,
                                   .taps = taps_.data(),
                                   .n_taps = static_cast<int>(taps_.size()),
                                   .row_taps = g_.dilation[2] == 1 ? static_cast<int>(g_.kernel[2]) : 1,
                                   .weights = packed_.weights() + block * g_.taps() * 16,
                                   .bias = operands.bias + block * 16,
                                   .residual = operands.residual != nullptr ? operands.residual + out : nullptr,
                                   .output = operands.output + out,
                                   .pixels = static_cast<int>(g_.out[2]),
                                   .activation = operands.activation});
    }
  }

  /// Copies the padded input of the output rows [first, last): [kernel depth, rows, row width, 16].
  void copy_band(const float* plane, float* band, int64_t od, int64_t first, int64_t last) const {
    const int64_t height = (last - 1 - first) * g_.stride[1] + (g_.kernel[1] - 1) * g_.dilation[1] + 1;
    const int64_t left = std::min(g_.pad[2], row_width_), inside = std::clamp<int64_t>(row_width_ - left, 0, g_.in[2]);
    for (int64_t kd = 0; kd < g_.kernel[0]; ++kd) {
      const int64_t z = od * g_.stride[0] + kd * g_.dilation[0] - g_.pad[0];
      for (int64_t i = 0; i < height; ++i) {
        const int64_t y = first * g_.stride[1] + i - g_.pad[1];
        float* to = band + (kd * band_height_ + i) * row_width_ * 16;
        if (z < 0 || z >= g_.in[0] || y < 0 || y >= g_.in[1]) {
          std::memset(to, 0, row_width_ * 64);
          continue;
        }
        std::memset(to, 0, left * 64);
        std::memcpy(to + left * 16, plane + (z * g_.in[1] + y) * g_.in[2] * 16, inside * 64);
        std::memset(to + (left + inside) * 16, 0, (row_width_ - left - inside) * 64);
      }
    }
  }

  const PackedDepthwise& packed_;
  ConvGeometry g_;
  int threads_;
  int64_t multiplier_;
  bool is_3x3_, copies_;
  std::vector<int64_t> taps_;
  int64_t row_width_ = 0, band_rows_ = 1, bands_ = 1, band_height_ = 1, band_floats_ = 0;
};

std::unique_ptr<PreparedConv> PackedDepthwise::prepare(const ConvGeometry& geometry, int threads) const {
  return std::make_unique<PreparedDepthwise>(*this, geometry, threads);
}

}  // namespace

std::unique_ptr<PackedConv> pack_depthwise(const ConvGeometry& geometry, const float* weights) {
  return std::make_unique<PackedDepthwise>(geometry, weights);
}

}  // namespace ort_cpu
