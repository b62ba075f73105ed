// LinearRegressor and LinearClassifier of ai.onnx.ml.
#include "engine/registry.h"
#include "ops/ml_scores.h"
#include "ops/recurrent_weights.h"
#include "simd/recurrent.h"

namespace ort_cpu {
namespace {

/// scores [N, outputs] = X [N, F] coefficients' + intercepts.
class LinearModel {
 public:
  LinearModel(std::vector<float> coefficients, std::vector<float> intercepts, int64_t outputs)
      : outputs_(outputs), features_(outputs > 0 ? static_cast<int64_t>(coefficients.size()) / outputs : 0) {
    require(outputs > 0 && features_ * outputs == static_cast<int64_t>(coefficients.size()), coefficients.size(),
            " coefficients do not make ", outputs, " scores");
    require(intercepts.empty() || static_cast<int64_t>(intercepts.size()) == outputs, intercepts.size(),
            " intercepts do not fit ", outputs, " scores");
    panels_ = PackedPanels<float>(coefficients.data(), {0}, outputs, features_, kPanel);
    bias_ = std::move(intercepts);
    bias_.resize(static_cast<size_t>(panels_.columns()));
  }

  int64_t outputs() const { return outputs_; }
  int64_t features() const { return features_; }

  /// Calls `store(row, panel_scores, first_output, count)` for pieces of the scores of rows [first, last).
  template <class T, class Store>
  void score(const T* x, int64_t first, int64_t last, const Store& store) const {
    constexpr int64_t kRows = 12;
    alignas(64) float scores[kRows * kPanel];
    std::vector<float> converted(std::is_same_v<T, float> ? 0 : static_cast<size_t>(kRows * features_));
    for (int64_t row = first; row < last; row += kRows) {
      const int64_t rows = std::min(kRows, last - row);
      const float* features = nullptr;
      if constexpr (std::is_same_v<T, float>) {
        features = x + row * features_;
      } else {
        for (int64_t i = 0; i < rows * features_; ++i) converted[i] = static_cast<float>(x[row * features_ + i]);
        features = converted.data();
      }
      for (int64_t p = 0; p < panels_.panels(); ++p) {
        simd::recurrent_table().product(scores, kPanel, bias_.data() + p * kPanel, features, features_, rows, features_,
                                        panels_.panel(p), static_cast<int>(panels_.width(p) / kUnitGroup));
        const int64_t count = std::min<int64_t>(kPanel, outputs_ - p * kPanel);
        for (int64_t r = 0; r < rows; ++r) store(row + r, scores + r * kPanel, p * kPanel, count);
      }
    }
  }

  int64_t grain() const { return 1 + 200000 / (1 + features_ * panels_.columns() / 16); }

 private:
  int64_t outputs_, features_;
  PackedPanels<float> panels_;
  std::vector<float> bias_;
};

/// Y [N, targets] float = X [N, F] coefficients' + intercepts, transformed.
class LinearRegressor : public Kernel {
 public:
  explicit LinearRegressor(const NodeSpec& node)
      : model_(node.attributes.reals("coefficients"), node.attributes.reals("intercepts"),
               node.attributes.integer("targets", 1)),
        transform_(post_transform(node.attributes)) {}

  void plan(PlanContext& ctx) const override {
    const FeatureShape x(ctx.shape(0));
    require(x.features == model_.features(), "the model has ", model_.features(), " features, X has shape ",
            ctx.shape(0));
    ctx.output(0, DType::f32, {x.rows, model_.outputs()});
  }

  void run(RunContext& ctx) const override {
    const int64_t outputs = model_.outputs();
    float* y = ctx.output(0).as<float>();
    dispatch_features(ctx.input(0).dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      ctx.parallel_for(FeatureShape(ctx.input(0).shape).rows, model_.grain(), [&](int64_t first, int64_t last) {
        model_.score(x, first, last, [&](int64_t row, const float* scores, int64_t at, int64_t count) {
          std::copy_n(scores, count, y + row * outputs + at);
        });
        if (transform_ != PostTransform::none)
          for (int64_t row = first; row < last; ++row) transform_scores(y + row * outputs, outputs, transform_);
      });
    });
  }

 private:
  const LinearModel model_;
  const PostTransform transform_;
};

/// The integer label [N] of the largest score, and the scores [N, classes] float, of X [N, F].
class LinearClassifier : public Kernel {
 public:
  explicit LinearClassifier(const NodeSpec& node)
      : coefficients_(node.attributes.reals("coefficients")),
        intercepts_(node.attributes.reals("intercepts")),
        labels_(node.attributes.integers("classlabels_ints")),
        transform_(post_transform(node.attributes)) {
    // Without intercepts the number of classes follows from the features, which the labels tell unless the input does.
    if (!intercepts_.empty()) {
      model_.emplace(coefficients_, intercepts_, static_cast<int64_t>(intercepts_.size()));
    } else if (node.inputs[0].shape != nullptr && node.inputs[0].shape->rank() > 0 &&
               node.inputs[0].shape->back() > 0) {
      model_.emplace(coefficients_, intercepts_, classes(node.inputs[0].shape->back()));
    }
    if (model_) check_labels(*model_);
  }

  void plan(PlanContext& ctx) const override {
    const FeatureShape x(ctx.shape(0));
    std::shared_ptr<const LinearModel> own;
    if (!model_) {
      own = std::make_shared<const LinearModel>(coefficients_, intercepts_, classes(x.features));
      check_labels(*own);
    }
    const LinearModel& model = own != nullptr ? *own : *model_;
    require(x.features == model.features(), "the model has ", model.features(), " features, X has shape ",
            ctx.shape(0));
    ctx.output(0, DType::i64, {x.rows});
    ctx.output(1, DType::f32, {x.rows, model.outputs() == 1 && labels_.size() == 2 ? 2 : model.outputs()});
    ctx.state(own);
  }

  void run(RunContext& ctx) const override {
    const auto& own = ctx.state<std::shared_ptr<const LinearModel>>();
    const LinearModel& model = own != nullptr ? *own : *model_;
    int64_t* labels = ctx.wants(0) ? ctx.output(0).as<int64_t>() : nullptr;
    float* y = ctx.wants(1) ? ctx.output(1).as<float>() : nullptr;
    dispatch_features(ctx.input(0).dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      ctx.parallel_for(FeatureShape(ctx.input(0).shape).rows, model.grain(), [&](int64_t first, int64_t last) {
        if (model.outputs() == 1) classify_two(model, x, first, last, labels, y);
        else classify_many(model, x, first, last, labels, y);
      });
    });
  }

 private:
  int64_t classes(int64_t features) const {
    return static_cast<int64_t>(coefficients_.size()) / std::max<int64_t>(features, 1);
  }

  void check_labels(const LinearModel& model) const {
    require(model.outputs() == 1 || static_cast<int64_t>(labels_.size()) >= model.outputs(), labels_.size(),
            " class labels for ", model.outputs(), " scores");
  }

  /// One score for two classes.
  template <class T>
  void classify_two(const LinearModel& model, const T* x, int64_t first, int64_t last, int64_t* labels,
                    float* y) const {
    const bool both = labels_.size() == 2;
    const int64_t negative = both ? labels_[0] : 0, positive = both ? labels_[1] : 1;
    model.score(x, first, last, [&](int64_t row, const float* scores, int64_t, int64_t) {
      const float score = scores[0];
      if (labels != nullptr) labels[row] = score > 0 ? positive : negative;
      if (y == nullptr) return;
      if (!both) {
        y[row] = score;
        transform_scores(y + row, 1, transform_);
      } else if (transform_ == PostTransform::logistic) {
        y[2 * row] = logistic(-score), y[2 * row + 1] = logistic(score);
      } else if (transform_ == PostTransform::probit) {
        y[2 * row + 1] = probit(score), y[2 * row] = -y[2 * row + 1];
      } else {
        y[2 * row] = 1 - score, y[2 * row + 1] = score;
      }
    });
  }

  template <class T>
  void classify_many(const LinearModel& model, const T* x, int64_t first, int64_t last, int64_t* labels,
                     float* y) const {
    const int64_t outputs = model.outputs();
    std::vector<float> rows(static_cast<size_t>((last - first) * outputs));
    model.score(x, first, last, [&](int64_t row, const float* scores, int64_t at, int64_t count) {
      std::copy_n(scores, count, rows.data() + (row - first) * outputs + at);
    });
    for (int64_t row = first; row < last; ++row) {
      float* scores = rows.data() + (row - first) * outputs;
      if (labels != nullptr) labels[row] = labels_[std::max_element(scores, scores + outputs) - scores];
      if (y == nullptr) continue;
      transform_scores(scores, outputs, transform_);
      std::copy_n(scores, outputs, y + row * outputs);
    }
  }

  const std::vector<float> coefficients_, intercepts_;
  const std::vector<int64_t> labels_;
  const PostTransform transform_;
  std::optional<LinearModel> model_;
};

std::optional<std::string> decline_string_labels(const NodeSpec& node) {
  if (node.attributes.texts("classlabels_strings").empty()) return std::nullopt;
  return "string labels are not supported";
}

const Registration registration{
    {.op = "LinearRegressor", .domain = "ai.onnx.ml", .inputs = {kFeatures}, .make = make_kernel<LinearRegressor>},
    {.op = "LinearClassifier",
     .domain = "ai.onnx.ml",
     .inputs = {kFeatures},
     .outputs = {DTypeSet{DType::i64}, DTypeSet{DType::f32}},
     .make = make_kernel<LinearClassifier>,
     .declines = decline_string_labels},
};

}  // namespace
}  // namespace ort_cpu
