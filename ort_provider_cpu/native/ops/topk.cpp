// TopK.
#include <bit>

#include "engine/registry.h"
#include "ops/topk_key.h"
#include "simd/transpose.h"

namespace ort_cpu {
namespace {

/// The k largest (or smallest) of a row in order, NaN being the largest of all, equal values by index.
template <class T, bool kLargest>
class Selector {
 public:
  Selector(int64_t k, int64_t n) : k_(static_cast<size_t>(k)), n_(n) {
    candidates_.reserve(is_streaming() ? 2 * k_ : static_cast<size_t>(n));
  }

  /// Writes the values and indices, `stride` apart, of the row of n elements at `x`.
  void select(const T* x, T* values, int64_t* indices, int64_t stride) {
    candidates_.clear();
    if (is_streaming()) {
      stream(x);
    } else {
      for (int64_t i = 0; i < n_; ++i) candidates_.push_back(entry(x, i));
    }
    keep_best();
    std::sort(candidates_.begin(), candidates_.end(), std::greater<>());
    for (int64_t i = 0; const Entry& best : candidates_) {
      indices[i] = best.index();
      values[i] = x[best.index()];
      i += stride;
    }
  }

 private:
  using Entry = RankedEntry<T>;
  /// Up to so many, the best are kept in order.
  static constexpr size_t kFew = 64;

  static Entry entry(const T* x, int64_t i) {
    const order_key_t<T> key = order_key(x[i]);
    return {kLargest ? key : static_cast<order_key_t<T>>(~key), i};
  }
  bool is_streaming() const { return static_cast<int64_t>(k_) < n_ / 8; }

  /// Collects whatever is better than the worst of the best k so far; most blocks hold nothing of the kind.
  void stream(const T* x) {
    constexpr int64_t kBlock = 32;
    int64_t i = 0;
    for (; i < static_cast<int64_t>(k_); ++i) candidates_.push_back(entry(x, i));
    std::sort(candidates_.begin(), candidates_.end(), std::greater<>());
    T worst = x[candidates_.back().index()];
    for (; i < n_; i += kBlock) {
      const int64_t end = std::min(n_, i + kBlock);
      if (!has_better(x + i, end - i, worst)) continue;
      for (int64_t j = i; j < end; ++j)
        if (has_better(x + j, 1, worst)) worst = x[offer(entry(x, j)).index()];
    }
  }
  /// Whether there are elements that beat an earlier one: equal ones do not.
  static bool has_better(const T* x, int64_t n, T chosen) {
    const compute_t<T> limit = chosen;
    int found = 0;
    if (limit != limit) {
      for (int64_t i = 0; i < n && !kLargest; ++i)
        found |= static_cast<compute_t<T>>(x[i]) == static_cast<compute_t<T>>(x[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) found |= kLargest ? !(x[i] <= limit) : x[i] < limit;
    }
    return found != 0;
  }
  /// Takes a candidate in; returns the worst that is certain to be kept for now.
  Entry offer(Entry candidate) {
    if (k_ <= kFew) {
      const auto at = std::upper_bound(candidates_.begin(), candidates_.end(), candidate, std::greater<>());
      std::move_backward(at, candidates_.end() - 1, candidates_.end());
      *at = candidate;
    } else {
      candidates_.push_back(candidate);
      if (candidates_.size() == 2 * k_) keep_best();
    }
    return candidates_[k_ - 1];
  }
  /// Leaves the best k, the worst of them last.
  void keep_best() {
    if (candidates_.size() <= k_) return;
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<int64_t>(k_) - 1, candidates_.end(),
                     std::greater<>());
    candidates_.resize(k_);
  }

  const size_t k_;
  const int64_t n_;
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
    if (out[axis] > int64_t{UINT32_MAX}) throw_not_implemented("an axis of more than 2^32 elements");
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
      if (is_largest_) select<T, true>(ctx);
      else select<T, false>(ctx);
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
    const int64_t outer = x.shape.size_to(axis);
    if (k == 0 || x.size() == 0) return;
    // Rows along an inner axis are taken together, as many as fill a cache line, so that each line is read once.
    const int64_t width = std::min<int64_t>(inner, std::max<int64_t>(1, 64 / static_cast<int64_t>(sizeof(T))));
    const int64_t groups = (inner + width - 1) / width;
    ctx.parallel_for(outer * groups, 16384 / (n * width) + 1, [&](int64_t begin, int64_t end) {
      Selector<T, kLargest> selector(k, n);
      std::vector<T> rows(inner > 1 ? static_cast<size_t>(width * n) : 0);
      for (int64_t group = begin; group < end; ++group) {
        const int64_t o = group / groups, first = group % groups * width, count = std::min(width, inner - first);
        const T* from = x.as<const T>() + o * n * inner + first;
        if (inner > 1) {
          simd::movement_table().transpose[std::countr_zero(sizeof(T))](from, inner * static_cast<int64_t>(sizeof(T)),
                                                                        rows.data(),
                                                                        n * static_cast<int64_t>(sizeof(T)), n, count);
          from = rows.data();
        }
        for (int64_t i = 0; i < count; ++i)
          selector.select(from + i * n, values + o * k * inner + first + i, indices + o * k * inner + first + i, inner);
      }
    });
  }

  const int64_t axis_;
  const bool is_largest_;
};

const Registration registration{{.op = "TopK", .inputs = {kNumbers, {DType::i64}}, .make = make_kernel<TopK>}};

}  // namespace
}  // namespace ort_cpu
