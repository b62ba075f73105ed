// ArgMax, ArgMin, Hardmax.
#include <limits>

#include "engine/registry.h"
#include "ops/reduce_geometry.h"
#include "simd/reduce.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 1 << 15;
/// Neighbouring columns that are searched together.
constexpr int64_t kTile = 256;

/// Which of several extremes is meant.
struct Search {
  bool smallest = false;
  bool last = false;
};

/// index[j] = where x[i * stride + j], i < n, is extreme, for j < columns <= kTile. NaN is more extreme than any
/// number.
template <class T>
void find_extremes(int64_t* index, const T* x, int64_t n, int64_t stride, int64_t columns, Search search) {
  using C = compute_t<T>;
  C best[kTile];
  for (int64_t j = 0; j < columns; ++j) {
    best[j] = x[j];
    index[j] = 0;
  }
  const auto scan = [&](auto better) {
    for (int64_t i = 1; i < n; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const C value = x[i * stride + j];
        if (better(value, best[j])) {
          best[j] = value;
          index[j] = i;
        }
      }
  };
  const auto nan = [](C a) { return a != a; };
  if (search.smallest && search.last) scan([&](C a, C b) { return a <= b || nan(a); });
  else if (search.smallest) scan([&](C a, C b) { return a < b || (nan(a) && !nan(b)); });
  else if (search.last) scan([&](C a, C b) { return a >= b || nan(a); });
  else scan([&](C a, C b) { return a > b || (nan(a) && !nan(b)); });
}

void find_extremes(int64_t* index, const float* x, int64_t n, int64_t stride, int64_t columns, Search search) {
  const simd::ReduceTable& table = simd::reduce_table();
  if (stride == 1) {
    const Reduction kind = search.smallest ? Reduction::min : Reduction::max;
    const auto extreme = static_cast<float>(table.row[static_cast<int>(kind)](x, n, 0));
    *index = (search.last ? table.find_last : table.find_first)(x, n, extreme);
  } else if (n <= std::numeric_limits<int32_t>::max()) {
    table.arg_columns(index, x, stride, static_cast<int32_t>(n), columns, search.smallest, search.last);
  } else {
    find_extremes<float>(index, x, n, stride, columns, search);
  }
}

/// Calls `f(index, at, columns)` for tiles of columns of x [outer, n, inner]: the column `j` of a tile begins at
/// element `at + j`, and its extreme is at index[j] along the axis.
template <class T, class F>
void for_extremes(const RunContext& ctx, const AxisLayout& layout, Search search, F&& f) {
  const T* x = ctx.input(0).as<T>();
  const auto [outer, n, inner] = layout;
  const int64_t tiles = (inner + kTile - 1) / kTile;
  ctx.parallel_for(outer * tiles, 1 + kGrain / (n * std::min(inner, kTile)),
                   [&, n = n, inner = inner](int64_t first, int64_t last) {
                     int64_t index[kTile];
                     for (int64_t i = first; i < last; ++i) {
                       const int64_t column = i % tiles * kTile, at = i / tiles * n * inner + column;
                       const int64_t columns = std::min(kTile, inner - column);
                       find_extremes(index, x + at, n, inner, columns, search);
                       f(index, at, columns);
                     }
                   });
}

/// The index of the largest or smallest element along an axis. data [...] -> reduced int64, with the axis of size 1 or
/// without.
template <bool kSmallest>
class ArgExtreme : public Kernel {
 public:
  explicit ArgExtreme(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", 0)),
        keep_(node.attributes.integer("keepdims", 1) != 0),
        search_{kSmallest, node.attributes.integer("select_last_index", 0) != 0} {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    Shape out = shape;
    if (shape.rank() == 0) {
      require(axis_ == 0 || axis_ == -1, "axis ", axis_, " is out of range for rank 0");
      ctx.state(AxisLayout(Shape{1}, 0));
    } else {
      const int axis = normalize_axis(axis_, shape.rank());
      if (keep_) out[axis] = 1;
      else out.erase(axis);
      require(shape[axis] > 0 || out.size() == 0, "axis ", axis, " of shape ", shape, " is empty, it has no extreme");
      ctx.state(AxisLayout(shape, axis));
    }
    ctx.output(0, DType::i64, out);
  }

  void run(RunContext& ctx) const override {
    const AxisLayout& layout = ctx.state<AxisLayout>();
    if (layout.outer == 0) return;
    int64_t* y = ctx.output(0).as<int64_t>();
    const int64_t n = layout.n, inner = layout.inner;
    dispatch_number(ctx.input(0).dtype, [&]<class T>() {
      for_extremes<T>(ctx, layout, search_, [&](const int64_t* index, int64_t at, int64_t columns) {
        std::copy_n(index, columns, y + at / (n * inner) * inner + at % inner);
      });
    });
  }

 private:
  const int64_t axis_;
  const bool keep_;
  const Search search_;
};

/// 1 at the first largest element along an axis, 0 elsewhere. input [...] -> output [...].
class Hardmax : public Kernel {
 public:
  explicit Hardmax(const NodeSpec& node) : axis_(node.attributes.integer("axis", -1)) {}

  void plan(PlanContext& ctx) const override {
    const Shape& shape = ctx.shape(0);
    ctx.output(0, ctx.dtype(0), shape);
    ctx.state(AxisLayout(shape, normalize_axis(axis_, shape.rank())));
  }

  void run(RunContext& ctx) const override {
    const AxisLayout& layout = ctx.state<AxisLayout>();
    if (layout.outer == 0) return;
    const int64_t n = layout.n, inner = layout.inner;
    dispatch_float(ctx.input(0).dtype, [&]<class T>() {
      T* y = ctx.output(0).as<T>();
      for_extremes<T>(ctx, layout, {}, [&](const int64_t* index, int64_t at, int64_t columns) {
        if (columns == inner) std::fill_n(y + at, n * inner, T(0.f));
        else
          for (int64_t i = 0; i < n; ++i) std::fill_n(y + at + i * inner, columns, T(0.f));
        for (int64_t j = 0; j < columns; ++j) y[at + index[j] * inner + j] = T(1.f);
      });
    });
  }

 private:
  const int64_t axis_;
};

const Registration registration{
    {.op = "ArgMax", .inputs = {kNumbers}, .make = make_kernel<ArgExtreme<false>>},
    {.op = "ArgMin", .inputs = {kNumbers}, .make = make_kernel<ArgExtreme<true>>},
    {.op = "Hardmax", .inputs = {kFloats}, .make = make_kernel<Hardmax>},
};

}  // namespace
}  // namespace ort_cpu
