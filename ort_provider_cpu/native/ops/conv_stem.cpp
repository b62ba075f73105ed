// StemConv: a convolution that reads a plain tensor of few channels and writes a blocked one.
#include <algorithm>

#include "engine/registry.h"
#include "ops/conv_blocked.h"
#include "ops/conv_kernel.h"
#include "ops/conv_panels.h"
#include "simd/conv_stem.h"

namespace ort_cpu {
namespace {

constexpr int64_t kWeightChunkBytes = 320 * 1024;  // of one panel, used for all pixels before the next
constexpr int64_t kBandBytes = 96 * 1024;          // of padded rows that are copied at a time

class PackedStem : public PackedConv {
 public:
  PackedStem(const ConvGeometry& g, const float* weights) : depth_(g.in_channels * g.taps()) {
    const int usual = simd::conv_stem_table().usual_panel;
    ConvGeometry flat = g;  // all channels and taps become the taps of one channel
    flat.in_channels = 1;
    flat.kernel = {1, 1, depth_};
    for (ConvPanel panel : conv_panels(flat, usual, usual)) {
      panel.weights = panel.out_block * 16 * depth_;
      panels_.push_back(panel);
    }
    weights_ = zeroed_floats(g.out_blocks() * 16 * depth_);
    for (const ConvPanel& panel : panels_) {
      const int64_t width = panel.blocks * 16, first = panel.out_block * 16;
      for (int64_t o = 0; o < std::min(width, g.out_channels - first); ++o)
        for (int64_t k = 0; k < depth_; ++k)
          weights_.data()[panel.weights + k * width + o] = weights[(first + o) * depth_ + k];
    }
  }
  std::unique_ptr<PreparedConv> prepare(const ConvGeometry& geometry, int threads) const override;
  const std::vector<ConvPanel>& panels() const { return panels_; }
  const float* weights() const { return weights_.data(); }
  int64_t depth() const { return depth_; }

 private:
  int64_t depth_;
  std::vector<ConvPanel> panels_;
  AlignedArray<float> weights_;
};

/// Reads images as they are, or bands of a few output rows that are copied with their padding.
class PreparedStem : public PreparedConv {
 public:
  PreparedStem(const PackedStem& packed, const ConvGeometry& geometry, int threads)
      : packed_(packed), g_(geometry), threads_(useful_threads(geometry.products(), threads)) {
    for (int d = 0; d < 3; ++d) copies_ |= g_.pad[d] != 0 || g_.overhang(d) > 0;
    plan_bands();
    const int64_t row = copies_ ? row_width_ : g_.in[2], slice = row * (copies_ ? band_height_ : g_.in[1]);
    for (int64_t c = 0; c < g_.in_channels; ++c)
      for (int64_t kd = 0; kd < g_.kernel[0]; ++kd)
        for (int64_t kh = 0; kh < g_.kernel[1]; ++kh)
          for (int64_t kw = 0; kw < g_.kernel[2]; ++kw) {
            const int64_t plane = copies_ ? c * g_.kernel[0] + kd : c * g_.in[0] + kd * g_.dilation[0];
            taps_.push_back(plane * slice + kh * g_.dilation[1] * row + kw * g_.dilation[2]);
          }
    const int64_t most = simd::conv_stem_table().max_pixels;
    tiles_ = (g_.out[2] + most - 1) / most;
  }

  size_t scratch_bytes() const override {
    return copies_ ? checked_size_bytes(DType::f32, Shape{threads_, band_floats_}) : 0;
  }

  void run(const RunContext& ctx, const BlockedOperands& operands) const override {
    const int64_t panels = static_cast<int64_t>(packed_.panels().size());
    const int64_t units = g_.batch * g_.out[0] * g_.out[1] * tiles_;
    const double activations = 1.0 * g_.in_pixels() * g_.in_channels + 1.0 * g_.out_pixels() * g_.out_channels;
    const bool by_panels = panels >= threads_ && 1.0 * packed_.depth() * g_.out_channels > activations * g_.batch;
    ctx.parallel(threads_, [&](int chunk, int chunks) {
      const auto [p0, p1] = share_of(panels, by_panels ? chunk : 0, by_panels ? chunks : 1);
      const auto [u0, u1] = share_of(units, by_panels ? 0 : chunk, by_panels ? 1 : chunks);
      float* band = ctx.scratch<float>() + (copies_ ? chunk * band_floats_ : 0);
      for (int64_t u = u0; u < u1;) {
        const int64_t row = u / tiles_, plane_end = (row / g_.out[1] + 1) * g_.out[1];
        const int64_t end = std::min(u1, std::min(plane_end, row + band_rows_) * tiles_);
        if (copies_) copy_band(operands.input, row, (end - 1) / tiles_ + 1 - row, band);
        for (int64_t p = p0; p < p1; ++p) compute_panel(operands, band, packed_.panels()[p], row, u, end);
        u = end;
      }
    });
  }

 private:
  /// Bands of output rows that stay near, or are as large as the weights that pass by for each.
  void plan_bands() {
    row_width_ = checked_add((g_.out[2] - 1) * g_.stride[2], (g_.kernel[2] - 1) * g_.dilation[2] + 1);
    const int64_t extent = (g_.kernel[1] - 1) * g_.dilation[1] + 1;
    const int64_t row = checked_multiply(checked_multiply(row_width_, g_.in_channels), g_.kernel[0]);
    const int64_t bytes = std::max(kBandBytes, 4 * packed_.depth() * g_.out_channels);
    band_rows_ = std::clamp<int64_t>((bytes / 4 / row - extent) / g_.stride[1] + 1, 1, g_.out[1]);
    if (!copies_) band_rows_ = g_.out[1];
    band_height_ = checked_add(checked_multiply(band_rows_ - 1, g_.stride[1]), extent);
    band_floats_ = checked_multiply(row, band_height_);
  }

  /// Copies the padded input of `rows` output rows from `first` on, which counts the rows of all images:
  /// [channels, kernel depth, band height, row width].
  void copy_band(const float* input, int64_t first, int64_t rows, float* band) const {
    const int64_t n = first / (g_.out[0] * g_.out[1]), od = first / g_.out[1] % g_.out[0], oh = first % g_.out[1];
    const int64_t height = (rows - 1) * g_.stride[1] + (g_.kernel[1] - 1) * g_.dilation[1] + 1, width = g_.in[2];
    const int64_t before = std::min(g_.pad[2], row_width_), present = std::min(width, row_width_ - before);
    for (int64_t plane = 0; plane < g_.in_channels * g_.kernel[0]; ++plane) {
      const int64_t c = plane / g_.kernel[0];
      const int64_t z = od * g_.stride[0] - g_.pad[0] + plane % g_.kernel[0] * g_.dilation[0];
      const float* from = input + ((n * g_.in_channels + c) * g_.in[0] + z) * g_.in[1] * width;
      float* to = band + plane * band_height_ * row_width_;
      for (int64_t i = 0; i < height; ++i, to += row_width_) {
        const int64_t y = oh * g_.stride[1] - g_.pad[1] + i;
        if (z < 0 || z >= g_.in[0] || y < 0 || y >= g_.in[1]) {
          std::fill_n(to, row_width_, 0.0f);
          continue;
        }
        std::fill_n(to, before, 0.0f);
        std::copy_n(from + y * width, present, to + before);
        std::fill_n(to + before + present, row_width_ - before - present, 0.0f);
      }
    }
  }

  /// Computes the tiles [u0, u1), which count those of all images, of a band that begins with a certain row.
  void compute_panel(const BlockedOperands& operands, const float* band, const ConvPanel& panel, int64_t band_row,
                     int64_t u0, int64_t u1) const {
    const auto& table = simd::conv_stem_table();
    const int64_t size = g_.out[2] / tiles_, larger = g_.out[2] % tiles_, rows = g_.out[0] * g_.out[1];
    const auto smaller_tile = table.tile(panel.blocks, static_cast<int>(size));
    const auto larger_tile = larger != 0 ? table.tile(panel.blocks, static_cast<int>(size + 1)) : nullptr;
    const int64_t most = std::max<int64_t>(1, kWeightChunkBytes / (panel.blocks * 64));
    const int chunks = static_cast<int>(std::max<int64_t>(1, (packed_.depth() + most - 1) / most));
    simd::StemTile tile{};
    tile.stride = g_.stride[2];
    tile.bias = operands.bias + panel.out_block * 16;
    tile.output_block_stride = g_.out_pixels() * 16;
    tile.activation = operands.activation;
    for (int c = 0; c < chunks; ++c) {
      const auto [k0, k1] = share_of(packed_.depth(), c, chunks);
      tile.taps = taps_.data() + k0;
      tile.n_taps = k1 - k0;
      tile.weights = packed_.weights() + panel.weights + k0 * panel.blocks * 16;
      tile.first = c == 0;
      tile.last = c == chunks - 1;
      for (int64_t u = u0; u < u1; ++u) {
        const int64_t t = u % tiles_, row = u / tiles_, column = t * size + std::min(t, larger);
        const int64_t n = row / rows, od = row / g_.out[1] % g_.out[0], oh = row % g_.out[1];
        const float* image = operands.input + n * g_.in_channels * g_.in_pixels();
        tile.input = copies_ ? band + (row - band_row) * g_.stride[1] * row_width_
                             : image + (od * g_.stride[0] * g_.in[1] + oh * g_.stride[1]) * g_.in[2];
        tile.input += column * g_.stride[2];
        tile.output = operands.output + (n * g_.out_blocks() + panel.out_block) * tile.output_block_stride +
                      (row % rows * g_.out[2] + column) * 16;
        (t < larger ? larger_tile : smaller_tile)(tile);
      }
    }
  }

  const PackedStem& packed_;
  ConvGeometry g_;
  int threads_;
  bool copies_ = false;
  std::vector<int64_t> taps_;
  int64_t row_width_ = 0, band_rows_ = 1, band_height_ = 1, band_floats_ = 0, tiles_ = 1;
};

std::unique_ptr<PreparedConv> PackedStem::prepare(const ConvGeometry& geometry, int threads) const {
  return std::make_unique<PreparedStem>(*this, geometry, threads);
}

/// y = activation(Conv(x, w) + b). x [N, C, spatial...], w [OC, C, kernel...], b [OC] -> blocked [N, ceil(OC / 16),
/// spatial..., 16].
class StemConv : public PackedConvKernel {
 public:
  explicit StemConv(const NodeSpec& node) : PackedConvKernel(node, ConvInput::plain) { pack_early(node); }

 protected:
  std::unique_ptr<PackedConv> pack(int, const ConvGeometry& geometry, const float* weights) const override {
    return pack_stem(geometry, weights);
  }
};

const Registration registration{
    {.op = "StemConv",
     .domain = "ort.cpu",
     .inputs = {{DType::f32}},
     .make = make_kernel<StemConv>,
     .declines = [](const NodeSpec& node) -> std::optional<std::string> {
       if (node.attributes.integer("group", 1) != 1) return "StemConv with groups is not supported";
       return decline_variable_weights(node);
     }},
};

}  // namespace

std::unique_ptr<PackedConv> pack_stem(const ConvGeometry& geometry, const float* weights) {
  return std::make_unique<PackedStem>(geometry, weights);
}

}  // namespace ort_cpu
