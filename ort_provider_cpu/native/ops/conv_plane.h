// Convolutions over plain tensors as matrix products: the core of Conv, ConvTranspose and DeformConv.
//
// Channels are copied with their padding, such that a kernel element meets all output pixels at a fixed distance in
// memory.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "engine/half.h"
#include "engine/kernel.h"
#include "simd/conv_plane.h"

namespace ort_cpu {

using Dims3 = std::array<int64_t, 3>;

/// Elements that may be read past the end of a padded copy.
inline constexpr int64_t kPlaneSlack = 64;

/// The most rows and columns that are computed at a time, and parts that are interleaved.
inline constexpr int64_t kPlaneRows = 6, kPlaneColumns = 256, kPlaneParts = 8;

/// Positions of the input along one dimension that a padded copy holds: for each start, start + i * step for i < count.
struct CopyAxis {
  std::vector<int64_t> starts;
  int64_t step = 1;
  int64_t count = 1;
  int64_t size = 1;  // of the input; positions outside hold zeros
};

/// A padded copy of channels: [starts 0, starts 1, starts 2, count 0, count 1, count 2] for each.
struct PaddedPlanes {
  std::array<CopyAxis, 3> axes;

  int64_t channel_size() const {
    Shape shape;
    for (const CopyAxis& axis : axes) shape.push_back(static_cast<int64_t>(axis.starts.size()));
    for (const CopyAxis& axis : axes) shape.push_back(axis.count);
    return shape.size();
  }
  /// Where the element `index` of the starts `start` lies in a channel.
  int64_t offset(const Dims3& start, const Dims3& index) const {
    int64_t starts = 0, at = 0;
    for (int d = 0; d < 3; ++d) {
      starts = starts * static_cast<int64_t>(axes[d].starts.size()) + start[d];
      at = at * axes[d].count + index[d];
    }
    return starts * (axes[0].count * axes[1].count * axes[2].count) + at;
  }
  template <class In, class T>
  void copy_channel(const In* plane, T* to) const {
    for (const int64_t d : axes[0].starts)
      for (const int64_t h : axes[1].starts)
        for (const int64_t w : axes[2].starts)
          for (int64_t i = 0; i < axes[0].count; ++i)
            for (int64_t j = 0; j < axes[1].count; ++j, to += axes[2].count) {
              const int64_t z = d + i * axes[0].step, y = h + j * axes[1].step;
              if (z < 0 || z >= axes[0].size || y < 0 || y >= axes[1].size) std::fill_n(to, axes[2].count, T(0));
              else copy_row(plane + (z * axes[1].size + y) * axes[2].size, to, axes[2], w);
            }
  }

 private:
  template <class In, class T>
  static void copy_row(const In* row, T* to, const CopyAxis& axis, int64_t start) {
    const int64_t first = std::clamp<int64_t>(start >= 0 ? 0 : (-start + axis.step - 1) / axis.step, 0, axis.count);
    const int64_t last =
        std::clamp<int64_t>(axis.size > start ? (axis.size - start + axis.step - 1) / axis.step : 0, first, axis.count);
    std::fill(to, to + first, T(0));
    for (int64_t i = first; i < last; ++i) to[i] = static_cast<T>(row[start + i * axis.step]);
    std::fill(to + last, to + axis.count, T(0));
  }
};

/// Output positions along the last dimension, first + l * step for l < width, with the kernel elements that reach them.
template <class T>
struct PlanePart {
  const T* weights =
      nullptr;  // [groups, out_rows, rows], or [groups, tiles, rows, out_rows of the tile] if they are tiled
  std::span<const int64_t> rows;
  int64_t first = 0, width = 1;
};

/// Products for all groups of an image: y[g, o, p] = bias[g, o] + sum over k of weights[g, o, k] * input[g][rows[k] +
/// q(p)], where q((i, j, l)) = (i * pitch[0] + j) * pitch[1] + l for i < depth, j < height and the positions l of each
/// part.
template <class T>
struct PlaneWork {
  int64_t groups = 1;
  std::span<const PlanePart<T>> parts;  // by ascending `first`
  bool tiled = false;
  const T* bias = nullptr;  // [groups, out_rows] or null
  int64_t out_rows = 0;
  const T* input = nullptr;
  int64_t input_group = 0;  // elements between groups
  int64_t depth = 1, height = 1;
  std::array<int64_t, 2> pitch{1, 1};
  int64_t y_row = 0;        // elements of the output between rows o
  Dims3 y_stride{0, 0, 1};  // between output positions
};

/// Tiles of rows of the output of a group; tile t has the rows [begin(t), begin(t + 1)).
struct PlaneTiles {
  int64_t rows, n;
  explicit PlaneTiles(int64_t out_rows) : rows(out_rows) {
    const int64_t most = std::min<int64_t>(kPlaneRows, simd::conv_plane_table().max_rows);
    n = (out_rows + most - 1) / most;
  }
  int64_t begin(int64_t tile) const { return rows * tile / n; }
};

/// A generic form of `ConvPlaneTable::product`.
template <class T>
void plane_product(const T* weights, int64_t weight_stride, int64_t weight_step, int m, const T* input,
                   std::span<const int64_t> rows, T* out, int64_t out_stride, int64_t columns, const T* bias) {
  for (int i = 0; i < m; ++i) {
    T* to = out + i * out_stride;
    std::fill_n(to, columns, bias != nullptr ? bias[i] : T(0));
    for (size_t k = 0; k < rows.size(); ++k) {
      const T weight = weights[i * weight_stride + static_cast<int64_t>(k) * weight_step];
      const T* x = input + rows[k];
      for (int64_t q = 0; q < columns; ++q) to[q] += weight * x[q];
    }
  }
}

inline void plane_product(const float* weights, int64_t weight_stride, int64_t weight_step, int m, const float* input,
                          std::span<const int64_t> rows, float* out, int64_t out_stride, int64_t columns,
                          const float* bias) {
  simd::conv_plane_table().product({weights, weight_stride, weight_step, m, input, rows.data(),
                                    static_cast<int64_t>(rows.size()), out, out_stride, columns, bias});
}

/// Writes elements [begin, end) of each of `n` parts, which lie `distance` apart in `from`, to to[l * step + first of
/// the part].
template <class T, class Out>
void interleave(const PlanePart<T>* parts, int64_t n, const T* from, int64_t distance, int64_t begin, int64_t end,
                int64_t step, Out* to) {
  int64_t together = begin;  // positions that all parts have, where they leave no gap
  if (n == step) together = std::max(begin, std::min(end, parts[n - 1].width));
  if (n == 1) {
    for (int64_t l = begin; l < together; ++l) to[l] = static_cast<Out>(from[l]);
  } else if (n == 2) {
    for (int64_t l = begin; l < together; ++l) {
      to[2 * l] = static_cast<Out>(from[l]);
      to[2 * l + 1] = static_cast<Out>(from[distance + l]);
    }
  } else {
    for (int64_t l = begin; l < together; ++l)
      for (int64_t i = 0; i < n; ++i) to[l * n + i] = static_cast<Out>(from[i * distance + l]);
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t l = together; l < std::min(end, parts[i].width); ++l)
      to[parts[i].first + l * step] = static_cast<Out>(from[i * distance + l]);
}

/// Computes `work` on up to `threads` threads and writes y.
template <class T, class Out>
void run_plane_work(const RunContext& ctx, int threads, const PlaneWork<T>& work, Out* y) {
  const PlaneTiles tiles(work.out_rows);
  int64_t width = 0;
  for (const PlanePart<T>& part : work.parts) width = std::max(width, part.width);
  const int64_t columns = ((work.depth - 1) * work.pitch[0] + work.height - 1) * work.pitch[1] + width;
  const int64_t n_parts = static_cast<int64_t>(work.parts.size());
  const int64_t block = n_parts > 1 ? kPlaneColumns / 2 : kPlaneColumns, stride = block + kPlaneSlack;
  const int64_t blocks = (columns + block - 1) / block, units = blocks * work.groups * tiles.n;
  ctx.parallel(threads, [&](int chunk, int chunks) {
    T buffer[kPlaneParts * kPlaneRows * (kPlaneColumns / 2 + kPlaneSlack)];
    for (int64_t u = units * chunk / chunks; u < units * (chunk + 1) / chunks; ++u) {
      const int64_t tile = u % tiles.n, group = u / tiles.n % work.groups, first = u / tiles.n / work.groups * block;
      const int64_t rows = tiles.begin(tile + 1) - tiles.begin(tile),
                    channel = group * work.out_rows + tiles.begin(tile);
      const int64_t n = std::min(block, columns - first);
      for (int64_t p0 = 0; p0 < n_parts; p0 += kPlaneParts) {
        const int64_t parts = std::min(kPlaneParts, n_parts - p0);
        for (int64_t p = 0; p < parts; ++p) {
          const PlanePart<T>& part = work.parts[p0 + p];
          const int64_t depth = static_cast<int64_t>(part.rows.size());
          plane_product(part.weights + channel * depth, work.tiled ? 1 : depth, work.tiled ? rows : 1,
                        static_cast<int>(rows), work.input + group * work.input_group + first, part.rows,
                        buffer + p * rows * stride, stride, n, work.bias != nullptr ? work.bias + channel : nullptr);
        }
        // Leave out the columns between the end of a row of the output and that of the copy.
        for (int64_t line = first / work.pitch[1]; line * work.pitch[1] < first + n; ++line) {
          const int64_t i = line / work.pitch[0], j = line % work.pitch[0];
          if (j >= work.height) continue;
          const int64_t begin = std::max<int64_t>(0, first - line * work.pitch[1]);
          const int64_t end = std::min(width, first + n - line * work.pitch[1]);
          for (int64_t r = 0; r < rows; ++r)
            interleave(work.parts.data() + p0, parts, buffer + r * stride + line * work.pitch[1] - first, rows * stride,
                       begin, end, work.y_stride[2],
                       y + (channel + r) * work.y_row + i * work.y_stride[0] + j * work.y_stride[1]);
        }
      }
    }
  });
}

}  // namespace ort_cpu
