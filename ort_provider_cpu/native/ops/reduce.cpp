// ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp,
// ReduceSumSquare.
#include <cmath>
#include <vector>

#include "engine/registry.h"
#include "ops/reduce_elements.h"
#include "ops/reduce_geometry.h"

namespace ort_cpu {
namespace {

enum class Finish { none, mean, sqrt, log, add_shift_to_log };

/// Elements that are worth a chunk of their own.
constexpr int64_t kGrain = 1 << 16;

template <class T>
T from_double(double value) {
  if constexpr (!std::is_integral_v<T>) {
    return T(static_cast<compute_t<T>>(value));
  } else {
    return value < static_cast<double>(std::numeric_limits<T>::max()) ? static_cast<T>(value)
                                                                      : std::numeric_limits<T>::max();
  }
}

template <class T, class A>
T finish(Finish how, A acc, int64_t count, double shift) {
  if constexpr (std::is_integral_v<A>) {
    if (how == Finish::mean) return static_cast<T>(count == 0 ? 0 : acc / static_cast<A>(count));
    return static_cast<T>(acc);
  } else {
    switch (how) {
      case Finish::mean: return from_double<T>(acc / static_cast<double>(count));
      case Finish::sqrt: return from_double<T>(std::sqrt(acc));
      case Finish::log: return from_double<T>(std::log(acc));
      case Finish::add_shift_to_log: return from_double<T>(std::log(acc) + shift);
      default: return from_double<T>(acc);
    }
  }
}

template <class F>
void dispatch_wide_integer(DType type, F&& f) {
  switch (type) {
    case DType::i32: return f.template operator()<int32_t>();
    case DType::i64: return f.template operator()<int64_t>();
    case DType::u32: return f.template operator()<uint32_t>();
    case DType::u64: return f.template operator()<uint64_t>();
    default: throw_unsupported_dtype(type);
  }
}

/// What to subtract before exp, given the largest element: infinities stay where they are.
template <class A>
A exp_shift(A largest) {
  return std::isinf(static_cast<double>(largest)) ? A{0} : largest;
}

/// Reduces the elements of `x`, of type `T`, in accumulators of type `A`.
template <class T, class A>
class Reducer {
 public:
  using S = compute_t<T>;
  Reducer(const RunContext& ctx, const ReduceLayout& layout, Reduction kind, Finish how)
      : ctx_(ctx),
        layout_(layout),
        kind_(kind),
        how_(how),
        x_(ctx.input(0).as<T>()),
        y_(ctx.output(0).as<T>()),
        reduced_(layout.reduced.size() * (layout.inner_is_reduced ? layout.inner : 1)) {}

  void run() const {
    const int64_t outer = layout_.kept.size();
    const int64_t width = layout_.inner_is_reduced ? 1 : layout_.inner;
    const int64_t tiles = (width + kColumnTile - 1) / kColumnTile, units = outer * tiles;
    const int64_t unit_size = reduced_ * std::min(width, kColumnTile);
    if (units >= ctx_.threads() || units * unit_size < 2 * kGrain) {
      if (layout_.inner_is_reduced && layout_.reduced.depth == 0 && layout_.kept.depth == 1 &&
          kind_ != Reduction::sum_exp) {
        ctx_.parallel_for(units, 1 + kGrain / (unit_size + 1), [&](int64_t first, int64_t last) { rows(first, last); });
        return;
      }
      ctx_.parallel_for(units, 1 + kGrain / (unit_size + 1), [&](int64_t first, int64_t last) {
        for (int64_t u = first; u < last; ++u) one_unit(u / tiles, u % tiles, false);
      });
    } else {
      for (int64_t u = 0; u < units; ++u) one_unit(u / tiles, u % tiles, true);
    }
  }

 private:
  /// Results of rows that lie one after the other.
  void rows(int64_t first, int64_t last) const {
    const int64_t n = layout_.inner, count = layout_.count, stride = layout_.kept.strides[0];
    for (int64_t i = first; i < last; ++i)
      y_[i] = finish<T, A>(how_, reduce_row<T, A>(kind_, x_ + i * stride, n, S{}), count, 0);
  }

  /// One result, or one tile of neighbouring results.
  void one_unit(int64_t outer, int64_t tile, bool in_parallel) const {
    const int64_t first = tile * kColumnTile;
    const int64_t n = layout_.inner_is_reduced ? 1 : std::min(kColumnTile, layout_.inner - first);
    const T* x = x_ + layout_.kept.offset(outer) + first;
    A acc[kColumnTile];
    S shift[kColumnTile];
    if (kind_ == Reduction::sum_exp) {
      accumulate(Reduction::max, acc, x, n, nullptr, in_parallel);
      for (int64_t j = 0; j < n; ++j) shift[j] = static_cast<S>(exp_shift(acc[j]));
    }
    accumulate(kind_, acc, x, n, kind_ == Reduction::sum_exp ? shift : nullptr, in_parallel);
    T* y = y_ + outer * (layout_.inner_is_reduced ? 1 : layout_.inner) + first;
    for (int64_t j = 0; j < n; ++j)
      y[j] = finish<T, A>(how_, acc[j], layout_.count, kind_ == Reduction::sum_exp ? static_cast<double>(shift[j]) : 0);
  }

  void accumulate(Reduction kind, A* acc, const T* x, int64_t n, const S* shift, bool in_parallel) const {
    const int64_t chunks = in_parallel ? std::min<int64_t>(ctx_.threads(), reduced_ * n / kGrain) : 1;
    if (chunks < 2) {
      accumulate_part(kind, acc, x, n, shift, 0, reduced_);
      return;
    }
    std::vector<A> parts(static_cast<size_t>(chunks * n));
    ctx_.parallel(static_cast<int>(chunks), [&](int chunk, int total) {
      accumulate_part(kind, parts.data() + chunk * n, x, n, shift, reduced_ * chunk / total,
                      reduced_ * (chunk + 1) / total);
    });
    for (int64_t j = 0; j < n; ++j) {
      acc[j] = parts[j];
      for (int64_t c = 1; c < chunks; ++c) acc[j] = fold_reductions<A>(kind, acc[j], parts[c * n + j]);
    }
  }

  /// Reduces the iterations [begin, end) of the reduced loops.
  void accumulate_part(Reduction kind, A* acc, const T* x, int64_t n, const S* shift, int64_t begin,
                       int64_t end) const {
    for (int64_t j = 0; j < n; ++j) acc[j] = reduction_identity<T, A>(kind);
    LoopNest outer = layout_.reduced;
    int64_t run = layout_.inner;
    if (!layout_.inner_is_reduced) run = outer.depth > 0 ? outer.sizes[--outer.depth] : 1;
    while (begin < end) {
      const int64_t within = begin % run, count = std::min(run - within, end - begin);
      const T* part = x + outer.offset(begin / run);
      if (layout_.inner_is_reduced) {
        acc[0] = fold_reductions<A>(kind, acc[0], reduce_row<T, A>(kind, part + within, count, shift ? shift[0] : S{}));
      } else {
        fold_rows(kind, acc, part + within * layout_.inner, count, n, shift);
      }
      begin += count;
    }
  }

  /// Folds `rows` rows of `n` columns into `acc`. Many rows side by side count as one where rows are short.
  void fold_rows(Reduction kind, A* acc, const T* x, int64_t rows, int64_t n, const S* shift) const {
    const int64_t together = kColumnTile / n;
    if (n == layout_.inner && together >= 8 && rows >= 2 * together) {
      A wide[kColumnTile];
      S wide_shift[kColumnTile];
      const int64_t width = together * n;
      for (int64_t j = 0; j < width; ++j) {
        wide[j] = reduction_identity<T, A>(kind);
        wide_shift[j] = shift ? shift[j % n] : S{};
      }
      reduce_columns<T, A>(kind, wide, x, width, rows / together, width, wide_shift);
      for (int64_t j = 0; j < width; ++j) acc[j % n] = fold_reductions<A>(kind, acc[j % n], wide[j]);
      x += rows / together * width;
      rows %= together;
    }
    if (rows > 0) reduce_columns<T, A>(kind, acc, x, layout_.inner, rows, n, shift);
  }

  const RunContext& ctx_;
  const ReduceLayout& layout_;
  const Reduction kind_;
  const Finish how_;
  const T* const x_;
  T* const y_;
  const int64_t reduced_;  // iterations of the reduced loops
};

/// y = finish(reduction of x over axes). data [...], axes [n] int64 -> reduced, with the axes of size 1 or without
/// them.
template <Reduction kKind, Finish kFinish>
class Reduce : public Kernel {
 public:
  explicit Reduce(const NodeSpec& node)
      : keep_(node.attributes.integer("keepdims", 1) != 0),
        keeps_all_without_axes_(node.attributes.integer("noop_with_empty_axes", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    std::array<bool, kMaxRank> is_reduced{};
    const std::vector<int64_t> axes = ctx.has_input(1) ? to_int64(ctx.value(1)) : std::vector<int64_t>{};
    if (axes.empty() && !keeps_all_without_axes_) is_reduced.fill(true);
    for (const int64_t axis : axes) is_reduced[normalize_axis(axis, shape.rank())] = true;
    Shape out;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (!is_reduced[axis]) out.push_back(shape[axis]);
      else if (keep_) out.push_back(1);
    }
    ctx.output(0, ctx.dtype(0), out);
    if (kKind == Reduction::sum_exp) ctx.cost_ns(0.3 * static_cast<double>(shape.size()));
    ctx.state(ReduceLayout(shape, is_reduced));
  }

  void run(RunContext& ctx) const override {
    const ReduceLayout& layout = ctx.state<ReduceLayout>();
    const DType dtype = ctx.input(0).dtype;
    if (dtype == DType::boolean) {
      reduce<uint8_t, uint64_t>(ctx, layout);
      for (uint8_t& value : ctx.output(0).elements<uint8_t>()) value = value != 0;
    } else if (kFloats.contains(dtype)) {
      dispatch_float(dtype, [&]<class T>() { reduce<T, double>(ctx, layout); });
    } else if constexpr (kKind != Reduction::sum_exp && kFinish != Finish::log) {
      const auto reduce_integers = [&]<class T>() {
        reduce<T, std::conditional_t<kFinish == Finish::sqrt, double, accumulator_t<T>>>(ctx, layout);
      };
      if constexpr (kKind == Reduction::max || kKind == Reduction::min) dispatch_integer(dtype, reduce_integers);
      else dispatch_wide_integer(dtype, reduce_integers);
    }
  }

 private:
  template <class T, class A>
  void reduce(RunContext& ctx, const ReduceLayout& layout) const {
    if (layout.size > 0) {
      Reducer<T, A>(ctx, layout, kKind, kFinish).run();
    } else {
      const T nothing = finish<T, A>(kFinish, reduction_identity<T, A>(kKind), 0, 0);
      for (T& value : ctx.output(0).elements<T>()) value = nothing;
    }
  }
  const bool keep_, keeps_all_without_axes_;
};

constexpr DTypeSet kAxes{DType::i64};
constexpr DTypeSet kWide = kFloats | DTypeSet{DType::i32, DType::i64, DType::u32, DType::u64};

template <Reduction kKind, Finish kFinish>
KernelEntry entry(const char* op, DTypeSet types) {
  return {.op = op, .inputs = {types, kAxes}, .make = make_kernel<Reduce<kKind, kFinish>>};
}

const Registration registration{
    entry<Reduction::sum, Finish::none>("ReduceSum", kWide),
    entry<Reduction::sum, Finish::mean>("ReduceMean", kWide),
    entry<Reduction::max, Finish::none>("ReduceMax", kNumbers | kBool),
    entry<Reduction::min, Finish::none>("ReduceMin", kNumbers | kBool),
    entry<Reduction::product, Finish::none>("ReduceProd", kWide),
    entry<Reduction::sum_abs, Finish::none>("ReduceL1", kWide),
    entry<Reduction::sum_square, Finish::sqrt>("ReduceL2", kWide),
    entry<Reduction::sum, Finish::log>("ReduceLogSum", kFloats),
    entry<Reduction::sum_exp, Finish::add_shift_to_log>("ReduceLogSumExp", kFloats),
    entry<Reduction::sum_square, Finish::none>("ReduceSumSquare", kWide),
};

}  // namespace
}  // namespace ort_cpu
