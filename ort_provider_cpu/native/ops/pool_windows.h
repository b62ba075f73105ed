// Pools by rows: each output row is reduced over the rows of its windows first, then along the row.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "engine/kernel.h"
#include "ops/pool_geometry.h"
#include "simd/pool.h"

namespace ort_cpu {

/// What a pool computes over the taps of a window, accumulating in `A`.
template <class A>
struct MaxOfWindow {
  using Accumulator = A;
  static constexpr bool kKeepsElements = true;
  A empty() const {
    if constexpr (std::numeric_limits<A>::has_infinity) return -std::numeric_limits<A>::infinity();
    return std::numeric_limits<A>::lowest();
  }
  A element(A x) const { return x; }
  A combine(A a, A b) const { return a > b || a != a ? a : b; }
  static constexpr auto windows = [] { return simd::pool_table().max_windows; };
  static constexpr auto rows = [] { return simd::pool_table().max_rows; };
  static constexpr auto slide = [] { return simd::pool_table().max_slide; };
};

template <class A>
struct SumOfWindow {
  using Accumulator = A;
  static constexpr bool kKeepsElements = true;
  A empty() const { return 0; }
  A element(A x) const { return x; }
  A combine(A a, A b) const { return a + b; }
  static constexpr auto windows = [] { return simd::pool_table().sum_windows; };
  static constexpr auto rows = [] { return simd::pool_table().sum_rows; };
  static constexpr auto slide = [] { return simd::pool_table().sum_slide; };
};

template <class A>
struct PowersOfWindow : SumOfWindow<A> {
  static constexpr bool kKeepsElements = false;
  explicit PowersOfWindow(int64_t p) : p(static_cast<A>(p)) {}
  A element(A x) const {
    x = std::abs(x);
    return p == 1 ? x : p == 2 ? x * x : std::pow(x, p);
  }
  A root(A x) const { return p == 1 ? x : p == 2 ? std::sqrt(x) : std::pow(x, A{1} / p); }
  A p;
};

/// A pool of one signature. The input is [planes, D, H, W, block], with unit axes where there are fewer.
struct PoolPlan {
  std::array<PoolAxis, 3> axes;
  int64_t planes = 0, block = 1;
  int chunks = 1;
  /// Windows of the last axis [first, last) with all taps inside.
  int64_t interior_first = 0, interior_last = 0;
  /// By window of the last axis, what an average divides by; as float or as double.
  std::vector<float> counts;
  std::vector<double> wide_counts;

  /// Places of a row with its padding, where that is small enough to be laid out; 0: edges are treated one by one.
  int64_t padded_row = 0;

  int64_t rows() const { return planes * axes[0].out * axes[1].out; }
  int64_t row_in() const { return axes[2].size * block; }
  int64_t row_out() const { return axes[2].out * block; }
  /// Accumulators that a chunk needs: an input row and an output row, padded to whole cache lines.
  int64_t accumulators() const { return ((std::max(row_in(), padded_row * block) + row_out() + 15) / 16) * 16; }
};

/// One output row of accumulators, `line` being the input reduced to one row.
template <class Window, class A>
void slide_windows(const Window& window, const PoolPlan& plan, const A* line, A* out) {
  const PoolAxis& axis = plan.axes[2];
  const int64_t block = plan.block;
  const auto slide = [&](int64_t o, int64_t position, int64_t taps, int64_t n) {
    if constexpr (std::is_same_v<A, float>) {
      Window::slide()(out + o * block, line + position * block, block, taps, axis.dilation, axis.stride, n);
    } else {
      for (int64_t i = 0; i < n; ++i) {
        const A* in = line + position + i * axis.stride;
        A acc = in[0];
        for (int64_t k = 1; k < taps; ++k) acc = window.combine(acc, in[k * axis.dilation]);
        out[o + i] = acc;
      }
    }
  };
  const auto edge = [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o) {
      const auto taps = axis.taps(o);
      if (taps.count() > 0) slide(o, axis.start(o) + taps.first * axis.dilation, taps.count(), 1);
      else std::fill_n(out + o * block, block, window.empty());
    }
  };
  edge(0, plan.interior_first);
  if (plan.interior_last > plan.interior_first)
    slide(plan.interior_first, axis.start(plan.interior_first), axis.kernel, plan.interior_last - plan.interior_first);
  edge(plan.interior_last, axis.out);
}

/// The rows of a window (depth and height taps), reduced to one; returns `base` itself where there is only one to keep.
template <class T, class Window, class A>
const A* reduce_rows(const Window& window, const PoolPlan& plan, const T* base, int64_t depths, int64_t heights,
                     A* line) {
  const int64_t n = plan.row_in();
  const int64_t height_step = plan.axes[1].dilation * n;
  const int64_t depth_step = plan.axes[0].dilation * plan.axes[1].size * n;
  if constexpr (std::is_same_v<T, A> && Window::kKeepsElements) {
    if (depths * heights == 1) return base;
    if constexpr (std::is_same_v<A, float>) {
      Window::rows()(line, base, depths, depth_step, heights, height_step, n);
      return line;
    }
  }
  for (int64_t d = 0; d < depths; ++d) {
    for (int64_t h = 0; h < heights; ++h) {
      const T* row = base + d * depth_step + h * height_step;
      if (d == 0 && h == 0)
        for (int64_t i = 0; i < n; ++i) line[i] = window.element(static_cast<A>(row[i]));
      else
        for (int64_t i = 0; i < n; ++i) line[i] = window.combine(line[i], window.element(static_cast<A>(row[i])));
    }
  }
  return line;
}

/// As `pool_rows`, of float32 through padded lines.
template <class Window, class Finish>
void pool_padded_rows(const Window& window, const PoolPlan& plan, const float* x, float* y, float* line, int64_t first,
                      int64_t last, const Finish& finish) {
  const auto& [depth, height, width] = plan.axes;
  const int64_t n = plan.row_in(), n_out = plan.row_out();
  std::fill_n(line, plan.padded_row * plan.block, window.empty());
  for (int64_t row = first; row < last;) {
    const int64_t oh = row % height.out, od = row / height.out % depth.out, plane = row / height.out / depth.out;
    const int64_t stop = std::min(height.out, oh + last - row);
    const auto d = depth.taps(od);
    const float* in = x + (plane * depth.size + depth.start(od) + d.first * depth.dilation) * height.size * n;
    Window::windows()({y + row * n_out, in, line, oh, stop, d.count(), depth.dilation * height.size * n, height.size,
                       height.kernel, height.stride, height.dilation, height.begin, width.size, width.begin, width.out,
                       width.kernel, width.stride, width.dilation, plan.block});
    for (int64_t o = oh; o < stop; ++o) finish(y + (row + o - oh) * n_out, od, o);
    row += stop - oh;
  }
}

/// Output rows [first, last); `finish(accumulators, od, oh)` turns each row of accumulators into results in place.
template <class T, class Window, class Finish>
void pool_rows(const Window& window, const PoolPlan& plan, const T* x, T* y, typename Window::Accumulator* scratch,
               int64_t first, int64_t last, const Finish& finish) {
  using A = typename Window::Accumulator;
  if constexpr (std::is_same_v<T, float> && Window::kKeepsElements)
    if (plan.padded_row > 0) return pool_padded_rows(window, plan, x, y, scratch, first, last, finish);
  const PoolAxis &depth = plan.axes[0], &height = plan.axes[1];
  const int64_t n = plan.row_in(), n_out = plan.row_out();
  for (int64_t row = first; row < last; ++row) {
    const int64_t oh = row % height.out, od = row / height.out % depth.out, plane = row / height.out / depth.out;
    const auto d = depth.taps(od), h = height.taps(oh);
    T* result = y + row * n_out;
    A* out = nullptr;
    if constexpr (std::is_same_v<T, A>) out = result;
    else out = scratch + n;
    if (d.count() <= 0 || h.count() <= 0) {
      std::fill_n(out, n_out, window.empty());
    } else {
      const int64_t in_d = depth.start(od) + d.first * depth.dilation,
                    in_h = height.start(oh) + h.first * height.dilation;
      const T* base = x + ((plane * depth.size + in_d) * height.size + in_h) * n;
      slide_windows(window, plan, reduce_rows(window, plan, base, d.count(), h.count(), scratch), out);
    }
    finish(out, od, oh);
    if constexpr (!std::is_same_v<T, A>)
      for (int64_t i = 0; i < n_out; ++i) result[i] = T(out[i]);
  }
}

}  // namespace ort_cpu
