// `ResizePlan`, and `NearestCopy`: what Resize does in mode nearest.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/resize_axis.h"

namespace ort_cpu {

/// The axes that change, in the order in which they are resized, and what they are computed in.
struct ResizePlan {
  std::vector<ResizeAxis> axes;
  /// The leading dimensions that stay: so many images are resized each on its own.
  int64_t images = 1;
  Shape image_in, image_out;
  /// Elements of the largest intermediate image, twice of which a worker needs.
  int64_t intermediate = 0;
  /// The images are divided among threads; otherwise each pass is.
  bool by_image = true;
};

/// Copies the elements of one image that the indices of all axes name; a slice like the one before it is copied from
/// there.
template <class U>
class NearestCopy {
 public:
  NearestCopy(const ResizePlan& plan, U outside) : axes_(plan.axes.size()), outside_(outside) {
    for (size_t i = 0; i < axes_.size(); ++i) {
      const ResizeAxis& axis = plan.axes[i];
      axes_[i] = {&axis, plan.image_in.size_from(axis.axis + 1), plan.image_out.size_from(axis.axis + 1),
                  i + 1 == axes_.size() ? 1 : plan.image_in.product(axis.axis + 1, plan.axes[i + 1].axis)};
    }
  }

  /// Slices [first, last) of the first axis.
  void copy(const U* in, U* out, int64_t first, int64_t last) const { level(0, in, out, first, last); }

 private:
  struct Level {
    const ResizeAxis* axis;
    int64_t step_in, step_out;
    /// Unchanged dimensions between this axis and the next.
    int64_t repeats;
  };

  void level(size_t i, const U* in, U* __restrict out, int64_t first, int64_t last) const {
    const auto& [axis, step_in, step_out, repeats] = axes_[i];
    const bool innermost = i + 1 == axes_.size();
    if (innermost && step_in == 1 && axis->doubles && first == 0 && last == axis->out) {
      for (int64_t i = 0; i < axis->size; ++i) out[2 * i] = out[2 * i + 1] = in[i];
      return;
    }
    if (innermost && step_in == 1 && axis->outside.empty()) {
      for (int64_t o = first; o < last; ++o) out[o] = in[axis->index[o]];
      return;
    }
    for (int64_t o = first; o < last; ++o) {
      U* to = out + o * step_out;
      const U* from = in + axis->index[o] * step_in;
      if (!axis->outside.empty() && axis->outside[o]) {
        std::fill_n(to, step_out, outside_);
      } else if (innermost) {
        std::copy_n(from, step_in, to);
      } else if (o > first && axis->index[o] == axis->index[o - 1] &&
                 (axis->outside.empty() || !axis->outside[o - 1])) {
        std::copy_n(to - step_out, step_out, to);
      } else {
        const Level& next = axes_[i + 1];
        for (int64_t r = 0; r < repeats; ++r)
          level(i + 1, from + r * next.axis->size * next.step_in, to + r * next.axis->out * next.step_out, 0,
                next.axis->out);
      }
    }
  }

  std::vector<Level> axes_;
  const U outside_;
};

}  // namespace ort_cpu
