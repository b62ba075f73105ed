// ConvTranspose over plain tensors.
#include "engine/aligned.h"
#include "engine/registry.h"
#include "ops/conv_blocked.h"
#include "ops/conv_plane.h"

namespace ort_cpu {
namespace {

/// One dimension: output position i * stride + k * dilation - pad gets x[i] * w[k].
struct TransposedAxis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;
};

/// The output positions first + j * stride for j < count, to which kernel elements k add x[j + shift(k)].
struct Phase {
  int64_t first = 0, count = 0;
  std::vector<int64_t> kernel, shifts;
};

/// The phases of an axis that a kernel element reaches. Which kernel elements share one depends on stride and dilation
/// only.
std::vector<Phase> phases_of(const TransposedAxis& axis) {
  std::vector<Phase> phases;
  for (int64_t k = 0; k < axis.kernel; ++k) {
    const int64_t reach = k * axis.dilation - axis.pad;
    const int64_t first = (reach % axis.stride + axis.stride) % axis.stride;
    auto phase = std::find_if(phases.begin(), phases.end(), [&](const Phase& p) { return p.first == first; });
    if (phase == phases.end()) {
      const int64_t count = first < axis.out ? (axis.out - first - 1) / axis.stride + 1 : 0;
      phase = phases.insert(phases.end(), Phase{first, count, {}, {}});
    }
    phase->kernel.push_back(k);
    phase->shifts.push_back((first - reach) / axis.stride);
  }
  return phases;
}

using Axes = std::array<TransposedAxis, 3>;

/// The kernel elements of each combination of phases.
std::vector<std::vector<int64_t>> kernel_parts(const Axes& axes) {
  std::vector<std::vector<int64_t>> parts;
  for (const Phase& a : phases_of(axes[0]))
    for (const Phase& b : phases_of(axes[1]))
      for (const Phase& c : phases_of(axes[2])) {
        auto& part = parts.emplace_back();
        for (const int64_t z : a.kernel)
          for (const int64_t y : b.kernel)
            for (const int64_t x : c.kernel) part.push_back((z * axes[1].kernel + y) * axes[2].kernel + x);
      }
  return parts;
}

/// The transposed convolution, as one convolution of stride 1 for each phase of the output positions.
/// x [N, C, spatial...], w [C, OC / group, kernel...], b [OC] -> y [N, OC, spatial...].
template <class T>
class ConvTranspose : public Kernel {
 public:
  using Compute = compute_t<T>;

  explicit ConvTranspose(const NodeSpec& node)
      : attributes_(node.attributes),
        output_padding_(node.attributes.integers("output_padding")),
        output_shape_(node.attributes.integers("output_shape")) {
    const Tensor* weights = node.constant(1);
    if (weights == nullptr || !can_pack(weights->shape)) return;
    const int rank = weights->shape.rank() - 2;
    const auto strides = spatial_list("strides", attributes_.strides, rank, 1, 1);
    const auto dilations = spatial_list("dilations", attributes_.dilations, rank, 1, 1);
    Axes axes;
    for (int i = 0; i < rank; ++i) {
      TransposedAxis& axis = axes[3 - rank + i];
      axis.kernel = weights->shape[i + 2];
      axis.stride = strides[i];
      axis.dilation = dilations[i];
    }
    packed_ = AlignedArray<Compute>(static_cast<size_t>(weights->size()));
    const int64_t tiles = PlaneTiles(weights->shape[1]).n * attributes_.group;
    pack_weights(weights->as<T>(), weights->shape, axes, packed_.data(), 0, tiles);
    node.release_constant(1);
  }

  void plan(PlanContext& ctx) const override {
    const Shape &x = ctx.shape(0), &w = ctx.shape(1);
    const int rank = x.rank() - 2;
    require(rank >= 1, "the input has shape ", x, ", at least rank 3 is needed");
    if (rank > 3) throw_not_implemented("convolutions over ", rank, " spatial dimensions are not supported, at most 3");
    attributes_.check();
    require(w.rank() == x.rank() && w[0] == x[1], "the weights have shape ", w, " for an input of shape ", x);
    require(x[1] % attributes_.group == 0, "group ", attributes_.group, " does not divide ", x[1], " channels");
    State state;
    state.batch = x[0];
    state.channels = x[1];
    state.out_rows = w[1];
    state.out_channels = checked_multiply(w[1], attributes_.group);
    if (ctx.has_input(2)) check_conv_bias(ctx.shape(2), state.out_channels);
    set_axes(x, w, rank, state);
    Shape y{state.batch, state.out_channels};
    for (int d = 3 - rank; d < 3; ++d) y.push_back(state.axes[d].out);
    ctx.output(0, ctx.dtype(0), y);
    if (y.size() == 0) return;
    const int64_t elements = plan_phases(state);
    const int64_t weights = packed_.empty() ? w.size() : 0;
    ctx.scratch(checked_size_bytes(DTypeOf<Compute>::value,
                                   Shape{checked_add(elements, checked_add(weights, state.out_channels))}));
    ctx.cost_ns(products(state) / 10);
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    if (ctx.output(0).size() == 0) return;
    const State& state = ctx.state<State>();
    const int threads = useful_threads(products(state), ctx.threads());
    const int64_t channel = state.copy.channel_size(), in_pixels = volume(state, &TransposedAxis::in);
    const int64_t out_pixels = volume(state, &TransposedAxis::out);
    Compute* copy = ctx.scratch<Compute>();
    Compute* bias = copy + channel * state.channels + kPlaneSlack;
    std::fill_n(bias - kPlaneSlack, kPlaneSlack, Compute(0));
    const Compute* weights = packed_.data();
    if (packed_.empty()) {
      Compute* packed = bias + state.out_channels;
      const Tensor& w = ctx.input(1);
      const int64_t tiles = PlaneTiles(state.out_rows).n * attributes_.group;
      ctx.parallel_for(
          tiles, std::max<int64_t>(1, 16384 * tiles / std::max<int64_t>(1, w.size())),
          [&](int64_t begin, int64_t end) { pack_weights(w.as<T>(), w.shape, state.axes, packed, begin, end); });
      weights = packed;
    }
    if (ctx.has_input(2)) std::copy_n(ctx.input(2).as<T>(), state.out_channels, bias);
    else std::fill_n(bias, state.out_channels, Compute(0));
    for (int64_t n = 0; n < state.batch; ++n) {
      const T* x = ctx.input(0).as<T>() + n * state.channels * in_pixels;
      T* y = ctx.output(0).as<T>() + n * state.out_channels * out_pixels;
      ctx.parallel_for(state.channels, std::max<int64_t>(1, 16384 / channel), [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) state.copy.copy_channel(x + c * in_pixels, copy + c * channel);
      });
      if (!state.covers)
        for (int64_t o = 0; o < state.out_channels; ++o) std::fill_n(y + o * out_pixels, out_pixels, T(bias[o]));
      compute_phases(ctx, threads, state, copy, weights, bias, y);
    }
  }

 private:
  struct Part {
    Phase phase;                // of the last dimension, without its lists
    std::vector<int64_t> rows;  // places in the copy, for each channel of a group and kernel element of the part
    int64_t weights;            // where its packed weights begin
  };
  /// Parts that differ in the last dimension only.
  struct PartRow {
    std::array<int64_t, 2> first, extent;
    std::vector<Part> parts;
  };
  struct State {
    int64_t batch, channels, out_rows, out_channels;
    Axes axes;
    PaddedPlanes copy;
    std::vector<PartRow> rows;
    bool covers;  // whether the parts write all of the output
  };

  /// Whether weights can be packed before a plan has checked them.
  bool can_pack(const Shape& weights) const {
    constexpr int64_t kMost = int64_t{1} << 30;
    const auto sane = [&](const std::vector<int64_t>& values) {
      return (values.empty() || static_cast<int>(values.size()) == weights.rank() - 2) &&
             std::all_of(values.begin(), values.end(), [](int64_t value) { return value >= 1 && value <= kMost; });
    };
    return weights.rank() >= 3 && weights.rank() <= 5 && weights.size() > 0 && weights.size() <= kMost &&
           attributes_.group >= 1 && weights[0] % attributes_.group == 0 && sane(attributes_.strides) &&
           sane(attributes_.dilations);
  }

  static int64_t volume(const State& state, int64_t TransposedAxis::* size) {
    return state.axes[0].*size * (state.axes[1].*size) * (state.axes[2].*size);
  }
  double products(const State& state) const {
    return 1.0 * state.batch * state.channels * state.out_rows * volume(state, &TransposedAxis::in) *
           volume(state, &TransposedAxis::kernel);
  }

  void set_axes(const Shape& x, const Shape& w, int rank, State& state) const {
    const auto kernel = spatial_list("kernel_shape", attributes_.kernel_shape, rank, 0, 0);
    const auto strides = spatial_list("strides", attributes_.strides, rank, 1, 1);
    const auto dilations = spatial_list("dilations", attributes_.dilations, rank, 1, 1);
    const auto pads = spatial_list("pads", attributes_.pads, 2 * rank, 0, 0);
    const auto added = spatial_list("output_padding", output_padding_, rank, 0, 0);
    std::vector<int64_t> outputs;
    if (!output_shape_.empty()) {
      outputs = output_shape_;
      if (outputs.size() == static_cast<size_t>(rank) + 2) outputs.erase(outputs.begin(), outputs.begin() + 2);
      outputs = spatial_list("output_shape", outputs, rank, 0, 0);
    }
    const bool same = attributes_.auto_pad == "SAME_UPPER" || attributes_.auto_pad == "SAME_LOWER";
    for (int i = 0; i < rank; ++i) {
      TransposedAxis& axis = state.axes[3 - rank + i];
      axis.in = x[i + 2];
      axis.kernel = w[i + 2];
      axis.stride = strides[i];
      axis.dilation = dilations[i];
      require(attributes_.kernel_shape.empty() || kernel[i] == axis.kernel, "kernel_shape holds ", kernel[i],
              " where the weights have shape ", w);
      require(axis.kernel >= 1, "the kernel of the weights of shape ", w, " is empty");
      const int64_t extent = checked_add(checked_multiply(axis.kernel - 1, axis.dilation), 1);
      const int64_t natural =
          axis.in == 0 ? 0 : checked_add(checked_add(checked_multiply(axis.stride, axis.in - 1), extent), added[i]);
      if (same || !outputs.empty()) {
        axis.out = !outputs.empty() ? outputs[i] : checked_multiply(axis.in, axis.stride);
        const int64_t total = std::max<int64_t>(0, natural - axis.out);
        axis.pad = attributes_.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      } else {
        const bool pads_count = attributes_.auto_pad == "NOTSET";
        axis.pad = pads_count ? pads[i] : 0;
        const int64_t cut = checked_add(axis.pad, pads_count ? pads[rank + i] : 0);
        require(natural >= cut || axis.in == 0, "pads of ", cut, " exceed the ", natural, " elements of dimension ",
                i + 2);
        axis.out = std::max<int64_t>(0, natural - cut);
      }
      checked_add(checked_multiply(checked_add(axis.out, axis.pad), 2), checked_multiply(extent, 2));
    }
  }

  /// Finds the parts and what to copy of the input; returns the number of elements of the copy.
  int64_t plan_phases(State& state) const {
    std::array<std::vector<Phase>, 3> phases;
    Dims3 low{};
    int64_t reached = 1;
    for (int d = 0; d < 3; ++d) {
      phases[d] = phases_of(state.axes[d]);
      int64_t high = 0, positions = 0;
      for (const Phase& phase : phases[d]) {
        if (phase.count == 0) continue;
        const auto [least, most] = std::minmax_element(phase.shifts.begin(), phase.shifts.end());
        low[d] = std::min(low[d], *least);
        high = std::max(high, phase.count - 1 + *most);
        positions += phase.count;
      }
      reached = checked_multiply(reached, positions);
      state.copy.axes[d] = {{low[d]}, 1, high - low[d] + 1, state.axes[d].in};
    }
    state.covers = reached == volume(state, &TransposedAxis::out);
    const int64_t channel = state.copy.channel_size(), depth = state.channels / attributes_.group;
    int64_t weights = 0;
    for (const Phase& a : phases[0])
      for (const Phase& b : phases[1]) {
        PartRow row{{a.first, b.first}, {a.count, b.count}, {}};
        for (const Phase& c : phases[2]) {
          Part part{{c.first, c.count, {}, {}}, {}, weights};
          weights +=
              static_cast<int64_t>(a.kernel.size() * b.kernel.size() * c.kernel.size()) * depth * state.out_channels;
          if (a.count == 0 || b.count == 0 || c.count == 0) continue;
          for (int64_t i = 0; i < depth; ++i)
            for (const int64_t z : a.shifts)
              for (const int64_t y : b.shifts)
                for (const int64_t x : c.shifts)
                  part.rows.push_back(i * channel + state.copy.offset({}, {z - low[0], y - low[1], x - low[2]}));
          row.parts.push_back(std::move(part));
        }
        if (row.parts.empty()) continue;
        std::sort(row.parts.begin(), row.parts.end(),
                  [](const Part& p, const Part& q) { return p.phase.first < q.phase.first; });
        state.rows.push_back(std::move(row));
      }
    return checked_add(checked_multiply(channel, state.channels), kPlaneSlack);
  }

  /// Packs the weights of the tiles [begin, end) of all groups to [groups, tiles, rows, out rows of the tile] for each
  /// part.
  void pack_weights(const T* weights, const Shape& shape, const Axes& axes, Compute* packed, int64_t begin,
                    int64_t end) const {
    const int64_t taps = shape.size_from(2), depth = shape[0] / attributes_.group, out_rows = shape[1];
    const PlaneTiles tiles(out_rows);
    for (const auto& kernel : kernel_parts(axes)) {
      const int64_t rows = depth * static_cast<int64_t>(kernel.size());
      for (int64_t t = begin; t < end; ++t) {
        const int64_t group = t / tiles.n, first = tiles.begin(t % tiles.n), last = tiles.begin(t % tiles.n + 1);
        Compute* to = packed + (group * out_rows + first) * rows;
        for (int64_t i = 0; i < depth; ++i)
          for (const int64_t k : kernel)
            for (int64_t o = first; o < last; ++o)
              *to++ = static_cast<Compute>(weights[((group * depth + i) * out_rows + o) * taps + k]);
      }
      packed += rows * out_rows * attributes_.group;
    }
  }

  void compute_phases(const RunContext& ctx, int threads, const State& state, const Compute* copy,
                      const Compute* weights, const Compute* bias, T* y) const {
    const Dims3 strides{state.axes[1].out * state.axes[2].out, state.axes[2].out, 1};
    std::vector<PlanePart<Compute>> parts;
    for (const PartRow& row : state.rows) {
      parts.clear();
      for (const Part& part : row.parts)
        parts.push_back({weights + part.weights, part.rows, part.phase.first, part.phase.count});
      PlaneWork<Compute> work{.groups = attributes_.group,
                              .parts = parts,
                              .tiled = true,
                              .bias = bias,
                              .out_rows = state.out_rows,
                              .input = copy,
                              .input_group = state.channels / attributes_.group * state.copy.channel_size(),
                              .depth = row.extent[0],
                              .height = row.extent[1],
                              .pitch = {state.copy.axes[1].count, state.copy.axes[2].count},
                              .y_row = volume(state, &TransposedAxis::out)};
      for (int d = 0; d < 3; ++d) work.y_stride[d] = strides[d] * state.axes[d].stride;
      run_plane_work(ctx, threads, work, y + row.first[0] * strides[0] + row.first[1] * strides[1]);
    }
  }

  ConvAttributes attributes_;
  std::vector<int64_t> output_padding_, output_shape_;
  AlignedArray<Compute> packed_;  // of constant weights
};

std::unique_ptr<Kernel> make_conv_transpose(const NodeSpec& node) {
  return dispatch_float(node.dtype(0),
                        [&]<class T>() -> std::unique_ptr<Kernel> { return std::make_unique<ConvTranspose<T>>(node); });
}

const Registration registration{
    {.op = "ConvTranspose", .inputs = {kFloats}, .make = make_conv_transpose},
};

}  // namespace
}  // namespace ort_cpu
