// CumSum, CumProd.
#include <type_traits>

#include "engine/registry.h"
#include "ops/reduce_geometry.h"
#include "simd/reduce_scan.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 1 << 14;
constexpr int64_t kTile = 256;

/// y[i] = x[0] + ... + x[i] along an axis, without x[i] if exclusive, from the end if reverse. x [...], axis [] -> y
/// [...].
///
/// Sums of floats are taken in double, products in the type of the elements; integers wrap around.
template <bool kProduct>
class Cumulative : public Kernel {
 public:
  explicit Cumulative(const NodeSpec& node)
      : exclusive_(node.attributes.integer("exclusive", 0) != 0),
        reverse_(node.attributes.integer("reverse", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    const std::vector<int64_t> axis = to_int64(ctx.value(1));
    require(axis.size() == 1, "one axis is needed, got ", axis.size());
    const Shape& shape = ctx.shape(0);
    ctx.output(0, ctx.dtype(0), shape);
    ctx.may_overwrite(0, 0);
    ctx.state(AxisLayout(shape, normalize_axis(axis[0], shape.rank())));
  }

  void run(RunContext& ctx) const override {
    const AxisLayout& layout = ctx.state<AxisLayout>();
    if (layout.outer == 0) return;
    const auto run_as = [&]<class T>() { accumulate<T>(ctx, layout); };
    switch (ctx.input(0).dtype) {
      case DType::i32:
      case DType::u32: run_as.template operator()<uint32_t>(); break;
      case DType::i64:
      case DType::u64: run_as.template operator()<uint64_t>(); break;
      default: dispatch_float(ctx.input(0).dtype, run_as);
    }
  }

 private:
  template <class T>
  void accumulate(RunContext& ctx, const AxisLayout& layout) const {
    using A = std::conditional_t<std::is_same_v<T, float> && !kProduct, double, compute_t<T>>;
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    const auto [outer, n, inner] = layout;
    const int64_t tiles = (inner + kTile - 1) / kTile;
    ctx.parallel_for(outer * tiles, 1 + kGrain / (n * std::min(inner, kTile)),
                     [&, n = n, inner = inner](int64_t first, int64_t last) {
                       A acc[kTile];
                       for (int64_t u = first; u < last; ++u) {
                         const int64_t column = u % tiles * kTile, columns = std::min(kTile, inner - column);
                         const int64_t at = u / tiles * n * inner + column;
                         if constexpr (std::is_same_v<A, double> && std::is_same_v<T, float>) {
                           const simd::ScanTable& table = simd::scan_table();
                           if (inner == 1) table.sum_row(y + at, x + at, n, exclusive_, reverse_);
                           else table.sum_columns(y + at, x + at, n, inner, columns, exclusive_, reverse_);
                           continue;
                         }
                         std::fill_n(acc, columns, A(kProduct ? 1 : 0));
                         for (int64_t i = 0; i < n; ++i) {
                           const int64_t row = at + (reverse_ ? n - 1 - i : i) * inner;
                           for (int64_t j = 0; j < columns; ++j) {
                             const A value = static_cast<A>(x[row + j]);
                             const A next = kProduct ? acc[j] * value : acc[j] + value;
                             y[row + j] = static_cast<T>(static_cast<compute_t<T>>(exclusive_ ? acc[j] : next));
                             acc[j] = next;
                           }
                         }
                       }
                     });
  }
  const bool exclusive_, reverse_;
};

constexpr DTypeSet kTypes = kFloats | DTypeSet{DType::i32, DType::i64, DType::u32, DType::u64};

const Registration registration{
    {.op = "CumSum", .inputs = {kTypes, kIndices}, .make = make_kernel<Cumulative<false>>},
    {.op = "CumProd", .inputs = {kTypes, kIndices}, .make = make_kernel<Cumulative<true>>},
};

}  // namespace
}  // namespace ort_cpu
