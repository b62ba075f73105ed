// GridSample.
#include <cmath>
#include <limits>
#include <vector>

#include "engine/registry.h"
#include "ops/image_element.h"
#include "simd/resize.h"

namespace ort_cpu {
namespace {

enum class Sampling { nearest, linear, cubic };
enum class Outside { zeros, border, reflection };

/// The elements along one axis that make up one sample.
struct AxisTaps {
  int count = 0;
  int64_t index[4];
  float weight[4];
  bool counts[4];
};

/// The weight of an element at a distance in cubic convolution with the coefficient -0.75.
float cubic_weight(float distance) {
  constexpr float a = -0.75f;
  const float d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d >= 2 ? 0 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

/// `place` mirrored at `low` and `high` until it is between them.
float reflect(float place, float low, float high) {
  const float span = high - low;
  if (span <= 0) return 0;
  if (place >= low && place <= high) return place;
  const bool below = place < low;
  const float distance = below ? low - place : place - high;
  const float turns = std::trunc(distance / span), rest = distance - turns * span;
  const bool even = std::fmod(turns, 2.0f) == 0;
  return below == even ? low + rest : high - rest;
}

struct Sampler {
  Sampling kind;
  Outside outside;
  bool align_corners;

  /// The elements that make up a sample at `normal` in [-1, 1]; what is no number is taken for -1.
  AxisTaps taps(float normal, int64_t size) const {
    if (!std::isfinite(normal)) normal = -1;
    const float n = static_cast<float>(size), last = static_cast<float>(size - 1);
    const float low = align_corners ? 0 : -0.5f, high = align_corners ? last : n - 0.5f;
    float place = align_corners ? (normal + 1) / 2 * last : ((normal + 1) * n - 1) / 2;
    if (kind == Sampling::nearest) place = std::nearbyint(place);
    if (outside == Outside::border && kind != Sampling::cubic) place = std::min(std::max(place, 0.0f), last);
    if (outside == Outside::reflection) place = reflect(place, low, high);
    const float base = std::floor(place), ratio = place - base;
    AxisTaps taps;
    if (kind == Sampling::nearest) {
      add(taps, base, 1, size, low, high);
    } else if (kind == Sampling::linear) {
      add(taps, base, 1 - ratio, size, low, high);
      add(taps, base + 1, ratio, size, low, high);
    } else {
      for (int i = -1; i <= 2; ++i)
        add(taps, base + static_cast<float>(i), cubic_weight(static_cast<float>(i) - ratio), size, low, high);
    }
    return taps;
  }

 private:
  void add(AxisTaps& taps, float index, float weight, int64_t size, float low, float high) const {
    if (outside == Outside::reflection) index = reflect(index, low, high);
    const float last = static_cast<float>(size - 1);
    const int i = taps.count++;
    taps.counts[i] = outside != Outside::zeros || (index >= 0 && index < static_cast<float>(size));
    taps.index[i] = std::min(size - 1, static_cast<int64_t>(index > 0 ? std::min(index, last) : 0.0f));
    taps.weight[i] = weight;
  }
};

/// Offsets and weights of the elements of some samples, the same for all channels.
template <class A>
struct SampleTable {
  SampleTable(int64_t samples, int64_t taps)
      : taps(taps),
        index(static_cast<size_t>(samples * taps)),
        weights(index.size()),
        empty(static_cast<size_t>(samples)) {}

  /// Sets sample `s` to all combinations of the taps of `rank` axes.
  void set(int64_t s, const AxisTaps* axes, const Shape& x, int rank) {
    int64_t offsets[64];
    A products[64];
    bool counts[64];
    offsets[0] = 0, products[0] = 1, counts[0] = true;
    int64_t n = 1;
    for (int axis = 0; axis < rank; ++axis) {
      const AxisTaps& along = axes[axis];
      for (int64_t t = n - 1; t >= 0; --t) {
        const int64_t offset = offsets[t] * x[2 + axis];
        const A product = products[t];
        const bool count = counts[t];
        for (int i = along.count - 1; i >= 0; --i) {
          offsets[t * along.count + i] = offset + along.index[i];
          products[t * along.count + i] = product * along.weight[i];
          counts[t * along.count + i] = count && along.counts[i];
        }
      }
      n *= along.count;
    }
    // What does not count reads an element that does, so that no infinity from elsewhere comes in.
    int64_t some = -1;
    for (int64_t t = 0; t < n; ++t)
      if (counts[t]) some = offsets[t];
    empty[s] = some < 0;
    for (int64_t t = 0; t < n; ++t) {
      index[s * taps + t] = static_cast<int32_t>(counts[t] ? offsets[t] : std::max<int64_t>(some, 0));
      weights[s * taps + t] = counts[t] ? products[t] : 0;
    }
  }

  int64_t taps;
  std::vector<int32_t> index;
  std::vector<A> weights;
  std::vector<uint8_t> empty;
};

template <class T, class A>
void sample_channel(const SampleTable<A>& table, const T* x, T* y, int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    simd::resize_table().weighted(y, x, 0, n, 1, table.taps, table.index.data(), table.weights.data());
  } else {
    for (int64_t s = 0; s < n; ++s) {
      A total = 0;
      for (int64_t t = s * table.taps; t < (s + 1) * table.taps; ++t)
        total += static_cast<A>(x[table.index[t]]) * table.weights[t];
      y[s] = saturate<T>(total);
    }
  }
  for (int64_t s = 0; s < n; ++s)
    if (table.empty[s]) y[s] = T(0);
}

/// Y [N, C, *out] = X [N, C, *spatial] interpolated at grid [N, *out, rank], whose last axis runs from x in [-1, 1].
class GridSample : public Kernel {
 public:
  explicit GridSample(const NodeSpec& node) {
    const std::string mode = node.attributes.text("mode", "linear");
    const std::string padding = node.attributes.text("padding_mode", "zeros");
    require(mode == "linear" || mode == "bilinear" || mode == "nearest" || mode == "cubic" || mode == "bicubic",
            "mode '", mode, "' is unknown");
    require(padding == "zeros" || padding == "border" || padding == "reflection", "padding_mode '", padding,
            "' is unknown");
    sampler_.kind = mode == "nearest"                      ? Sampling::nearest
                    : mode == "cubic" || mode == "bicubic" ? Sampling::cubic
                                                           : Sampling::linear;
    sampler_.outside = padding == "zeros"    ? Outside::zeros
                       : padding == "border" ? Outside::border
                                             : Outside::reflection;
    sampler_.align_corners = node.attributes.integer("align_corners", 0) != 0;
  }

  void plan(PlanContext& ctx) const override {
    const Shape &x = ctx.shape(0), &grid = ctx.shape(1);
    const int rank = x.rank() - 2;
    require(rank >= 1 && grid.rank() == x.rank() && grid[0] == x[0] && grid.back() == rank, "grid of shape ", grid,
            " does not address X of shape ", x);
    require(rank <= 3, "GridSample over ", rank, " spatial axes is not supported");
    Shape y = x;
    for (int i = 0; i < rank; ++i) y[2 + i] = grid[1 + i];
    ctx.output(0, ctx.dtype(0), y);
    if (y.size() == 0) return;
    require(x.size_from(2) > 0, "X of shape ", x, " has nothing to sample");
    require(x.size_from(2) <= std::numeric_limits<int32_t>::max(), "images of shape ", x, " are too large");
    const double taps = sampler_.kind == Sampling::nearest ? 1 : sampler_.kind == Sampling::linear ? 2 : 4;
    ctx.cost_ns(static_cast<double>(y.size()) * std::pow(taps, rank));
  }

  void run(RunContext& ctx) const override {
    if (ctx.output(0).size() == 0) return;
    dispatch_float(ctx.input(1).dtype, [&]<class G>() {
      const G* grid = ctx.input(1).as<G>();
      dispatch_number(ctx.input(0).dtype, [&]<class T>() { sample<T>(ctx, grid); });
    });
  }

 private:
  template <class T, class G>
  void sample(RunContext& ctx, const G* grid) const {
    using A = std::conditional_t<std::is_same_v<compute_t<T>, float>, float, double>;
    constexpr int64_t kSamples = 256;
    const Shape &x_shape = ctx.input(0).shape, &y_shape = ctx.output(0).shape;
    const int rank = x_shape.rank() - 2;
    const int64_t channels = x_shape[1], in = x_shape.size_from(2), out = y_shape.size_from(2);
    const int64_t pieces = (out + kSamples - 1) / kSamples;
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    const int per_axis = sampler_.kind == Sampling::nearest ? 1 : sampler_.kind == Sampling::linear ? 2 : 4;
    int64_t taps = 1;
    for (int i = 0; i < rank; ++i) taps *= per_axis;
    ctx.parallel_for(x_shape[0] * pieces, 1 + 16 / (1 + channels * taps / 8), [&](int64_t begin, int64_t end) {
      SampleTable<A> table(std::min(kSamples, out), taps);
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t image = piece / pieces, first = piece % pieces * kSamples, n = std::min(kSamples, out - first);
        for (int64_t s = 0; s < n; ++s) {
          const G* point = grid + (image * out + first + s) * rank;
          AxisTaps axes[3];
          for (int axis = 0; axis < rank; ++axis)
            axes[axis] = sampler_.taps(static_cast<float>(point[rank - 1 - axis]), x_shape[2 + axis]);
          table.set(s, axes, x_shape, rank);
        }
        for (int64_t c = 0; c < channels; ++c)
          sample_channel(table, x + (image * channels + c) * in, y + (image * channels + c) * out + first, n);
      }
    });
  }

  Sampler sampler_;
};

const Registration registration{
    {.op = "GridSample", .inputs = {kNumbers, kFloats}, .make = make_kernel<GridSample>},
};

}  // namespace
}  // namespace ort_cpu
