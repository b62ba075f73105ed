// DFT and STFT.
#include <optional>

#include "engine/registry.h"
#include "ops/dft_transform.h"

namespace ort_cpu {
namespace {

using Complex = DftTransform::Complex;
constexpr int64_t kMostLength = int64_t{1} << 30;

int64_t scalar(PlanContext& ctx, int input, const char* name) {
  const std::vector<int64_t> values = to_int64(ctx.value(input));
  require(values.size() == 1, name, " has ", values.size(), " values, must be a scalar");
  return values[0];
}

/// The memory that one worker transforms in: a signal, its transform, and the transform's scratch.
struct Workspace {
  explicit Workspace(const DftTransform& transform)
      : signal(static_cast<size_t>(transform.length())),
        result(signal.size()),
        scratch(static_cast<size_t>(transform.scratch_size())) {}
  std::vector<Complex> signal, result, scratch;
};

template <class T>
Complex element(const T* x, int64_t parts) {
  return {static_cast<double>(x[0]), parts == 2 ? static_cast<double>(x[1]) : 0.0};
}
template <class T>
T real_to(double x) {
  if constexpr (std::is_same_v<T, double>) return x;
  else return T(static_cast<float>(x));
}

/// The transform of X [..., N, ..., parts] along an axis, its complex numbers as pairs in the last dimension.
class Dft : public Kernel {
 public:
  explicit Dft(const NodeSpec& node)
      : inverse_(node.attributes.integer("inverse", 0) != 0), onesided_(node.attributes.integer("onesided", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() >= 2 && (x.back() == 1 || x.back() == 2), "an input [..., 1] or [..., 2] is needed, got shape ",
            x);
    const int axis = normalize_axis(ctx.has_input(2) ? scalar(ctx, 2, "axis") : -2, x.rank());
    require(axis != x.rank() - 1, "axis ", axis, " is the one of real and imaginary parts");
    const bool to_real = inverse_ && onesided_;
    const int64_t length = ctx.has_input(1) ? scalar(ctx, 1, "dft_length") : to_real ? 2 * (x[axis] - 1) : x[axis];
    require(length >= 1 && length <= kMostLength, "dft_length is ", length, ", must be in [1, ", kMostLength, "]");
    Shape y = x;
    y[axis] = onesided_ && !inverse_ ? length / 2 + 1 : length;
    y[x.rank() - 1] = to_real ? 1 : 2;
    ctx.output(0, ctx.dtype(0), y);
    ctx.cost_ns(static_cast<double>(y.size()) * 30);
    ctx.state(State{axis, std::make_shared<const DftTransform>(length)});
  }

  void run(RunContext& ctx) const override {
    if (ctx.output(0).size() == 0) return;
    dispatch_float(ctx.input(0).dtype, [&]<class T>() { transform<T>(ctx); });
  }

 private:
  struct State {
    int axis;
    std::shared_ptr<const DftTransform> transform;
  };

  template <class T>
  void transform(RunContext& ctx) const {
    const auto& [axis, transform] = ctx.state<State>();
    const Shape &x_shape = ctx.input(0).shape, &y_shape = ctx.output(0).shape;
    const int64_t size = x_shape[axis], out = y_shape[axis], parts_in = x_shape.back(), parts_out = y_shape.back();
    const int64_t inner = x_shape.product(axis + 1, x_shape.rank() - 1), outer = x_shape.size_to(axis);
    const int64_t length = transform->length();
    ctx.parallel_for(outer * inner, 1 + 2000 / length, [&](int64_t begin, int64_t end) {
      Workspace work(*transform);
      for (int64_t line = begin; line < end; ++line) {
        const int64_t o = line / inner, i = line % inner;
        const T* x = ctx.input(0).as<T>() + (o * size * inner + i) * parts_in;
        T* y = ctx.output(0).as<T>() + (o * out * inner + i) * parts_out;
        read(work.signal.data(), x, size, inner * parts_in, parts_in, length);
        transform->run(work.signal.data(), work.result.data(), work.scratch.data());
        const double scale = inverse_ ? 1.0 / static_cast<double>(length) : 1.0;
        for (int64_t k = 0; k < out; ++k) {
          T* to = y + k * inner * parts_out;
          to[0] = real_to<T>(work.result[k].real() * scale);
          if (parts_out == 2) to[1] = real_to<T>(work.result[k].imag() * (inverse_ ? -scale : scale));
        }
      }
    });
  }

  /// The signal, conjugated if the transform is inverse; of one that is one-sided, the other side too.
  template <class T>
  void read(Complex* signal, const T* x, int64_t size, int64_t step, int64_t parts, int64_t length) const {
    const bool to_real = inverse_ && onesided_;
    const int64_t count = std::min(size, to_real ? length / 2 + 1 : length);
    std::fill_n(signal, length, Complex{});
    for (int64_t k = 0; k < count; ++k) {
      Complex value = element(x + k * step, parts);
      if (to_real && (k == 0 || 2 * k == length)) value = value.real();
      signal[k] = inverse_ ? std::conj(value) : value;
      if (to_real && k > 0 && 2 * k != length) signal[length - k] = value;
    }
  }

  const bool inverse_, onesided_;
};

/// The transforms of windowed frames. signal [B, L, 1 or 2] -> [B, frames, bins, 2], a frame every `frame_step`
/// samples.
class Stft : public Kernel {
 public:
  explicit Stft(const NodeSpec& node) : onesided_(node.attributes.integer("onesided", 1) != 0) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() == 3 && (x[2] == 1 || x[2] == 2), "a signal [B, L, 1] or [B, L, 2] is needed, got shape ", x);
    const int64_t step = scalar(ctx, 1, "frame_step");
    require(step >= 1, "frame_step is ", step, ", must be positive");
    int64_t length = x[1];
    if (ctx.has_input(2)) {
      require(ctx.shape(2).rank() == 1, "window must have rank 1, got shape ", ctx.shape(2));
      length = ctx.shape(2)[0];
    }
    if (ctx.has_input(3)) {
      const int64_t given = scalar(ctx, 3, "frame_length");
      require(!ctx.has_input(2) || given == length, "frame_length is ", given, ", the window has ", length);
      length = given;
    }
    require(length >= 1 && length <= std::min(x[1], kMostLength), "frames of ", length, " do not fit a signal of ",
            x[1]);
    ctx.output(0, ctx.dtype(0), {x[0], (x[1] - length) / step + 1, onesided_ ? length / 2 + 1 : length, 2});
    ctx.cost_ns(static_cast<double>(x[0]) * static_cast<double>((x[1] - length) / step + 1) *
                static_cast<double>(length) * 30);
    ctx.state(State{step, std::make_shared<const DftTransform>(length)});
  }

  void run(RunContext& ctx) const override {
    dispatch_float(ctx.input(0).dtype, [&]<class T>() { transform<T>(ctx); });
  }

 private:
  struct State {
    int64_t step;
    std::shared_ptr<const DftTransform> transform;
  };

  template <class T>
  void transform(RunContext& ctx) const {
    const auto& [step, transform] = ctx.state<State>();
    const Shape &x_shape = ctx.input(0).shape, &y_shape = ctx.output(0).shape;
    const int64_t frames = y_shape[1], bins = y_shape[2], parts = x_shape[2], length = transform->length();
    const T* window = ctx.has_input(2) ? ctx.input(2).as<T>() : nullptr;
    const int64_t hop = step;
    ctx.parallel_for(x_shape[0] * frames, 1 + 2000 / length, [&](int64_t begin, int64_t end) {
      Workspace work(*transform);
      for (int64_t i = begin; i < end; ++i) {
        const T* x = ctx.input(0).as<T>() + (i / frames * x_shape[1] + i % frames * hop) * parts;
        T* y = ctx.output(0).as<T>() + i * bins * 2;
        for (int64_t k = 0; k < length; ++k)
          work.signal[k] = element(x + k * parts, parts) * (window == nullptr ? 1.0 : static_cast<double>(window[k]));
        transform->run(work.signal.data(), work.result.data(), work.scratch.data());
        for (int64_t k = 0; k < bins; ++k) {
          y[2 * k] = real_to<T>(work.result[k].real());
          y[2 * k + 1] = real_to<T>(work.result[k].imag());
        }
      }
    });
  }

  const bool onesided_;
};

const Registration registration{
    {.op = "DFT", .inputs = {kFloats, kIndices, kIndices}, .make = make_kernel<Dft>},
    {.op = "STFT", .inputs = {kFloats, kIndices, kFloats, kIndices}, .make = make_kernel<Stft>},
};

}  // namespace
}  // namespace ort_cpu
