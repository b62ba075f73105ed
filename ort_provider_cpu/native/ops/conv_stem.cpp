// StemConv: a convolution that reads a plain tensor of few channels and writes a blocked one.
#include <cstring>

#include "engine/registry.h"
#include "ops/conv_blocked.h"
#include "ops/conv_kernel.h"
#include "ops/conv_panels.h"
#include "simd/conv_stem.h"

namespace ort_cpu {
namespace {

constexpr int64_t kWeightChunkBytes = 320 * 1024;  // of one panel, used for all pixels before the next

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

/// Each image is first copied with its padding; pixels that one tap meets with a stride become adjacent.
class PreparedStem : public PreparedConv {
 public:
  PreparedStem(const PackedStem& packed, const ConvGeometry& geometry, int threads)
      : packed_(packed), g_(geometry), threads_(useful_threads(geometry.products(), threads)) {
    for (int d = 0; d < 2; ++d)
      size_[d] = checked_add((g_.out[d] - 1) * g_.stride[d], (g_.kernel[d] - 1) * g_.dilation[d] + 1);
    for (int64_t k = 0; k < g_.kernel[2]; ++k) {
      const int64_t phase = k * g_.dilation[2] % g_.stride[2];
      if (std::find(phases_.begin(), phases_.end(), phase) == phases_.end()) phases_.push_back(phase);
    }
    phase_width_ = checked_add(g_.out[2], (g_.kernel[2] - 1) * g_.dilation[2] / g_.stride[2]);
    pitch_ = checked_multiply(static_cast<int64_t>(phases_.size()), phase_width_);
    plane_ = Shape{size_[0], size_[1], pitch_}.size();
    checked_multiply(plane_, g_.in_channels);
    for (int64_t c = 0; c < g_.in_channels; ++c)
      for (int64_t kd = 0; kd < g_.kernel[0]; ++kd)
        for (int64_t kh = 0; kh < g_.kernel[1]; ++kh)
          for (int64_t kw = 0; kw < g_.kernel[2]; ++kw) {
            const int64_t reach = kw * g_.dilation[2];
            const int64_t phase = std::find(phases_.begin(), phases_.end(), reach % g_.stride[2]) - phases_.begin();
            taps_.push_back(c * plane_ + (kd * g_.dilation[0] * size_[1] + kh * g_.dilation[1]) * pitch_ +
                            phase * phase_width_ + reach / g_.stride[2]);
          }
    const int64_t most = simd::conv_stem_table().max_pixels;
    tiles_ = (g_.out[2] + most - 1) / most;
  }

  size_t scratch_bytes() const override { return checked_size_bytes(DType::f32, Shape{g_.in_channels, plane_}); }

  void run(const RunContext& ctx, const BlockedOperands& operands) const override {
    float* copy = ctx.scratch<float>();
    const int64_t units = g_.out[0] * g_.out[1] * tiles_, panels = static_cast<int64_t>(packed_.panels().size());
    const double activations = 1.0 * plane_ * g_.in_channels + 1.0 * g_.out_pixels() * g_.out_channels;
    const bool by_panels = panels >= threads_ && 1.0 * packed_.depth() * g_.out_channels > activations;
    for (int64_t n = 0; n < g_.batch; ++n) {
      copy_image(ctx, operands.input + n * g_.in_channels * g_.in_pixels(), copy);
      float* output = operands.output + n * g_.out_blocks() * g_.out_pixels() * 16;
      ctx.parallel(threads_, [&](int chunk, int chunks) {
        const auto [p0, p1] = share_of(panels, by_panels ? chunk : 0, by_panels ? chunks : 1);
        const auto [u0, u1] = share_of(units, by_panels ? 0 : chunk, by_panels ? 1 : chunks);
        for (int64_t p = p0; p < p1; ++p) compute_panel(operands, copy, output, packed_.panels()[p], u0, u1);
      });
    }
  }

 private:
  void copy_image(const RunContext& ctx, const float* image, float* copy) const {
    const int64_t rows = g_.in_channels * size_[0] * size_[1], width = g_.in[2];
    ctx.parallel_for(rows, std::max<int64_t>(1, 16384 / pitch_), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t c = row / (size_[0] * size_[1]);
        const int64_t z = row / size_[1] % size_[0] - g_.pad[0], y = row % size_[1] - g_.pad[1];
        float* to = copy + row * pitch_;
        if (z < 0 || z >= g_.in[0] || y < 0 || y >= g_.in[1]) {
          std::memset(to, 0, pitch_ * 4);
          continue;
        }
        const float* from = image + ((c * g_.in[0] + z) * g_.in[1] + y) * width;
        for (const int64_t phase : phases_) {
          // The input column of element j is j * stride + shift.
          const int64_t step = g_.stride[2], shift = phase - g_.pad[2];
          const int64_t first = std::clamp<int64_t>(shift >= 0 ? 0 : (-shift + step - 1) / step, 0, phase_width_);
          const int64_t last =
              std::clamp<int64_t>(width > shift ? (width - shift + step - 1) / step : 0, first, phase_width_);
          std::memset(to, 0, first * 4);
          if (step == 1) std::memcpy(to + first, from + first + shift, (last - first) * 4);
          else
            for (int64_t j = first; j < last; ++j) to[j] = from[j * step + shift];
          std::memset(to + last, 0, (phase_width_ - last) * 4);
          to += phase_width_;
        }
      }
    });
  }

  void compute_panel(const BlockedOperands& operands, const float* copy, float* output, const ConvPanel& panel,
                     int64_t u0, int64_t u1) const {
    const auto& table = simd::conv_stem_table();
    const int64_t size = g_.out[2] / tiles_, larger = g_.out[2] % tiles_;
    const auto smaller_tile = table.tile(panel.blocks, static_cast<int>(size));
    const auto larger_tile = larger != 0 ? table.tile(panel.blocks, static_cast<int>(size + 1)) : nullptr;
    const int64_t most = std::max<int64_t>(1, kWeightChunkBytes / (panel.blocks * 64));
    const int chunks = static_cast<int>(std::max<int64_t>(1, (packed_.depth() + most - 1) / most));
    simd::StemTile tile{};
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
        tile.input =
            copy + (row / g_.out[1] * g_.stride[0] * size_[1] + row % g_.out[1] * g_.stride[1]) * pitch_ + column;
        tile.output = output + panel.out_block * tile.output_block_stride + (row * g_.out[2] + column) * 16;
        (t < larger ? larger_tile : smaller_tile)(tile);
      }
    }
  }

  const PackedStem& packed_;
  ConvGeometry g_;
  int threads_;
  std::array<int64_t, 2> size_{};  // depth and height of the copy
  std::vector<int64_t> phases_, taps_;
  int64_t phase_width_, pitch_, plane_, tiles_;
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
