// HannWindow, HammingWindow, BlackmanWindow and MelWeightMatrix.
#include <cmath>

#include "engine/registry.h"
#include "ops/image_element.h"

namespace ort_cpu {
namespace {

constexpr double kPi = 3.14159265358979323846;

DType output_type(const Attributes& attributes) { return static_cast<DType>(attributes.integer("output_datatype", 1)); }

std::optional<std::string> decline_output_type(const NodeSpec& node) {
  const int64_t type = node.attributes.integer("output_datatype", 1);
  if (type > 0 && type < 32 && kNumbers.contains(static_cast<DType>(type))) return std::nullopt;
  return message("output_datatype ", type, " is no type of numbers");
}

double number(const Tensor& tensor, const char* name) {
  require(tensor.size() == 1, name, " has ", tensor.size(), " values, must be a scalar");
  return dispatch_number(tensor.dtype, [&]<class T>() { return static_cast<double>(*tensor.as<T>()); });
}

/// y[n] = a - b cos(2 pi n / N) + c cos(4 pi n / N), N being the size, or one less where the window is not periodic.
class CosineWindow : public Kernel {
 public:
  CosineWindow(const NodeSpec& node, double a, double b, double c)
      : type_(output_type(node.attributes)),
        periodic_(node.attributes.integer("periodic", 1) != 0),
        a_(a),
        b_(b),
        c_(c) {}

  void plan(PlanContext& ctx) const override {
    const std::vector<int64_t> size = to_int64(ctx.value(0));
    require(size.size() == 1, "size has ", size.size(), " values, must be a scalar");
    require(size[0] >= 0, "size is ", size[0], ", must not be negative");
    ctx.output(0, type_, {size[0]});
  }

  void run(RunContext& ctx) const override {
    const int64_t size = ctx.output(0).size();
    const double period = static_cast<double>(periodic_ ? size : size - 1);
    dispatch_number(type_, [&]<class T>() {
      T* y = ctx.output(0).as<T>();
      for (int64_t n = 0; n < size; ++n) {
        const double angle = 2 * kPi * static_cast<double>(n) / period;
        y[n] = saturate<T>(c_ * std::cos(2 * angle) - b_ * std::cos(angle) + a_);
      }
    });
  }

 private:
  const DType type_;
  const bool periodic_;
  const double a_, b_, c_;
};

class HannWindow : public CosineWindow {
 public:
  explicit HannWindow(const NodeSpec& node) : CosineWindow(node, 0.5, 0.5, 0) {}
};
class HammingWindow : public CosineWindow {
 public:
  explicit HammingWindow(const NodeSpec& node) : CosineWindow(node, 25.0 / 46, 21.0 / 46, 0) {}
};
class BlackmanWindow : public CosineWindow {
 public:
  explicit BlackmanWindow(const NodeSpec& node) : CosineWindow(node, 0.42, 0.5, 0.08) {}
};

/// Y [dft_length / 2 + 1, num_mel_bins]: triangles between the edges, evenly spaced on the mel scale, of height 1.
class MelWeightMatrix : public Kernel {
 public:
  explicit MelWeightMatrix(const NodeSpec& node) : type_(output_type(node.attributes)) {}

  void plan(PlanContext& ctx) const override {
    const double bins = number(ctx.value(0), "num_mel_bins"), length = number(ctx.value(1), "dft_length");
    const double rate = number(ctx.value(2), "sample_rate");
    constexpr double kMost = 1 << 28;
    require(bins >= 0 && bins <= kMost && length >= 0 && length <= kMost && rate > 0, "num_mel_bins ", bins,
            ", dft_length ", length, " and sample_rate ", rate, " must be positive");
    State state;
    state.bins = static_cast<int64_t>(bins);
    state.rows = static_cast<int64_t>(length) / 2 + 1;
    const auto mel = [](double hertz) { return 2595 * std::log1p(hertz / 700) / std::log(10.0); };
    const double low = mel(number(ctx.value(3), "lower_edge_hertz")),
                 high = mel(number(ctx.value(4), "upper_edge_hertz"));
    const double step = (high - low) / (bins + 2);
    ctx.output(0, type_, {state.rows, state.bins});
    for (int64_t i = 0; i < state.bins + 2; ++i) {
      const double hertz = 700 * std::expm1((static_cast<double>(i) * step + low) / 2595 * std::log(10.0));
      const double place = std::floor((length + 1) * hertz / rate);
      require(place >= 0 && place <= static_cast<double>(state.rows), "the edges reach to spectrogram bin ", place,
              ", there are ", state.rows);
      state.places.push_back(static_cast<int64_t>(place));
    }
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const auto& state = ctx.state<State>();
    dispatch_number(type_, [&]<class T>() {
      T* y = ctx.output(0).as<T>();
      std::fill_n(y, ctx.output(0).size(), T(0));
      for (int64_t bin = 0; bin < state.bins; ++bin) {
        const int64_t low = state.places[bin], centre = state.places[bin + 1], high = state.places[bin + 2];
        const auto set = [&](int64_t row, int64_t above, int64_t below) {
          if (row < state.rows)
            y[row * state.bins + bin] = saturate<T>(static_cast<double>(above) / static_cast<double>(below));
        };
        if (low == centre) set(centre, 1, 1);
        for (int64_t row = low; low != centre && row <= centre; ++row) set(row, row - low, centre - low);
        for (int64_t row = centre; row < high; ++row) set(row, high - row, high - centre);
      }
    });
  }

 private:
  struct State {
    int64_t rows, bins;
    /// By edge of the triangles, its row.
    std::vector<int64_t> places;
  };
  const DType type_;
};

const Registration registration{
    {.op = "HannWindow", .inputs = {kIndices}, .make = make_kernel<HannWindow>, .declines = decline_output_type},
    {.op = "HammingWindow", .inputs = {kIndices}, .make = make_kernel<HammingWindow>, .declines = decline_output_type},
    {.op = "BlackmanWindow",
     .inputs = {kIndices},
     .make = make_kernel<BlackmanWindow>,
     .declines = decline_output_type},
    {.op = "MelWeightMatrix",
     .inputs = {kIndices, kIndices, kIndices, kFloats, kFloats},
     .make = make_kernel<MelWeightMatrix>,
     .declines = decline_output_type},
};

}  // namespace
}  // namespace ort_cpu
