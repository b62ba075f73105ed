// Direct convolution over blocked tensors.
#include <cstring>

#include "ops/conv_blocked.h"
#include "ops/conv_panels.h"
#include "simd/conv_direct.h"

namespace ort_cpu {
namespace {

using simd::ConvTap;
using simd::ConvTile;
using simd::ConvTileFunction;

constexpr int64_t kWeightChunkBytes = 320 * 1024;   // of one panel, used for all pixels before the next
constexpr int64_t kPixelBlockBytes = 384 * 1024;    // of input that all panels go over before the next
constexpr int64_t kCachedWeightBytes = 640 * 1024;  // weights that stay near for the next block of pixels
constexpr int64_t kCachedInputBytes = 2 << 20;      // input that stays near for the next panel

class PackedDirect : public PackedConv {
 public:
  PackedDirect(const ConvGeometry& geometry, const float* weights, bool few_pixels)
      : widest_(few_pixels ? simd::conv_direct_table().widest_panel : simd::conv_direct_table().usual_panel) {
    const int odd = geometry.kernel[2] == 1 ? simd::conv_direct_table().odd_panel : 1;
    panels_ = conv_panels(geometry, widest_, simd::conv_direct_table().usual_panel, odd);
    weights_ = pack_panels(geometry, panels_, weights);
    weight_bytes_ =
        static_cast<int64_t>(sizeof(float)) * geometry.out_blocks() * geometry.in_depth() * geometry.taps() * 16;
  }
  std::unique_ptr<PreparedConv> prepare(const ConvGeometry& geometry, int threads) const override;

  const std::vector<ConvPanel>& panels() const { return panels_; }
  const float* weights() const { return weights_.data(); }
  int64_t weight_bytes() const { return weight_bytes_; }
  /// Whether panels are wider than usual, for which there are tiles of stride 1 without skipping only.
  bool has_wide_panels() const { return widest_ > simd::conv_direct_table().usual_panel; }

 private:
  int widest_;
  std::vector<ConvPanel> panels_;
  AlignedArray<float> weights_;
  int64_t weight_bytes_;
};

class PreparedDirect : public PreparedConv {
 public:
  PreparedDirect(const PackedDirect& packed, const ConvGeometry& geometry, int threads)
      : packed_(packed), g_(geometry), threads_(useful_threads(geometry.products(), threads)) {
    if (g_.is_pointwise()) g_.in = g_.out = {1, 1, g_.out_pixels()};
    const bool skips = g_.kernel[2] == 3 && g_.pad[2] <= 1 && g_.overhang(2) <= 1 && !packed.has_wide_panels();
    const bool unpadded = g_.pad[2] == 0 && g_.overhang(2) <= 0;
    const bool strides = g_.stride[2] == 1 || (g_.stride[2] == 2 && !packed.has_wide_panels());
    copies_ = !(strides && (skips || unpadded));
    if (copies_) {
      plan_copy();
    } else {
      pitch_ = g_.in[2] * 16;
      stride_ = static_cast<int>(g_.stride[2]);
      skip_first_ = g_.pad[2] == 1;
      skip_last_ = g_.overhang(2) == 1;
    }
    plan_rows();
    plan_tiles();
  }

  size_t scratch_bytes() const override {
    if (!copies_) return 0;
    return checked_size_bytes(DType::f32, Shape{g_.in_blocks(), g_.in[0], g_.in[1], pitch_});
  }

  void run(const RunContext& ctx, const BlockedOperands& operands) const override {
    if (!copies_) {
      compute(ctx, operands, operands.input, 0, g_.batch);
      return;
    }
    float* copy = ctx.scratch<float>();
    for (int64_t n = 0; n < g_.batch; ++n) {
      copy_image(ctx, operands.input + n * g_.in_blocks() * g_.in_pixels() * 16, copy);
      compute(ctx, operands, copy, n, n + 1);
    }
  }

 private:
  struct Row {
    int64_t input;  // where the first tap of the first pixel lies in a block's plane
    int first_tap, n_taps;
  };

  /// Rows are copied with their padding; pixels that one tap meets with a stride become adjacent.
  void plan_copy() {
    for (int64_t k = 0; k < g_.kernel[2]; ++k) {
      const int64_t phase = k * g_.dilation[2] % g_.stride[2];
      if (std::find(phases_.begin(), phases_.end(), phase) == phases_.end()) phases_.push_back(phase);
    }
    phase_width_ = checked_add(g_.out[2], (g_.kernel[2] - 1) * g_.dilation[2] / g_.stride[2]);
    pitch_ = checked_multiply(checked_multiply(static_cast<int64_t>(phases_.size()), phase_width_), 16);
    stride_ = 1;
  }

  int64_t column_of_tap(int64_t k) const {
    if (!copies_) return (k * g_.dilation[2] - g_.pad[2]) * 16;
    const int64_t reach = k * g_.dilation[2];
    const int64_t phase = std::find(phases_.begin(), phases_.end(), reach % g_.stride[2]) - phases_.begin();
    return (phase * phase_width_ + reach / g_.stride[2]) * 16;
  }

  void plan_rows() {
    using Range = std::pair<int64_t, int64_t>;
    struct List {
      Range depth, height;
      int first, n;
    };
    std::vector<List> lists;
    for (int64_t od = 0; od < g_.out[0]; ++od)
      for (int64_t oh = 0; oh < g_.out[1]; ++oh) {
        const Range depth = g_.valid_taps(0, od), height = g_.valid_taps(1, oh);
        auto list = std::find_if(lists.begin(), lists.end(),
                                 [&](const List& l) { return l.depth == depth && l.height == height; });
        if (list == lists.end()) {
          const int first = static_cast<int>(taps_.size());
          for (int64_t kd = depth.first; kd < depth.second; ++kd)
            for (int64_t kh = height.first; kh < height.second; ++kh)
              for (int64_t kw = 0; kw < g_.kernel[2]; ++kw)
                taps_.push_back({(kd * g_.dilation[0] * g_.in[1] + kh * g_.dilation[1]) * pitch_ + column_of_tap(kw),
                                 (kd * g_.kernel[1] + kh) * g_.kernel[2] + kw});
          lists.push_back({depth, height, first, static_cast<int>(taps_.size()) - first});
          list = lists.end() - 1;
        }
        rows_.push_back({((od * g_.stride[0] - g_.pad[0]) * g_.in[1] + oh * g_.stride[1] - g_.pad[1]) * pitch_,
                         list->first, list->n});
      }
  }

  void plan_tiles() {
    const auto& table = simd::conv_direct_table();
    int widest = 1;
    for (const ConvPanel& panel : packed_.panels()) widest = std::max(widest, panel.blocks);
    const int64_t most = table.max_pixels(widest);
    tiles_ = (g_.out[2] + most - 1) / most;
    pixels_ = static_cast<int>(g_.out[2] / tiles_);
    larger_ = g_.out[2] % tiles_;
    for (int blocks = 1; blocks <= widest; ++blocks)
      for (int extra = 0; extra < 2; ++extra)
        for (int kind = 0; kind < 4; ++kind)
          functions_[blocks][extra][kind] =
              table.tile(blocks, std::min<int>(pixels_ + extra, static_cast<int>(most)), stride_, kind & 1, kind & 2);
  }

  void copy_image(const RunContext& ctx, const float* image, float* copy) const {
    const int64_t rows = g_.in_blocks() * g_.in[0] * g_.in[1], width = g_.in[2];
    ctx.parallel_for(rows, std::max<int64_t>(1, 65536 / pitch_), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* from = image + row * width * 16;
        float* to = copy + row * pitch_;
        for (const int64_t phase : phases_)
          for (int64_t j = 0; j < phase_width_; ++j, to += 16) {
            const int64_t x = j * g_.stride[2] + phase - g_.pad[2];
            if (x >= 0 && x < width) std::memcpy(to, from + x * 16, 64);
            else std::memset(to, 0, 64);
          }
      }
    });
  }

  /// Computes the images [first, last); `input` holds them, or a copy of one.
  void compute(const RunContext& ctx, const BlockedOperands& operands, const float* input, int64_t first,
               int64_t last) const {
    const int64_t units = (last - first) * static_cast<int64_t>(rows_.size()) * tiles_;
    const int64_t panels = static_cast<int64_t>(packed_.panels().size());
    const auto balance = [&](int64_t n) { return 1.0 * n / ((n + threads_ - 1) / threads_ * threads_); };
    const double activations = 4.0 * g_.batch * (g_.in_channels * g_.in_pixels() + g_.out_channels * g_.out_pixels());
    const bool prefers_panels = packed_.weight_bytes() > activations;
    const bool by_panels =
        prefers_panels ? balance(panels) > 0.8 * balance(units) : balance(panels) * 0.8 > balance(units);
    ctx.parallel(threads_, [&](int chunk, int chunks) {
      const auto [p0, p1] = share_of(panels, by_panels ? chunk : 0, by_panels ? chunks : 1);
      const auto [u0, u1] = share_of(units, by_panels ? 0 : chunk, by_panels ? 1 : chunks);
      const int64_t block = units_per_block();
      for (int64_t u = u0; u < u1; u += block)
        compute_block(operands, input, first, p0, p1, u, std::min(u1, u + block), u == u0 || has_many_weights());
    });
  }

  /// Whether weights come from far for every block of pixels.
  bool has_many_weights() const { return packed_.weight_bytes() > kCachedWeightBytes; }

  /// Tiles whose input stays in the second-level cache while all panels go over it.
  int64_t units_per_block() const {
    const double input_bytes = 4.0 * g_.batch * g_.in_channels * g_.in_pixels();
    const bool stays = g_.taps() > 3 || (has_many_weights() && input_bytes <= kCachedInputBytes);
    if (stays || g_.in_depth() == 0) return INT64_MAX / 2;
    return std::max<int64_t>(1, kPixelBlockBytes / (g_.in_depth() * 4 * pixels_ * stride_));
  }

  void compute_block(const BlockedOperands& operands, const float* input, int64_t first_image, int64_t p0, int64_t p1,
                     int64_t u0, int64_t u1, bool prefetches) const {
    const int64_t whole = g_.in_depth() / 16, blocks = (g_.in_depth() + 15) / 16;
    const int64_t plane = g_.in[0] * g_.in[1] * pitch_, out_plane = g_.out_pixels() * 16;
    ConvTile tile{};
    tile.input_block_stride = plane;
    tile.output_block_stride = out_plane;
    tile.activation = operands.activation;
    for (int64_t p = p0; p < p1; ++p) {
      const ConvPanel& panel = packed_.panels()[p];
      const int64_t block_weights = g_.taps() * 256 * panel.blocks;
      const int64_t most = std::max<int64_t>(1, kWeightChunkBytes / (block_weights * 4));
      const int chunks = static_cast<int>(std::max<int64_t>(1, (blocks + most - 1) / most));
      tile.weight_block_stride = block_weights;
      tile.bias = operands.bias + panel.out_block * 16;
      for (int c = 0; c < chunks; ++c) {
        const auto [i0, i1] = share_of(blocks, c, chunks);
        tile.first = c == 0;
        tile.last = c == chunks - 1;
        tile.n_blocks = static_cast<int>(std::min(i1, whole) - i0);
        tile.tail = i1 > whole ? static_cast<int>(g_.in_depth() % 16) : 0;
        tile.weights = packed_.weights() + panel.weights + i0 * block_weights;
        tile.prefetch = reinterpret_cast<const char*>(tile.weights);
        tile.prefetch_step = 0;
        if (prefetches && i1 > i0 && (c + 1 < chunks || p + 1 < p1)) {
          const double steps = 4.0 * (u1 - u0) * g_.taps() * (i1 - i0);
          const double step = 1.15 * 4 * block_weights * (i1 - i0) / steps;
          tile.prefetch = reinterpret_cast<const char*>(tile.weights + (i1 - i0) * block_weights);
          tile.prefetch_step = std::clamp<int64_t>(static_cast<int64_t>(step), 16, 256) / 4 * 4;
        }
        for (int j = 0; j < 3; ++j) tile.prefetch_others[j] = tile.prefetch_step / 4 * (j + 1);
        compute_tiles(tile, operands, input + (panel.in_block + i0) * plane, first_image, panel, u0, u1);
      }
    }
  }

  void compute_tiles(ConvTile& tile, const BlockedOperands& operands, const float* input, int64_t first_image,
                     const ConvPanel& panel, int64_t u0, int64_t u1) const {
    const int64_t rows = static_cast<int64_t>(rows_.size());
    const int64_t image = g_.in_blocks() * tile.input_block_stride,
                  out_image = g_.out_blocks() * tile.output_block_stride;
    int64_t t = u0 % tiles_, r = u0 / tiles_ % rows, n = u0 / tiles_ / rows;
    // Weights of the next panel are fetched first, then what the tile after each one adds to and writes.
    bool fetches_weights = tile.prefetch_step != 0;
    const char* weights_end = tile.prefetch + 4 * tile.weight_block_stride * (tile.n_blocks + 1);
    const int64_t steps = std::max<int64_t>(1, g_.taps() * (tile.n_blocks * 4 + tile.tail / 4));
    const int64_t output_step = std::clamp<int64_t>((pixels_ * 64 + steps - 1) / steps, 1, 64);
    const int64_t second = panel.blocks > 1 ? tile.output_block_stride * 4 : 0;
    for (int64_t u = u0; u < u1; ++u) {
      const Row& row = rows_[r];
      const int64_t column = t * pixels_ + std::min(t, larger_);
      const int64_t out =
          (first_image + n) * out_image + panel.out_block * tile.output_block_stride + (r * g_.out[2] + column) * 16;
      const bool is_larger = t < larger_;
      tile.input = input + n * image + row.input + column * stride_ * 16;
      tile.taps = taps_.data() + row.first_tap;
      tile.n_taps = row.n_taps;
      tile.output = operands.output + out;
      tile.residual = operands.residual != nullptr ? operands.residual + out : nullptr;
      const int kind = (t == 0 && skip_first_ ? 1 : 0) + (t == tiles_ - 1 && skip_last_ ? 2 : 0);
      if (!fetches_weights && tile.last) {
        const int64_t ahead = (pixels_ + is_larger) * 16;
        const float* added = tile.residual != nullptr ? tile.residual : tile.output;
        tile.prefetch = reinterpret_cast<const char*>(added + ahead);
        tile.prefetch_step = output_step;
        const int64_t apart = reinterpret_cast<intptr_t>(tile.output) - reinterpret_cast<intptr_t>(added);
        tile.prefetch_others[0] = second;
        tile.prefetch_others[1] = apart;
        tile.prefetch_others[2] = apart + second;
      }
      functions_[panel.blocks][is_larger][kind](tile);
      if (fetches_weights && tile.prefetch >= weights_end) {
        fetches_weights = false;
        tile.prefetch_step = 0;
      }
      if (++t == tiles_) {
        t = 0;
        if (++r == rows) r = 0, ++n;
      }
    }
  }

  const PackedDirect& packed_;
  ConvGeometry g_;
  int threads_;
  bool copies_ = false, skip_first_ = false, skip_last_ = false;
  std::vector<int64_t> phases_;
  int64_t phase_width_ = 0;
  int64_t pitch_ = 0;  // floats of a row
  int stride_ = 1;     // between the pixels of a tile
  std::vector<Row> rows_;
  std::vector<ConvTap> taps_;
  int64_t tiles_ = 1, larger_ = 0;  // per row; the first `larger_` have one pixel more than `pixels_`
  int pixels_ = 1;
  ConvTileFunction functions_[5][2][4] = {};  // by panel, size, skips
};

std::unique_ptr<PreparedConv> PackedDirect::prepare(const ConvGeometry& geometry, int threads) const {
  return std::make_unique<PreparedDirect>(*this, geometry, threads);
}

}  // namespace

std::unique_ptr<PackedConv> pack_direct(const ConvGeometry& geometry, const float* weights, bool few_pixels) {
  return std::make_unique<PackedDirect>(geometry, weights, few_pixels);
}

bool has_few_pixels(const ConvGeometry& geometry) {
  const auto& table = simd::conv_direct_table();
  return geometry.is_pointwise() && table.widest_panel > table.usual_panel &&
         geometry.out_pixels() <= table.max_pixels(table.widest_panel);
}

}  // namespace ort_cpu
