// Where the outputs of Resize lie along one axis, and the inputs and weights that make them up.
#include "ops/resize_axis.h"

#include <algorithm>
#include <cmath>

namespace ort_cpu {
namespace {

/// The weight of an element at a distance in cubic convolution.
double cubic_weight(double distance, double a) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d >= 2 ? 0 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

/// An integral float as an integer within [-2^40, 2^40]; NaN is 0.
int64_t to_integer(double x) {
  constexpr double kMost = static_cast<double>(int64_t{1} << 40);
  return std::isnan(x) ? 0 : static_cast<int64_t>(std::clamp(x, -kMost, kMost));
}

}  // namespace

ResizeRule::ResizeRule(const Attributes& attributes)
    : coordinates(attributes.text("coordinate_transformation_mode", "half_pixel")),
      nearest(attributes.text("nearest_mode", "round_prefer_floor")),
      antialias(attributes.integer("antialias", 0) != 0),
      exclude_outside(attributes.integer("exclude_outside", 0) != 0),
      cubic_a(attributes.real("cubic_coeff_a", -0.75f)) {
  const std::string name = attributes.text("mode", "nearest");
  require(name == "nearest" || name == "linear" || name == "cubic", "mode is '", name,
          "', must be nearest, linear or cubic");
  mode = name == "nearest" ? ResizeMode::nearest : name == "linear" ? ResizeMode::linear : ResizeMode::cubic;
  const auto is_one_of = [](const std::string& value, std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), value) != names.end();
  };
  require(is_one_of(nearest, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}), "nearest_mode '", nearest,
          "' is unknown");
  require(is_one_of(coordinates, {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                  "asymmetric", "tf_crop_and_resize"}),
          "coordinate_transformation_mode '", coordinates, "' is unknown");
  require(mode != ResizeMode::nearest || !antialias, "antialias does not go with mode nearest");
}

float ResizeAxis::place(const ResizeRule& rule, int64_t o) const {
  // In float32, operation by operation as onnxruntime does: ties of the nearest modes fall as they are rounded here.
  const float x = static_cast<float>(o), factor = static_cast<float>(scale), last = static_cast<float>(size - 1);
  const float length = factor * static_cast<float>(size);
  const std::string& mode = rule.coordinates;
  if (mode == "align_corners") return length != 1 ? x * last / (length - 1) : 0;
  if (mode == "asymmetric") return x / factor;
  if (mode == "tf_crop_and_resize") {
    const float inner = length != 1 ? x * (end - start) * last / (length - 1) : (end - start) * last / 2;
    return start * last + inner;
  }
  if (mode == "pytorch_half_pixel" && length <= 1) return 0;
  if (mode == "half_pixel_symmetric") {
    const float centre = static_cast<float>(size) / 2 * (1 - static_cast<float>(out) / length);
    return centre + (x + 0.5f) / factor - 0.5f;
  }
  return (x + 0.5f) / factor - 0.5f;
}

void ResizeAxis::tabulate(const ResizeRule& rule, bool fixed_point) {
  std::vector<float> places(static_cast<size_t>(out));
  for (int64_t o = 0; o < out; ++o) places[o] = place(rule, o);
  if (rule.coordinates == "tf_crop_and_resize") {
    outside.resize(places.size());
    bool any = false;
    for (int64_t o = 0; o < out; ++o) any |= outside[o] = places[o] < 0 || places[o] > static_cast<float>(size - 1);
    if (!any) outside.clear();
  }
  if (rule.mode != ResizeMode::nearest) return weigh(rule, places, fixed_point);
  index.resize(places.size());
  doubles = out == 2 * size && outside.empty();
  for (int64_t o = 0; o < out; ++o) {
    const float x = places[o];
    const float rounded = rule.nearest == "floor"               ? std::floor(x)
                          : rule.nearest == "ceil"              ? std::ceil(x)
                          : rule.nearest == "round_prefer_ceil" ? std::floor(x + 0.5f)
                                                                : std::ceil(x - 0.5f);
    index[o] = static_cast<int32_t>(std::clamp<int64_t>(to_integer(rounded), 0, size - 1));
    doubles = doubles && index[o] == o / 2;
  }
}

void ResizeAxis::weigh(const ResizeRule& rule, const std::vector<float>& places, bool fixed_point) {
  const bool linear = rule.mode == ResizeMode::linear;
  const double shrink = rule.antialias ? std::min(scale, 1.0) : 1.0;
  const int64_t reach = static_cast<int64_t>(std::ceil((linear ? 1 : 2) / shrink));
  taps = 2 * reach;
  index.resize(static_cast<size_t>(out * taps));
  weights.resize(index.size());
  for (int64_t o = 0; o < out; ++o) {
    const float base = std::floor(places[o]);
    const double ratio = places[o] - base;
    double* weight = weights.data() + o * taps;
    double total = 0;
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t offset = t + 1 - reach, at = to_integer(base) + offset;
      const double distance = std::abs(static_cast<double>(offset) - ratio) * shrink;
      weight[t] = linear ? std::max(1 - distance, 0.0) : cubic_weight(distance, rule.cubic_a);
      if (rule.exclude_outside && (at < 0 || at >= size)) weight[t] = 0;
      index[o * taps + t] = static_cast<int32_t>(std::clamp<int64_t>(at, 0, size - 1));
      total += weight[t];
    }
    if ((rule.exclude_outside || rule.antialias) && total != 0)
      for (int64_t t = 0; t < taps; ++t) weight[t] /= total;
    if (fixed_point)
      for (int64_t t = 0; t < taps; ++t) weight[t] = std::nearbyint(std::ldexp(weight[t], 22)) / (1 << 22);
  }
  float_weights.assign(weights.begin(), weights.end());
}

}  // namespace ort_cpu
