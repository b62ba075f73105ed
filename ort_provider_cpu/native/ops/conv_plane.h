// Convolutions over plain tensors as matrix products: the core of Conv, ConvTranspose and DeformConv.
//
// Channels are copied with their padding, such that a kernel element meets all output pixels at a fixed distance in memory.
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

/// The most rows and columns that are computed at a time.
inline constexpr int64_t kPlaneRows = 6, kPlaneColumns = 256;

/// Positions of the input along one dimension that a padded copy holds: for each start, start + i * step for i < count.
struct CopyAxis {
  std::vector<int64_t> starts;
  int64_t step = 1;
  int64_t count = 1;
  int64_t size = 1;  // of the input; positions outside hold zeros
};

/// A padded copy of channels: [starts 0, starts 1, starts 2, count 0, count 1, count 2] for each.
struct PaddedCopy {
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
    const int64_t last = std::clamp<int64_t>(axis.size > start ? (axis.size - start + axis.step - 1) / axis.step : 0, first, axis.count);
    std::fill(to, to + first, T(0));
    for (int64_t i = first; i < last; ++i) to[i] = static_cast<T>(row[start + i * axis.step]);
    std::fill(to + last, to + axis.count, T(0));
  }
};

/// Products for all groups of an image: y[g, o, p] = bias[g, o] + sum over k of weights[g, o, k] * input[g][rows[k] + q(p)], where
/// q((i, j, l)) = (i * pitch[0] + j) * pitch[1] + l for output positions (i, j, l) in `extent`.
template <class T>
struct PlaneWork {
  int64_t groups = 1;
  const T* weights = nullptr;  // [groups, out_rows, rows]
  const T* bias = nullptr;     // [groups, out_rows] or null
  std::span<const int64_t> rows;
  int64_t out_rows = 0;
  const T* input = nullptr;
  int64_t input_group = 0;  // elements between groups
  Dims3 extent{1, 1, 1};
  std::array<int64_t, 2> pitch{1, 1};
  int64_t y_row = 0;       // elements of the output between rows o
  Dims3 y_stride{0, 0, 1};  // between output positions
};

/// A generic form of `ConvPlaneTable::product`.
template <class T>
void plane_product(const T* weights, int64_t weight_stride, int m, const T* input, std::span<const int64_t> rows, T* out,
                   int64_t out_stride, int64_t columns, const T* bias) {
  for (int i = 0; i < m; ++i) {
    T* to = out + i * out_stride;
    std::fill_n(to, columns, bias != nullptr ? bias[i] : T(0));
    for (size_t k = 0; k < rows.size(); ++k) {
      const T weight = weights[i * weight_stride + static_cast<int64_t>(k)];
      const T* x = input + rows[k];
      for (int64_t q = 0; q < columns; ++q) to[q] += weight * x[q];
    }
  }
}

inline void plane_product(const float* weights, int64_t weight_stride, int m, const float* input, std::span<const int64_t> rows,
                          float* out, int64_t out_stride, int64_t columns, const float* bias) {
  simd::conv_plane_table().product({weights, weight_stride, m, input, rows.data(), static_cast<int64_t>(rows.size()), out,
                                    out_stride, columns, false, bias});
}

/// Computes `work` on up to `threads` threads and writes y.
template <class T, class Out>
void run_plane_work(const RunContext& ctx, int threads, const PlaneWork<T>& work, Out* y) {
  const int64_t most = std::min<int64_t>(kPlaneRows, simd::conv_plane_table().max_rows);
  const int64_t tiles = (work.out_rows + most - 1) / most;
  const auto& [depth, height, width] = work.extent;
  const int64_t columns = ((depth - 1) * work.pitch[0] + height - 1) * work.pitch[1] + width;
  const int64_t blocks = (columns + kPlaneColumns - 1) / kPlaneColumns, row_products = static_cast<int64_t>(work.rows.size());
  const int64_t units = blocks * work.groups * tiles;
  ctx.parallel(threads, [&](int chunk, int chunks) {
    T buffer[kPlaneRows * (kPlaneColumns + kPlaneSlack)];
    for (int64_t u = units * chunk / chunks; u < units * (chunk + 1) / chunks; ++u) {
      const int64_t tile = u % tiles, group = u / tiles % work.groups, first = u / tiles / work.groups * kPlaneColumns;
      const int64_t row = work.out_rows * tile / tiles, rows = work.out_rows * (tile + 1) / tiles - row;
      const int64_t n = std::min(kPlaneColumns, columns - first), channel = group * work.out_rows + row;
      plane_product(work.weights + channel * row_products, row_products, static_cast<int>(rows),
                    work.input + group * work.input_group + first, work.rows, buffer, kPlaneColumns + kPlaneSlack, n,
                    work.bias != nullptr ? work.bias + channel : nullptr);
      // Leave out the columns between the end of a row of the output and that of the copy.
      for (int64_t line = first / work.pitch[1]; line * work.pitch[1] < first + n; ++line) {
        const int64_t i = line / work.pitch[0], j = line % work.pitch[0];
        if (j >= height) continue;
        const int64_t begin = std::max<int64_t>(0, first - line * work.pitch[1]);
        const int64_t end = std::min(width, first + n - line * work.pitch[1]);
        for (int64_t r = 0; r < rows; ++r) {
          const T* from = buffer + r * (kPlaneColumns + kPlaneSlack) + line * work.pitch[1] - first;
          Out* to = y + (channel + r) * work.y_row + i * work.y_stride[0] + j * work.y_stride[1];
          for (int64_t l = begin; l < end; ++l) to[l * work.y_stride[2]] = static_cast<Out>(from[l]);
        }
      }
    }
  });
}

}  // namespace ort_cpu
