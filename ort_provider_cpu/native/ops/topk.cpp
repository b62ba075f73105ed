// TopK.
#include "engine/registry.h"
#include "ops/topk_key.h"

namespace ort_cpu {
namespace {

/// The k largest (or smallest) of a row in order, NaN being the largest of all, equal values by index.
template <class T, bool kLargest>
class Selector {
 public:
  Selector(int64_t k, int64_t n) : k_(static_cast<size_t>(k)) {
    candidates_.reserve(is_streaming(k, n) ? 2 * (k_ + kBlock) : static_cast<size_t>(n));
  }

  /// Writes values and indices, `stride` apart, of the row of `n` elements at `x`, of the same stride.
  void select(const T* x, int64_t n, int64_t stride, T* values, int64_t* indices) {
    candidates_.clear();
    if (k_ == 0) return;
    if (stride == 1 && is_streaming(static_cast<int64_t>(k_), n)) {
      stream(x, n);
    } else {
      for (int64_t i = 0; i < n; ++i) candidates_.push_back(Entry::make(x[i * stride], i));
    }
    keep_best();
    std::sort(candidates_.begin(), candidates_.end(), std::greater<>());
    for (size_t i = 0; i < k_; ++i) {
      const int64_t at = candidates_[i].index();
      values[static_cast<int64_t>(i) * stride] = x[at * stride];
      indices[static_cast<int64_t>(i) * stride] = at;
    }
  }

 private:
  using Entry = RankedEntry<T, kLargest>;
  static constexpr size_t kBlock = 32;
  static bool is_streaming(int64_t k, int64_t n) { return k < n / 8; }

  /// Collects whatever is no worse than the worst of the best k so far; most blocks hold nothing of the kind.
  void stream(const T* x, int64_t n) {
    int64_t i = 0;
    for (; i < static_cast<int64_t>(k_); ++i) candidates_.push_back(Entry::make(x[i], i));
    Entry worst = *std::min_element(candidates_.begin(), candidates_.end());
    while (i < n) {
      const int64_t end = std::min<int64_t>(n, i + static_cast<int64_t>(kBlock));
      if (may_contain_better(x + i, end - i, x[worst.index()])) {
        for (int64_t j = i; j < end; ++j)
          if (const Entry entry = Entry::make(x[j], j); entry > worst) candidates_.push_back(entry);
        if (candidates_.size() >= 2 * k_ + kBlock) {
          keep_best();
          worst = candidates_[k_ - 1];
        }
      }
      i = end;
    }
  }
  static bool may_contain_better(const T* x, int64_t n, T bound) {
    const compute_t<T> limit = bound;
    if (limit != limit) return !kLargest;
    int found = 0;
    for (int64_t i = 0; i < n; ++i) {
      const compute_t<T> value = x[i];
      found |= kLargest ? !(value <= limit) : value < limit;
    }
    return found != 0;
  }
  /// Leaves the best k, the worst of them last.
  void keep_best() {
    if (candidates_.size() <= k_) return;
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<int64_t>(k_) - 1, candidates_.end(), std::greater<>());
    candidates_.resize(k_);
  }

  const size_t k_;
  std::vector<Entry> candidates_;
};

/// Values, Indices [outer, k, inner] = the k largest (or smallest) along `axis` of X [outer, N, inner], best first.
class TopK : public Kernel {
 public:
  explicit TopK(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", -1)), is_largest_(node.attributes.integer("largest", 1) != 0) {}

  void plan(PlanContext& ctx) const override {
    Shape out = ctx.shape(0);
    const int axis = normalize_axis(axis_, out.rank());
    require(ctx.shape(1).size() == 1, "K has the shape ", ctx.shape(1), ", expected one element");
    const int64_t k = *ctx.value(1).as<const int64_t>();
    require(k >= 0 && k <= out[axis], "K is ", k, ", axis ", axis, " has ", out[axis], " elements");
    out[axis] = k;
    ctx.output(0, ctx.dtype(0), out);
    ctx.output(1, DType::i64, out);
    if (!ctx.wants(0) || !ctx.wants(1))
      ctx.scratch(static_cast<size_t>(out.size()) * (ctx.wants(0) ? sizeof(int64_t) : size_of(ctx.dtype(0))));
    ctx.state(k);
    ctx.cost_ns(1.5 * static_cast<double>(ctx.shape(0).size()));
  }

  void run(RunContext& ctx) const override {
    const Tensor& x = ctx.input(0);
    dispatch_number(x.dtype, [&]<class T>() {
      if (is_largest_)
        select<T, true>(ctx);
      else
        select<T, false>(ctx);
    });
  }

 private:
  template <class T, bool kLargest>
  void select(const RunContext& ctx) const {
    const Tensor& x = ctx.input(0);
    const int axis = normalize_axis(axis_, x.shape.rank());
    const int64_t n = x.shape[axis], k = ctx.state<int64_t>(), inner = x.shape.size_from(axis + 1);
    T* values = ctx.wants(0) ? ctx.output(0).as<T>() : ctx.scratch<T>();
    int64_t* indices = ctx.wants(1) ? ctx.output(1).as<int64_t>() : ctx.scratch<int64_t>();
    const int64_t rows = x.shape.size_to(axis) * inner;
    if (k == 0) return;
    ctx.parallel_for(rows, 16384 / n + 1, [&](int64_t begin, int64_t end) {
      Selector<T, kLargest> selector(k, n);
      for (int64_t row = begin; row < end; ++row) {
        const int64_t o = row / inner, i = row % inner;
        selector.select(x.as<const T>() + o * n * inner + i, n, inner, values + o * k * inner + i, indices + o * k * inner + i);
      }
    });
  }

  const int64_t axis_;
  const bool is_largest_;
};

const Registration registration{{.op = "TopK", .inputs = {kNumbers, {DType::i64}}, .make = make_kernel<TopK>}};

}  // namespace
}  // namespace ort_cpu
