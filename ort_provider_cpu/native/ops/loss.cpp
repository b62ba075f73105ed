// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
#include <cmath>
#include <optional>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

enum class Reduction { none, sum, mean };

/// What both losses share: X [N, C, ...], target [N, ...], optional weight [C] -> loss [N, ...], or [] if it is
/// reduced.
class ClassLoss : public Kernel {
 protected:
  explicit ClassLoss(const NodeSpec& node) {
    const std::string reduction = node.attributes.text("reduction", "mean");
    require(reduction == "none" || reduction == "sum" || reduction == "mean", "reduction is '", reduction,
            "', must be none, sum or mean");
    reduction_ = reduction == "none" ? Reduction::none : reduction == "sum" ? Reduction::sum : Reduction::mean;
    if (node.attributes.has("ignore_index")) ignored_ = node.attributes.integer("ignore_index", 0);
  }

  void plan_loss(PlanContext& ctx) const {
    const Shape &x = ctx.shape(0), &target = ctx.shape(1);
    require(x.rank() >= 2, "scores [N, C, ...] are needed, got shape ", x);
    Shape expected = x;
    expected.erase(1);
    require(target == expected, "targets have shape ", target, ", expected ", expected);
    if (ctx.has_input(2))
      require(ctx.shape(2) == Shape{x[1]}, "weights have shape ", ctx.shape(2), ", expected [", x[1], "]");
    ctx.output(0, ctx.dtype(0), reduction_ == Reduction::none ? target : Shape{});
  }

  /// The loss, where `log_probability(n, c, i)` is that of class `c` at place `i` of image `n`.
  template <class T, class LogProbability>
  void reduce(RunContext& ctx, const LogProbability& log_probability) const {
    using A = compute_t<T>;
    const Shape& shape = ctx.input(0).shape;
    const int64_t classes = shape[1], places = shape.size_from(2);
    const std::vector<int64_t> targets = to_int64(ctx.input(1));
    const T* weights = ctx.has_input(2) ? ctx.input(2).as<T>() : nullptr;
    T* y = ctx.wants(0) ? ctx.output(0).as<T>() : nullptr;
    double total = 0, total_weight = 0;
    for (size_t i = 0; i < targets.size(); ++i) {
      const int64_t target = targets[i];
      A loss = 0;
      if (!ignored_ || target != *ignored_) {
        require(target >= 0 && target < classes, "target ", target, " is out of range for ", classes, " classes");
        const A weight = weights == nullptr ? A{1} : static_cast<A>(weights[target]);
        const int64_t at = static_cast<int64_t>(i);
        loss = -log_probability(at / places, target, at % places) * weight;
        total_weight += weight;
      }
      total += loss;
      if (y != nullptr && reduction_ == Reduction::none) y[i] = T(loss);
    }
    if (y != nullptr && reduction_ != Reduction::none)
      *y = T(static_cast<A>(reduction_ == Reduction::sum ? total : total / total_weight));
  }

 private:
  Reduction reduction_;
  std::optional<int64_t> ignored_;
};

/// loss = -weight[target] * X[n, target, ...] for log-probabilities X; `mean` divides by the sum of the weights.
class NegativeLogLikelihoodLoss : public ClassLoss {
 public:
  explicit NegativeLogLikelihoodLoss(const NodeSpec& node) : ClassLoss(node) {}

  void plan(PlanContext& ctx) const override { plan_loss(ctx); }
  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    const int64_t classes = shape[1], places = shape.size_from(2);
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<T>();
      reduce<T>(ctx, [&](int64_t n, int64_t c, int64_t i) {
        return static_cast<compute_t<T>>(x[(n * classes + c) * places + i]);
      });
    });
  }
};

/// The NegativeLogLikelihoodLoss of log softmax(scores) over axis 1, and these logarithms.
class SoftmaxCrossEntropyLoss : public ClassLoss {
 public:
  explicit SoftmaxCrossEntropyLoss(const NodeSpec& node) : ClassLoss(node) {}

  void plan(PlanContext& ctx) const override {
    plan_loss(ctx);
    const Shape& x = ctx.shape(0);
    require(x[1] > 0 || x.size_to(1) == 0 || x.size_from(2) == 0, "scores of shape ", x, " have no classes");
    ctx.output(1, ctx.dtype(0), x);
    ctx.scratch(checked_size_bytes(ctx.dtype(0) == DType::f64 ? DType::f64 : DType::f32, x));
    ctx.cost_ns(static_cast<double>(x.size()) * 5);
  }

  void run(RunContext& ctx) const override {
    const Shape& shape = ctx.input(0).shape;
    const int64_t classes = shape[1], places = shape.size_from(2);
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      using A = compute_t<T>;
      const T* x = ctx.input(0).as<T>();
      A* logs = ctx.scratch<A>();
      ctx.parallel_for(shape[0] * places, 1 + 2000 / (classes + 1), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i / places * classes * places + i % places;
          log_softmax(x + first, logs + first, classes, places);
        }
      });
      if (ctx.wants(1)) {
        T* y = ctx.output(1).as<T>();
        for (int64_t i = 0; i < shape.size(); ++i) y[i] = T(logs[i]);
      }
      reduce<T>(ctx, [&](int64_t n, int64_t c, int64_t i) { return logs[(n * classes + c) * places + i]; });
    });
  }

 private:
  template <class T, class A>
  static void log_softmax(const T* x, A* y, int64_t n, int64_t step) {
    A peak = static_cast<A>(x[0]);
    for (int64_t c = 1; c < n; ++c) peak = std::max(peak, static_cast<A>(x[c * step]));
    A total = 0;
    for (int64_t c = 0; c < n; ++c) total += std::exp(static_cast<A>(x[c * step]) - peak);
    const A log_total = std::log(total);
    for (int64_t c = 0; c < n; ++c) y[c * step] = static_cast<A>(x[c * step]) - peak - log_total;
  }
};

const Registration registration{
    {.op = "NegativeLogLikelihoodLoss",
     .inputs = {kFloats, kIndices, kFloats},
     .make = make_kernel<NegativeLogLikelihoodLoss>},
    {.op = "SoftmaxCrossEntropyLoss",
     .inputs = {kFloats, kIndices, kFloats},
     .make = make_kernel<SoftmaxCrossEntropyLoss>},
};

}  // namespace
}  // namespace ort_cpu
