// Features one by one: Scaler, Normalizer, Binarizer and Imputer of ai.onnx.ml.
#include "engine/registry.h"
#include "ops/cast.h"
#include "ops/ml_scores.h"

namespace ort_cpu {
namespace {

/// Y float = (X - offset) * scale, both one or one for each feature. X [..., F].
class Scaler : public Kernel {
 public:
  explicit Scaler(const NodeSpec& node)
      : offset_(node.attributes.reals("offset")), scale_(node.attributes.reals("scale")) {
    require(offset_.size() == scale_.size() && !offset_.empty(), offset_.size(), " offsets and ", scale_.size(),
            " scales do not fit each other");
  }

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() > 0, "features are needed, got a scalar");
    require(offset_.size() == 1 || static_cast<int64_t>(offset_.size()) == x.back(), offset_.size(),
            " offsets do not fit X of shape ", x);
    ctx.output(0, DType::f32, x);
  }

  void run(RunContext& ctx) const override {
    const int64_t features = ctx.input(0).shape.back();
    if (features == 0) return;
    float* y = ctx.output(0).as<float>();
    dispatch_features(ctx.input(0).dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      ctx.parallel_for(ctx.input(0).size() / features, 1 + 50000 / features, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) scale_row(x + row * features, y + row * features, features);
      });
    });
  }

 private:
  template <class T>
  void scale_row(const T* x, float* y, int64_t n) const {
    const float *offset = offset_.data(), *scale = scale_.data();
    if (offset_.size() == 1) {
      for (int64_t i = 0; i < n; ++i) y[i] = (static_cast<float>(x[i]) - offset[0]) * scale[0];
    } else {
      for (int64_t i = 0; i < n; ++i) y[i] = (static_cast<float>(x[i]) - offset[i]) * scale[i];
    }
  }

  const std::vector<float> offset_, scale_;
};

/// Y float = X [N, C] or [C] divided by the norm of each row (MAX, L1 or L2), unless that is 0.
class Normalizer : public Kernel {
 public:
  explicit Normalizer(const NodeSpec& node) : norm_(node.attributes.text("norm", "MAX")) {
    require(norm_ == "MAX" || norm_ == "L1" || norm_ == "L2", "norm is '", norm_, "', must be MAX, L1 or L2");
  }

  void plan(PlanContext& ctx) const override {
    require(ctx.shape(0).rank() > 0, "features are needed, got a scalar");
    require(norm_ != "MAX" || ctx.shape(0).back() > 0 || ctx.shape(0).size_to(ctx.shape(0).rank() - 1) == 0,
            "the maximum of no features, X has shape ", ctx.shape(0));
    ctx.output(0, DType::f32, ctx.shape(0));
  }

  void run(RunContext& ctx) const override {
    const int64_t features = ctx.input(0).shape.back();
    if (features == 0) return;
    float* y = ctx.output(0).as<float>();
    dispatch_features(ctx.input(0).dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      ctx.parallel_for(ctx.input(0).size() / features, 1 + 20000 / features, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) {
          float* to = y + row * features;
          for (int64_t i = 0; i < features; ++i) to[i] = static_cast<float>(x[row * features + i]);
          const float size = norm(to, features);
          if (size != 0)
            for (int64_t i = 0; i < features; ++i) to[i] /= size;
        }
      });
    });
  }

 private:
  float norm(const float* x, int64_t n) const {
    float total = 0;
    if (norm_ == "MAX") {
      total = x[0];
      for (int64_t i = 1; i < n; ++i) total = x[i] > total || x[i] != x[i] ? x[i] : total;
      return total;
    }
    const bool squares = norm_ == "L2";
    for (int64_t i = 0; i < n; ++i) total += squares ? x[i] * x[i] : std::abs(x[i]);
    return squares ? std::sqrt(total) : total;
  }

  const std::string norm_;
};

/// Y = 1 where X > threshold, else 0.
class Binarizer : public Kernel {
 public:
  explicit Binarizer(const NodeSpec& node) : threshold_(node.attributes.real("threshold", 0)) {}

  void plan(PlanContext& ctx) const override { ctx.output(0, ctx.dtype(0), ctx.shape(0)); }
  void run(RunContext& ctx) const override {
    dispatch_features(ctx.input(0).dtype, [&]<class T>() {
      const auto x = ctx.input(0).elements<T>();
      T* y = ctx.output(0).as<T>();
      for (size_t i = 0; i < x.size(); ++i) y[i] = static_cast<T>(static_cast<double>(x[i]) > threshold_);
    });
  }

 private:
  const double threshold_;
};

/// Y = X with the imputed value of each feature (one for all, or one each) where X is the replaced value. X [..., F].
///
/// Integers take the attributes of floats where those of integers are absent.
class Imputer : public Kernel {
 public:
  explicit Imputer(const NodeSpec& node)
      : floats_(node.attributes.reals("imputed_value_floats")),
        integers_(node.attributes.integers("imputed_value_int64s")),
        replaced_float_(node.attributes.real("replaced_value_float", 0)),
        replaced_integer_(node.attributes.integer("replaced_value_int64", 0)),
        by_floats_(integers_.empty() || node.dtype(0) == DType::f32 || node.dtype(0) == DType::f64) {
    require(!by_floats_ || !floats_.empty(), "imputed_value_floats is missing");
  }

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() > 0, "features are needed, got a scalar");
    const size_t values = by_floats_ ? floats_.size() : integers_.size();
    require(values == 1 || static_cast<int64_t>(values) == x.back(), values, " imputed values do not fit X of shape ",
            x);
    ctx.output(0, ctx.dtype(0), x);
  }

  void run(RunContext& ctx) const override {
    dispatch_features(ctx.input(0).dtype, [&]<class T>() {
      if constexpr (std::is_floating_point_v<T>) {
        const bool nan = std::isnan(replaced_float_);
        const T replaced = static_cast<T>(replaced_float_);
        impute<T>(ctx, floats_, [&](T x) { return nan ? x != x : x == replaced; });
      } else if (by_floats_) {
        impute<T>(ctx, floats_, [&](T x) { return static_cast<double>(x) == replaced_float_; });
      } else {
        impute<T>(ctx, integers_, [&](T x) { return x == replaced_integer_; });
      }
    });
  }

 private:
  template <class T, class Values, class IsMissing>
  static void impute(RunContext& ctx, const Values& values, const IsMissing& is_missing) {
    const auto x = ctx.input(0).elements<T>();
    T* y = ctx.output(0).as<T>();
    const size_t n = values.size();
    for (size_t i = 0; i < x.size(); ++i)
      y[i] = is_missing(x[i]) ? convert_number<T>(values[n == 1 ? 0 : i % n]) : x[i];
  }

  const std::vector<float> floats_;
  const std::vector<int64_t> integers_;
  const float replaced_float_;
  const int64_t replaced_integer_;
  const bool by_floats_;
};

const Registration registration{
    {.op = "Scaler", .domain = "ai.onnx.ml", .inputs = {kFeatures}, .make = make_kernel<Scaler>},
    {.op = "Normalizer", .domain = "ai.onnx.ml", .inputs = {kFeatures}, .make = make_kernel<Normalizer>},
    {.op = "Binarizer", .domain = "ai.onnx.ml", .inputs = {kFeatures}, .make = make_kernel<Binarizer>},
    {.op = "Imputer", .domain = "ai.onnx.ml", .inputs = {kFeatures}, .make = make_kernel<Imputer>},
};

}  // namespace
}  // namespace ort_cpu
