// Winograd convolution over blocked tensors: transform tiles, multiply coefficient by coefficient, transform back.
#include "ops/conv_blocked.h"
#include "ops/conv_panels.h"
#include "simd/conv_direct.h"
#include "simd/winograd.h"

namespace ort_cpu {
namespace {

using simd::ConvTap;
using simd::ConvTile;
using simd::WinogradTiles;

// Coefficients of the tiles that a thread handles at a time: few while the weights stay in the second-level cache, many
// where each batch reads them anew.
constexpr int64_t kCachedWeightBytes = 640 * 1024, kCachedBatchBytes = 400 * 1024, kBatchBytes = 3 << 20;
constexpr int64_t kMostSharedBytes = 16 << 20;  // coefficients of all tiles, where threads share the products
constexpr ConvTap kOneTap{0, 0};

class PackedWinograd : public PackedConv {
 public:
  PackedWinograd(const ConvGeometry& geometry, const float* weights, int m) : m_(m), side_(m + 2) {
    ConvGeometry pointwise = geometry;
    pointwise.kernel = {1, 1, 1};
    const int usual = simd::conv_direct_table().usual_panel, odd = simd::conv_direct_table().odd_panel;
    panels_ = conv_panels(pointwise, usual, usual, odd);
    in_blocks_ = geometry.in_blocks();
    plane_ = in_blocks_ * 16 * geometry.out_blocks() * 16;
    weights_ = zeroed_floats(plane_ * planes());
    const int64_t depth = geometry.in_channels;
    AlignedArray<float> rows(static_cast<size_t>(9 * 16 * 16 * std::max(usual, odd)));
    for (const ConvPanel& panel : panels_) {
      const int64_t width = panel.blocks * 16, first = panel.out_block * 16;
      const int64_t present = std::min(width, geometry.out_channels - first);
      for (int64_t block = 0; block < in_blocks_; ++block) {
        const int64_t channels = std::min<int64_t>(16, depth - block * 16);
        std::fill_n(rows.data(), 9 * 16 * width, 0.0f);
        for (int64_t o = 0; o < present; ++o) {
          const float* from = weights + ((first + o) * depth + block * 16) * 9;
          for (int64_t i = 0; i < channels; ++i)
            for (int64_t t = 0; t < 9; ++t) rows.data()[(t * 16 + i) * width + o] = from[i * 9 + t];
        }
        simd::winograd_table().filter(m, rows.data(), 16 * width, weights_.data() + panel.weights + block * 16 * width,
                                      plane_);
      }
    }
  }
  std::unique_ptr<PreparedConv> prepare(const ConvGeometry& geometry, int threads) const override;

  int m() const { return m_; }
  int64_t planes() const { return side_ * side_; }
  const std::vector<ConvPanel>& panels() const { return panels_; }
  const float* plane(int64_t i) const { return weights_.data() + i * plane_; }
  int64_t weight_bytes() const { return plane_ * planes() * 4; }

 private:
  int m_;
  int64_t side_;
  std::vector<ConvPanel> panels_;
  int64_t in_blocks_ = 0, plane_ = 0;
  AlignedArray<float> weights_;
};

class PreparedWinograd : public PreparedConv {
 public:
  PreparedWinograd(const PackedWinograd& packed, const ConvGeometry& geometry, int threads)
      : packed_(packed), g_(geometry), threads_(useful_threads(geometry.products() / 3, threads)) {
    const int64_t m = packed.m();
    tiles_wide_ = (g_.out[2] + m - 1) / m;
    image_tiles_ = tiles_wide_ * ((g_.out[1] + m - 1) / m);
    tiles_ = checked_multiply(g_.batch, image_tiles_);
    const int64_t tile_bytes = packed.planes() * (g_.in_blocks() + g_.out_blocks()) * 16 * 4;
    shares_products_ =
        threads_ > 1 && packed.weight_bytes() > tile_bytes * tiles_ && tile_bytes * tiles_ <= kMostSharedBytes;
    if (shares_products_) {
      batch_ = tiles_;
    } else {
      const int64_t share = (tiles_ + threads_ - 1) / threads_;
      const int64_t bytes = packed.weight_bytes() <= kCachedWeightBytes ? kCachedBatchBytes : kBatchBytes;
      const int64_t most = std::max<int64_t>(14, bytes / tile_bytes);
      const int64_t batches = (share + most - 1) / most;
      batch_ = std::min(share, ((share + batches - 1) / batches + 13) / 14 * 14);
    }
    in_plane_ = checked_multiply(checked_multiply(batch_, g_.in_blocks()), 16) + 16;
    out_plane_ = checked_multiply(checked_multiply(batch_, g_.out_blocks()), 16) + 16;
  }

  size_t scratch_bytes() const override {
    return checked_size_bytes(DType::f32, Shape{copies(), packed_.planes(), checked_add(in_plane_, out_plane_)});
  }

  void run(const RunContext& ctx, const BlockedOperands& operands) const override {
    const int64_t planes = packed_.planes(), panels = static_cast<int64_t>(packed_.panels().size());
    float* scratch = ctx.scratch<float>();
    if (!shares_products_) {
      ctx.parallel(threads_, [&](int chunk, int chunks) {
        float* in = scratch + chunk * planes * (in_plane_ + out_plane_);
        float* out = in + planes * in_plane_;
        const auto [first, last] = share_of(tiles_, chunk, chunks);
        for (int64_t t = first; t < last; t += batch_) {
          const int64_t n = std::min(batch_, last - t);
          for (int64_t block = 0; block < g_.in_blocks(); ++block) transform_input(operands, block, t, 0, n, n, in);
          multiply(0, planes * panels, n, in, out);
          for (int64_t block = 0; block < g_.out_blocks(); ++block) transform_output(operands, block, t, 0, n, n, out);
        }
      });
      return;
    }
    float* in = scratch;
    float* out = in + planes * in_plane_;
    const auto each_block = [&](int64_t blocks, auto transform) {
      ctx.parallel(threads_, [&](int chunk, int chunks) {
        const auto [first, last] = share_of(blocks * tiles_, chunk, chunks);
        for (int64_t i = first; i < last;) {
          const int64_t block = i / tiles_, t = i % tiles_, n = std::min(last - i, tiles_ - t);
          transform(block, t, n);
          i += n;
        }
      });
    };
    each_block(g_.in_blocks(),
               [&](int64_t block, int64_t t, int64_t n) { transform_input(operands, block, 0, t, n, tiles_, in); });
    ctx.parallel(threads_, [&](int chunk, int chunks) {
      const auto [first, last] = share_of(planes * panels, chunk, chunks);
      multiply(first, last, tiles_, in, out);
    });
    each_block(g_.out_blocks(),
               [&](int64_t block, int64_t t, int64_t n) { transform_output(operands, block, 0, t, n, tiles_, out); });
  }

 private:
  int64_t copies() const { return shares_products_ ? 1 : threads_; }

  /// Calls `f(image, tiles)` for the tiles [base + offset, base + offset + n) of `block`, image by image. A batch
  /// begins at tile `base` and has `size` tiles in its planes.
  template <class F>
  void each_image(int64_t block, int64_t base, int64_t offset, int64_t n, int64_t size, float* planes,
                  int64_t plane_stride, F&& f) const {
    while (n > 0) {
      const int64_t image = (base + offset) / image_tiles_, first = (base + offset) % image_tiles_;
      const int64_t here = std::min(n, image_tiles_ - first);
      f(image,
        WinogradTiles{packed_.m(), tiles_wide_, first, here, planes + (block * size + offset) * 16, plane_stride});
      offset += here;
      n -= here;
    }
  }

  void transform_input(const BlockedOperands& operands, int64_t block, int64_t base, int64_t offset, int64_t n,
                       int64_t size, float* in) const {
    each_image(block, base, offset, n, size, in, in_plane_, [&](int64_t image, const WinogradTiles& tiles) {
      const float* plane = operands.input + (image * g_.in_blocks() + block) * g_.in_pixels() * 16;
      simd::winograd_table().input(tiles, plane, g_.in[1], g_.in[2], g_.pad[1], g_.pad[2]);
    });
  }

  void transform_output(const BlockedOperands& operands, int64_t block, int64_t base, int64_t offset, int64_t n,
                        int64_t size, float* out) const {
    each_image(block, base, offset, n, size, out, out_plane_, [&](int64_t image, const WinogradTiles& tiles) {
      const int64_t at = (image * g_.out_blocks() + block) * g_.out_pixels() * 16;
      simd::winograd_table().output(tiles, operands.output + at, g_.out[1], g_.out[2], operands.bias + block * 16,
                                    operands.residual != nullptr ? operands.residual + at : nullptr,
                                    operands.activation);
    });
  }

  /// The products [first, last) of all pairs of a plane and a panel, for `n` tiles.
  void multiply(int64_t first, int64_t last, int64_t n, const float* in, float* out) const {
    const auto& table = simd::conv_direct_table();
    const int64_t panels = static_cast<int64_t>(packed_.panels().size()), blocks = g_.in_blocks();
    ConvTile tile{};
    tile.input_block_stride = tile.output_block_stride = n * 16;
    tile.taps = &kOneTap;
    tile.n_taps = 1;
    tile.n_blocks = static_cast<int>(g_.in_channels / 16);
    tile.tail = static_cast<int>(g_.in_channels % 16);
    tile.first = tile.last = true;
    for (int64_t i = first; i < last; ++i) {
      const int64_t plane = i / panels;
      const ConvPanel& panel = packed_.panels()[i % panels];
      const int64_t most = table.max_pixels(panel.blocks);
      const int64_t tiles = (n + most - 1) / most, pixels = n / tiles, larger = n % tiles;
      const auto smaller_tile = table.tile(panel.blocks, static_cast<int>(pixels), 1, false, false);
      const auto larger_tile =
          larger != 0 ? table.tile(panel.blocks, static_cast<int>(pixels + 1), 1, false, false) : nullptr;
      tile.weights = packed_.plane(plane) + panel.weights;
      tile.weight_block_stride = panel.blocks * 256;
      const int64_t panel_floats = tile.weight_block_stride * blocks;
      // The next panel follows in memory, at the end of a plane too.
      tile.prefetch = reinterpret_cast<const char*>(tile.weights + panel_floats);
      const int64_t step = 1.1 * panel_floats * 4 / (4.0 * static_cast<double>(blocks * tiles));
      tile.prefetch_step = i + 1 < last ? std::clamp<int64_t>(step, 16, 256) / 4 * 4 : 0;
      for (int j = 0; j < 3; ++j) tile.prefetch_others[j] = tile.prefetch_step / 4 * (j + 1);
      float* to = out + plane * out_plane_ + panel.out_block * n * 16;
      const float* from = in + plane * in_plane_;
      for (int64_t t = 0, p = 0; t < tiles; ++t) {
        tile.input = from + p * 16;
        tile.output = to + p * 16;
        (t < larger ? larger_tile : smaller_tile)(tile);
        p += pixels + (t < larger);
      }
    }
  }

  const PackedWinograd& packed_;
  ConvGeometry g_;
  int threads_;
  bool shares_products_;  // whether all threads work on the same tiles, each on some planes
  int64_t tiles_wide_, image_tiles_, tiles_;
  int64_t batch_;  // tiles that are transformed before they are multiplied
  int64_t in_plane_, out_plane_;
};

std::unique_ptr<PreparedConv> PackedWinograd::prepare(const ConvGeometry& geometry, int threads) const {
  return std::make_unique<PreparedWinograd>(*this, geometry, threads);
}

}  // namespace

std::unique_ptr<PackedConv> pack_winograd(const ConvGeometry& geometry, const float* weights, int m) {
  return std::make_unique<PackedWinograd>(geometry, weights, m);
}

}  // namespace ort_cpu
