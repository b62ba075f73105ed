// DeformConv: convolution of sampled inputs.
#include <cmath>

#include "engine/registry.h"
#include "ops/conv_blocked.h"
#include "ops/conv_plane.h"

namespace ort_cpu {
namespace {

/// Pixels whose samples are gathered before they are multiplied.
constexpr int64_t kPixels = 256;

/// The plane at (y, x) by bilinear interpolation; zero outside.
template <class T, class C>
C sample(const T* plane, int64_t height, int64_t width, C y, C x) {
  if (!(y > C(-1) && y < C(height) && x > C(-1) && x < C(width))) return C(0);
  const C floor_y = std::floor(y), floor_x = std::floor(x);
  const int64_t top = static_cast<int64_t>(floor_y), left = static_cast<int64_t>(floor_x);
  const C down = y - floor_y, right = x - floor_x;
  const auto at = [&](int64_t i, int64_t j) {
    return i >= 0 && i < height && j >= 0 && j < width ? static_cast<C>(plane[i * width + j]) : C(0);
  };
  return (C(1) - down) * ((C(1) - right) * at(top, left) + right * at(top, left + 1)) +
         down * ((C(1) - right) * at(top + 1, left) + right * at(top + 1, left + 1));
}

/// Conv whose kernel element k samples x at its usual place plus offset[n, g, k, :, p], weighted by mask[n, g, k, p].
/// x [N, C, H, W], w [OC, C / group, kH, kW], offset [N, offset_group * kH * kW * 2, oH, oW], b [OC],
/// mask [N, offset_group * kH * kW, oH, oW] -> y [N, OC, oH, oW].
template <class T>
class DeformConv : public Kernel {
 public:
  using Compute = compute_t<T>;

  explicit DeformConv(const NodeSpec& node)
      : attributes_(node.attributes), offset_group_(node.attributes.integer("offset_group", 1)) {
    require(offset_group_ >= 1, "offset_group is ", offset_group_, ", it must be at least 1");
  }

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 3, "the input has shape ", x, ", at least rank 3 is needed");
    if (x.rank() != 4)
      throw_not_implemented("deformable convolutions of rank ", x.rank(), " are not supported, only 4");
    State state{conv_geometry(attributes_, x[0], x[1], x.dims().subspan(2), ctx.shape(1)), {}};
    const ConvGeometry& g = state.geometry;
    require(g.in_channels % offset_group_ == 0, "offset_group ", offset_group_, " does not divide ", g.in_channels,
            " channels");
    const int64_t positions = checked_multiply(offset_group_, g.taps());
    const Shape offset{g.batch, checked_multiply(positions, 2), g.out[1], g.out[2]},
        mask{g.batch, positions, g.out[1], g.out[2]};
    require(ctx.shape(2) == offset, "the offset has shape ", ctx.shape(2), ", needed is ", offset);
    if (ctx.has_input(3)) check_conv_bias(ctx.shape(3), g.out_channels);
    if (ctx.has_input(4)) require(ctx.shape(4) == mask, "the mask has shape ", ctx.shape(4), ", needed is ", mask);
    const Shape y{g.batch, g.out_channels, g.out[1], g.out[2]};
    ctx.output(0, ctx.dtype(0), y);
    if (y.size() == 0) return;
    const int64_t depth = checked_multiply(g.in_channels, g.taps());
    for (int64_t k = 0; k < depth / g.group; ++k) state.rows.push_back(k * kPixels);
    const int64_t columns = checked_add(checked_multiply(checked_multiply(depth, kPixels), ctx.threads()), kPlaneSlack);
    const int64_t converted = std::is_same_v<T, Compute> ? 0 : checked_add(ctx.shape(1).size(), g.out_channels);
    ctx.scratch(checked_size_bytes(DTypeOf<Compute>::value, Shape{checked_add(columns, converted)}));
    ctx.cost_ns(g.products() / 5);
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    if (ctx.output(0).size() == 0) return;
    const State& state = ctx.state<State>();
    const ConvGeometry& g = state.geometry;
    const int64_t depth = g.in_channels * g.taps(), pixels = g.out_pixels(), blocks = (pixels + kPixels - 1) / kPixels;
    const int threads = useful_threads(g.products() + 10.0 * g.batch * depth * pixels, ctx.threads());
    Compute* scratch = ctx.scratch<Compute>();
    Compute* converted = scratch + depth * kPixels * ctx.threads() + kPlaneSlack;
    const Compute *weights = operand(ctx, 1, converted), *bias = operand(ctx, 3, converted);
    ctx.parallel(threads, [&](int chunk, int chunks) {
      Compute* columns = scratch + chunk * depth * kPixels;
      const auto [begin, end] = share_of(g.batch * blocks, chunk, chunks);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t n = i / blocks, first = i % blocks * kPixels, count = std::min(kPixels, pixels - first);
        gather(ctx, g, n, first, count, columns);
        multiply(state, weights, bias, columns, count, ctx.output(0).as<T>() + n * g.out_channels * pixels + first);
      }
    });
  }

 private:
  struct State {
    ConvGeometry geometry;
    std::vector<int64_t> rows;
  };

  /// Input `i` in the type of computation, or null if it is absent; `room` advances past what had to be converted.
  static const Compute* operand(const RunContext& ctx, int i, Compute*& room) {
    if (!ctx.has_input(i)) return nullptr;
    if constexpr (std::is_same_v<T, Compute>) {
      return ctx.input(i).as<T>();
    } else {
      const Compute* converted = room;
      room = std::copy_n(ctx.input(i).as<T>(), ctx.input(i).size(), room);
      return converted;
    }
  }

  /// columns[c, k, p] = mask * x[c] at the place that kernel element k samples for pixel first + p.
  void gather(const RunContext& ctx, const ConvGeometry& g, int64_t n, int64_t first, int64_t count,
              Compute* columns) const {
    const int64_t taps = g.taps(), pixels = g.out_pixels(), channels = g.in_channels / offset_group_;
    const T* x = ctx.input(0).as<T>() + n * g.in_channels * g.in_pixels();
    const T* offset = ctx.input(2).as<T>() + n * offset_group_ * taps * 2 * pixels;
    const T* mask = ctx.has_input(4) ? ctx.input(4).as<T>() + n * offset_group_ * taps * pixels : nullptr;
    for (int64_t group = 0; group < offset_group_; ++group)
      for (int64_t k = 0; k < taps; ++k)
        for (int64_t i = 0; i < count; ++i) {
          const int64_t p = first + i, row = p / g.out[2], column = p % g.out[2], position = group * taps + k;
          const Compute y = static_cast<Compute>(row * g.stride[1] + k / g.kernel[2] * g.dilation[1] - g.pad[1]) +
                            static_cast<Compute>(offset[2 * position * pixels + p]);
          const Compute z = static_cast<Compute>(column * g.stride[2] + k % g.kernel[2] * g.dilation[2] - g.pad[2]) +
                            static_cast<Compute>(offset[(2 * position + 1) * pixels + p]);
          const Compute weight = mask != nullptr ? static_cast<Compute>(mask[position * pixels + p]) : Compute(1);
          for (int64_t c = group * channels; c < (group + 1) * channels; ++c)
            columns[(c * taps + k) * kPixels + i] = weight * sample(x + c * g.in_pixels(), g.in[1], g.in[2], y, z);
        }
    for (int64_t k = 0; k < g.in_channels * taps; ++k)
      std::fill(columns + k * kPixels + count, columns + (k + 1) * kPixels, Compute(0));
  }

  void multiply(const State& state, const Compute* weights, const Compute* bias, const Compute* columns, int64_t count,
                T* y) const {
    const ConvGeometry& g = state.geometry;
    const int64_t depth = static_cast<int64_t>(state.rows.size());
    const int64_t most = std::min<int64_t>(kPlaneRows, simd::conv_plane_table().max_rows);
    Compute buffer[kPlaneRows * (kPixels + kPlaneSlack)];
    for (int64_t o = 0; o < g.out_channels;) {
      const int64_t group = o / g.out_depth(), rows = std::min(most, (group + 1) * g.out_depth() - o);
      plane_product(weights + o * depth, depth, 1, static_cast<int>(rows), columns + group * depth * kPixels,
                    state.rows, buffer, kPixels + kPlaneSlack, count, bias != nullptr ? bias + o : nullptr);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < count; ++i)
          y[(o + r) * g.out_pixels() + i] = static_cast<T>(buffer[r * (kPixels + kPlaneSlack) + i]);
      o += rows;
    }
  }

  ConvAttributes attributes_;
  int64_t offset_group_;
};

std::unique_ptr<Kernel> make_deform_conv(const NodeSpec& node) {
  return dispatch_float(node.dtype(0),
                        [&]<class T>() -> std::unique_ptr<Kernel> { return std::make_unique<DeformConv<T>>(node); });
}

const Registration registration{
    {.op = "DeformConv",
     .inputs = {kFloats},
     .make = make_deform_conv,
     .declines = [](const NodeSpec& node) -> std::optional<std::string> {
       const Shape* x = node.inputs[0].shape;
       if (x != nullptr && x->rank() != 4)
         return "deformable convolutions over other than two dimensions are not supported";
       return std::nullopt;
     }},
};

}  // namespace
}  // namespace ort_cpu
