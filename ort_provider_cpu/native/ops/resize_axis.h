// Where the outputs of Resize lie along one axis, and the inputs and weights that make them up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/attributes.h"

namespace ort_cpu {

enum class ResizeMode { nearest, linear, cubic };

/// The attributes of Resize that say how one axis is interpolated.
struct ResizeRule {
  explicit ResizeRule(const Attributes& attributes);

  ResizeMode mode;
  std::string coordinates, nearest;
  bool antialias, exclude_outside;
  float cubic_a;
};

/// One resized axis: output `o` is the sum of weights[o * taps + t] * input[index[o * taps + t]].
struct ResizeAxis {
  int axis = 0;
  int64_t size = 0, out = 0;
  double scale = 1;
  float start = 0, end = 1;

  int64_t taps = 1;
  std::vector<int32_t> index;
  std::vector<double> weights;
  std::vector<float> float_weights;
  /// By output: whether it takes the extrapolation value; empty: none does.
  std::vector<uint8_t> outside;

  /// Nearest: whether each input is repeated once.
  bool doubles = false;

  bool is_identity() const { return out == size && scale == 1 && start == 0 && end == 1; }
  /// Fills the tables; both sizes are positive. `fixed_point`: weights are multiples of 2^-22.
  void tabulate(const ResizeRule& rule, bool fixed_point = false);

 private:
  float place(const ResizeRule& rule, int64_t o) const;
  void weigh(const ResizeRule& rule, const std::vector<float>& places, bool fixed_point);
};

}  // namespace ort_cpu
