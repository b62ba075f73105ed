// Mean and variance over some axes of a tensor, and loops over the elements that share them.
#pragma once

#include "ops/reduce_elements.h"
#include "ops/reduce_geometry.h"

namespace ort_cpu {

/// Neighbouring results that are computed together.
inline constexpr int64_t kMomentTile = 256;

/// The moments of up to `kMomentTile` neighbouring groups of elements.
struct Moments {
  double mean[kMomentTile];
  double variance[kMomentTile];
};

/// One tile of groups of a tensor: elements `begin + offset` for the runs of `for_runs`.
class MomentTile {
 public:
  MomentTile(const ReduceLayout& layout, int64_t unit) : layout_(layout) {
    const int64_t width = layout.inner_is_reduced ? 1 : layout.inner;
    const int64_t tiles = (width + kMomentTile - 1) / kMomentTile, first = unit % tiles * kMomentTile;
    columns = std::min(kMomentTile, width - first);
    begin = layout.kept.offset(unit / tiles) + first;
    group = unit / tiles * width + first;
  }
  static int64_t count(const ReduceLayout& layout) {
    const int64_t width = layout.inner_is_reduced ? 1 : layout.inner;
    return layout.kept.size() * ((width + kMomentTile - 1) / kMomentTile);
  }

  /// Calls `f(first, rows, stride, n)`: `rows` rows of `n` elements, all of one group where the inner run is reduced,
  /// each of its own group otherwise.
  template <class F>
  void for_runs(F&& f) const {
    LoopNest outer = layout_.reduced;
    if (layout_.inner_is_reduced) {
      for (int64_t i = 0; i < outer.size(); ++i) f(begin + outer.offset(i), int64_t{1}, layout_.inner, layout_.inner);
      return;
    }
    const int64_t rows = outer.depth > 0 ? outer.sizes[--outer.depth] : 1;
    for (int64_t i = 0; i < outer.size(); ++i) f(begin + outer.offset(i), rows, layout_.inner, columns);
  }

  template <class T>
  void moments(const T* x, Moments& out) const {
    using S = compute_t<T>;
    const double count = static_cast<double>(layout_.count);
    S center[kMomentTile];
    accumulate(Reduction::sum, x, out.mean, nullptr);
    for (int64_t j = 0; j < columns; ++j) {
      out.mean[j] /= count;
      center[j] = static_cast<S>(out.mean[j]);
    }
    accumulate(Reduction::sum_square, x, out.variance, center);
    for (int64_t j = 0; j < columns; ++j) {
      const double rounded_off = out.mean[j] - static_cast<double>(center[j]);
      out.variance[j] = std::max(out.variance[j] / count - rounded_off * rounded_off, 0.0);
    }
  }

  int64_t columns = 1;  // groups
  int64_t begin = 0;    // the element at which the first group begins
  int64_t group = 0;    // the number of the first group

 private:
  template <class T>
  void accumulate(Reduction kind, const T* x, double* acc, const compute_t<T>* shift) const {
    for (int64_t j = 0; j < columns; ++j) acc[j] = 0;
    for_runs([&](int64_t first, int64_t rows, int64_t stride, int64_t n) {
      if (layout_.inner_is_reduced)
        acc[0] += reduce_row<T, double>(kind, x + first, n, shift ? shift[0] : compute_t<T>{});
      else reduce_columns<T, double>(kind, acc, x + first, stride, rows, n, shift);
    });
  }

  const ReduceLayout& layout_;
};

}  // namespace ort_cpu
