// Scores of ai.onnx.ml models: rows of features as float, and the transformations after the model.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/kernel.h"

namespace ort_cpu {

inline constexpr DTypeSet kFeatures{DType::f32, DType::f64, DType::i64, DType::i32};

/// As `dispatch_float`, for the types of features: float, double, int64_t, int32_t.
template <class F>
decltype(auto) dispatch_features(DType type, F&& f) {
  switch (type) {
    case DType::f32: return f.template operator()<float>();
    case DType::f64: return f.template operator()<double>();
    case DType::i64: return f.template operator()<int64_t>();
    case DType::i32: return f.template operator()<int32_t>();
    default: throw_unsupported_dtype(type);
  }
}

/// Rows and features of X [N, F]; a vector is one row.
struct FeatureShape {
  explicit FeatureShape(const Shape& x) {
    require(x.rank() == 1 || x.rank() == 2, "features [N, F] are needed, got shape ", x);
    rows = x.rank() == 2 ? x[0] : 1;
    features = x.back();
  }
  int64_t rows, features;
};

enum class PostTransform { none, softmax, logistic, softmax_zero, probit };

inline PostTransform post_transform(const Attributes& attributes) {
  const std::string name = attributes.text("post_transform", "NONE");
  if (name == "NONE") return PostTransform::none;
  if (name == "SOFTMAX") return PostTransform::softmax;
  if (name == "LOGISTIC") return PostTransform::logistic;
  if (name == "SOFTMAX_ZERO") return PostTransform::softmax_zero;
  if (name == "PROBIT") return PostTransform::probit;
  throw_invalid("post_transform is '", name, "', must be NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
}

inline float logistic(float x) { return 1 / (1 + std::exp(-x)); }

/// The quantile of the normal distribution, by Winitzki's approximation.
inline float probit(float p) {
  const double x = 2.0 * p - 1, log = std::log((1 - x) * (1 + x));
  const double v = 2 / (3.14159265358979323846 * 0.147) + 0.5 * log;
  const double size = std::sqrt(2.0) * std::sqrt(-v + std::sqrt(v * v - log / 0.147));
  return static_cast<float>(x < 0 ? -size : x > 0 ? size : x * size);
}

/// Transforms the scores of one row in place. A single score is changed by PROBIT only.
inline void transform_scores(float* scores, int64_t n, PostTransform kind) {
  if (kind == PostTransform::probit) {
    for (int64_t i = 0; i < n; ++i) scores[i] = probit(scores[i]);
    return;
  }
  if (kind == PostTransform::none || n <= 1) return;
  if (kind == PostTransform::logistic) {
    for (int64_t i = 0; i < n; ++i) scores[i] = logistic(scores[i]);
    return;
  }
  const float peak = *std::max_element(scores, scores + n);
  float total = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool counted = kind == PostTransform::softmax || std::abs(scores[i]) > 1e-7f;
    scores[i] = counted ? std::exp(scores[i] - peak) : scores[i] * std::exp(-peak);
    total += scores[i];
  }
  for (int64_t i = 0; i < n; ++i) scores[i] = total == 0 ? 0.5f : scores[i] / total;
}

}  // namespace ort_cpu
