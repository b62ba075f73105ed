// Convolution over blocked tensors of groups with any number of channels, a register of output channels at a time.
#include <algorithm>
#include <optional>

#include "ops/conv_blocked.h"
#include "ops/conv_panels.h"
#include "simd/conv_direct.h"
#include "simd/conv_grouped.h"

namespace ort_cpu {
namespace {

using simd::GroupSource;
using simd::GroupTap;
using simd::GroupTile;
using simd::GroupTileFunction;

// Groups for which this is faster than the direct convolution, which computes whole blocks, and where panels of two are
// the rule single ones slowly: output channels, and bytes of weights, which are used for each row anew.
constexpr int64_t kFewChannels = 48, kFewWeightBytes = 256 * 1024;

/// Whether three adjacent elements of a row of the kernel share the inputs that they load.
bool has_runs(const ConvGeometry& g) { return g.dilation[2] == 1 && g.stride[2] <= 2; }

/// Weights [OC, C / group, kernel...] as [OC / lanes][rows of the kernel][runs of adjacent elements][C /
/// group][elements][lanes].
class PackedGrouped : public PackedConv {
 public:
  PackedGrouped(const ConvGeometry& g, const float* weights) : lanes_(simd::conv_grouped_table().lanes) {
    for (int64_t k = 0; k < g.kernel[2];) {
      const int elements = has_runs(g) && k + 3 <= g.kernel[2] ? 3 : 1;
      runs_.push_back({k, elements});
      k += elements;
    }
    const int64_t depth = g.in_depth(), taps = g.taps();
    panel_ = taps * depth * lanes_;
    weights_ = zeroed_floats(checked_multiply((g.out_channels + lanes_ - 1) / lanes_, panel_));
    for (int64_t o = 0; o < g.out_channels; ++o)
      for (int64_t row = 0; row < g.kernel[0] * g.kernel[1]; ++row)
        for (const Run& run : runs_) {
          const int64_t tap = row * g.kernel[2] + run.first;
          float* to = weights_.data() + o / lanes_ * panel_ + tap * depth * lanes_ + o % lanes_;
          for (int64_t k = 0; k < depth; ++k)
            for (int e = 0; e < run.elements; ++e)
              to[(k * run.elements + e) * lanes_] = weights[(o * depth + k) * taps + tap + e];
        }
  }
  std::unique_ptr<PreparedConv> prepare(const ConvGeometry& geometry, int threads) const override;

  struct Run {
    int64_t first;
    int elements;
  };
  const std::vector<Run>& runs() const { return runs_; }
  const float* panel(int64_t i) const { return weights_.data() + i * panel_; }
  int64_t lanes() const { return lanes_; }

 private:
  int64_t lanes_;
  std::vector<Run> runs_;  // of a row of the kernel
  int64_t panel_ = 0;
  AlignedArray<float> weights_;
};

class PreparedGrouped : public PreparedConv {
 public:
  PreparedGrouped(const PackedGrouped& packed, const ConvGeometry& geometry, int threads)
      : packed_(packed), g_(geometry), threads_(useful_threads(geometry.products(), threads)) {
    check_offsets();
    if (g_.is_pointwise()) g_.in = g_.out = {1, 1, g_.out_pixels()};
    for (int64_t o = 0; o < g_.out_channels; o += packed.lanes()) panels_.push_back(plan_panel(o));
    plan_rows();
    const int64_t most = simd::conv_grouped_table().max_pixels;
    tiles_ = (g_.out[2] + most - 1) / most;
    pixels_ = g_.out[2] / tiles_;
    larger_ = g_.out[2] % tiles_;
  }

  void run(const RunContext& ctx, const BlockedOperands& operands) const override {
    const int64_t rows = g_.out[0] * g_.out[1], panels = static_cast<int64_t>(panels_.size());
    ctx.parallel(threads_, [&](int chunk, int chunks) {
      const auto [first, last] = share_of(g_.batch * panels * rows * tiles_, chunk, chunks);
      for (int64_t i = first; i < last;) {
        const int64_t from = i % (rows * tiles_), to = std::min(rows * tiles_, from + last - i);
        compute(operands, i / (rows * tiles_) / panels, i / (rows * tiles_) % panels, from, to);
        i += to - from;
      }
    });
  }

 private:
  struct Panel {
    GroupSource source;
    int64_t n_sources;  // for each channel of a group
    std::vector<int64_t> sources;
    std::vector<int32_t> lanes;
  };
  struct Row {
    int64_t input;
    std::pair<int64_t, int64_t> taps;
  };

  /// Raises InvalidArgument if positions in the padded input overflow.
  void check_offsets() const {
    int64_t furthest = 16;
    for (int d = 0; d < 3; ++d) {
      const int64_t span = checked_add(g_.out[d] * g_.stride[d], (g_.kernel[d] - 1) * g_.dilation[d]);
      furthest = checked_multiply(furthest, checked_add(checked_add(g_.in[d], g_.pad[d]), span));
    }
  }

  /// Where the inputs of the output channels [first, first + lanes) lie.
  Panel plan_panel(int64_t first) const {
    const int64_t depth = g_.in_depth();
    std::vector<int64_t> groups;  // of each lane; lanes past the channels belong to the last one
    for (int64_t l = 0; l < packed_.lanes(); ++l)
      groups.push_back(std::min(first + l, g_.out_channels - 1) / g_.out_depth());
    const int64_t low = groups.front(), runs = groups.back() - low + 1;
    if (runs > 2 && simd::conv_grouped_table().permutes)
      if (auto panel = plan_permutation(groups)) return *std::move(panel);
    Panel panel{runs == 1 ? GroupSource::one : runs == 2 ? GroupSource::two : GroupSource::several, runs, {}, {}};
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t r = 0; r < runs; ++r) panel.sources.push_back(offset_of((low + r) * depth + k));
    for (int64_t r = 0; r < runs; ++r)
      for (const int64_t group : groups) panel.lanes.push_back(group == low + r ? -1 : 0);
    return panel;
  }

  /// The same as permutations of one or two windows of adjacent channels, if those hold the inputs.
  std::optional<Panel> plan_permutation(const std::vector<int64_t>& groups) const {
    const int64_t lanes = packed_.lanes(), depth = g_.in_depth();
    Panel panel{GroupSource::permuted, 2, {}, {}};
    for (int64_t k = 0; k < depth; ++k) {
      const int64_t first = (groups.front() * depth + k) / lanes, last = (groups.back() * depth + k) / lanes;
      if (last > first + 1) return std::nullopt;
      if (last != first) panel.source = GroupSource::paired;
      panel.sources.insert(panel.sources.end(), {offset_of(first * lanes), offset_of(last * lanes)});
      for (const int64_t group : groups)
        panel.lanes.push_back(static_cast<int32_t>(group * depth + k - first * lanes));
    }
    return panel;
  }

  int64_t offset_of(int64_t channel) const { return channel / 16 * g_.in_pixels() * 16 + channel % 16; }

  void plan_rows() {
    std::vector<std::array<std::pair<int64_t, int64_t>, 2>> ranges;
    std::vector<std::pair<int64_t, int64_t>> lists;
    const int64_t pitch = g_.in[2] * 16;
    for (int64_t od = 0; od < g_.out[0]; ++od)
      for (int64_t oh = 0; oh < g_.out[1]; ++oh) {
        const auto depth = g_.valid_taps(0, od), height = g_.valid_taps(1, oh);
        const std::array range{depth, height};
        size_t i = std::find(ranges.begin(), ranges.end(), range) - ranges.begin();
        if (i == ranges.size()) {
          const auto first = static_cast<int64_t>(taps_.size());
          for (int64_t kd = depth.first; kd < depth.second; ++kd)
            for (int64_t kh = height.first; kh < height.second; ++kh)
              for (const PackedGrouped::Run& run : packed_.runs()) {
                const int64_t column = run.first * g_.dilation[2] - g_.pad[2];
                const int64_t tap = (kd * g_.kernel[1] + kh) * g_.kernel[2] + run.first;
                taps_.push_back({(kd * g_.dilation[0] * g_.in[1] + kh * g_.dilation[1]) * pitch + column * 16,
                                 tap * g_.in_depth() * packed_.lanes(), column, run.elements});
              }
          ranges.push_back(range);
          lists.push_back({first, static_cast<int64_t>(taps_.size())});
        }
        rows_.push_back(
            {((od * g_.stride[0] - g_.pad[0]) * g_.in[1] + oh * g_.stride[1] - g_.pad[1]) * pitch, lists[i]});
      }
  }

  /// Computes the tiles [u0, u1) of a panel.
  void compute(const BlockedOperands& operands, int64_t n, int64_t index, int64_t u0, int64_t u1) const {
    const Panel& panel = panels_[index];
    const int64_t channel = index * packed_.lanes(), in_image = g_.in_blocks() * g_.in_pixels() * 16;
    const int64_t out_plane = (n * g_.out_blocks() + channel / 16) * g_.out_pixels() * 16 + channel % 16;
    const auto& table = simd::conv_grouped_table();
    const GroupTileFunction functions[2] = {
        table.tile(panel.source, static_cast<int>(pixels_), g_.stride[2]),
        larger_ != 0 ? table.tile(panel.source, static_cast<int>(pixels_) + 1, g_.stride[2]) : nullptr};
    GroupTile tile{};
    tile.width = g_.in[2];
    tile.stride = g_.stride[2];
    tile.depth = static_cast<int>(g_.in_depth());
    tile.sources = panel.sources.data();
    tile.n_sources = static_cast<int>(panel.n_sources);
    tile.lanes = panel.lanes.data();
    tile.weights = packed_.panel(index);
    tile.bias = operands.bias + channel;
    tile.activation = operands.activation;
    for (int64_t u = u0; u < u1; ++u) {
      const Row& row = rows_[u / tiles_];
      const int64_t t = u % tiles_, column = t * pixels_ + std::min(t, larger_);
      const int64_t out = out_plane + (u / tiles_ * g_.out[2] + column) * 16;
      tile.column = column * g_.stride[2];
      tile.input = operands.input + n * in_image + row.input + tile.column * 16;
      tile.taps = taps_.data() + row.taps.first;
      tile.n_taps = static_cast<int>(row.taps.second - row.taps.first);
      tile.residual = operands.residual != nullptr ? operands.residual + out : nullptr;
      tile.output = operands.output + out;
      functions[t < larger_](tile);
    }
  }

  const PackedGrouped& packed_;
  ConvGeometry g_;
  int threads_;
  std::vector<Panel> panels_;
  std::vector<GroupTap> taps_;
  std::vector<Row> rows_;
  int64_t tiles_ = 1, pixels_ = 1, larger_ = 0;  // tiles of a row; the first `larger_` have one pixel more
};

std::unique_ptr<PreparedConv> PackedGrouped::prepare(const ConvGeometry& geometry, int threads) const {
  return std::make_unique<PreparedGrouped>(*this, geometry, threads);
}

}  // namespace

bool suits_grouped(const ConvGeometry& g) {
  if (g.group > 1 && (g.in_depth() % 16 != 0 || g.out_depth() % 16 != 0)) return true;
  const int64_t lanes = simd::conv_grouped_table().lanes, blocks = (g.out_depth() + 15) / 16;
  const bool has_lone_block = simd::conv_direct_table().usual_panel == 2 && blocks % 2 == 1;
  const bool saves_lanes = (g.out_depth() + lanes - 1) / lanes * lanes < blocks * 16;
  return (has_lone_block || saves_lanes) && g.out_depth() <= kFewChannels && has_runs(g) && g.kernel[2] >= 3 &&
         4 * g.taps() * g.in_depth() * lanes <= kFewWeightBytes;
}

std::unique_ptr<PackedConv> pack_grouped(const ConvGeometry& geometry, const float* weights) {
  return std::make_unique<PackedGrouped>(geometry, weights);
}

}  // namespace ort_cpu
