// Range, EyeLike, ConstantOfShape: tensors made from a few numbers.
#include <cmath>
#include <cstring>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

constexpr DTypeSet kRangeTypes{DType::f32, DType::f64, DType::i16, DType::i32, DType::i64, DType::f16, DType::bf16};

/// Calls `f.template operator()<T>()` for the types that have a Range.
template <class F>
decltype(auto) dispatch_range(DType dtype, F&& f) {
  switch (dtype) {
    case DType::i16: return f.template operator()<int16_t>();
    case DType::i32: return f.template operator()<int32_t>();
    case DType::i64: return f.template operator()<int64_t>();
    default: return dispatch_float(dtype, f);
  }
}

/// Y [max(0, ceil((limit - start) / delta))] = start + i * delta.
class Range : public Kernel {
 public:
  explicit Range(const NodeSpec& node) : in_double_(node.attributes.integer("stash_type", 1) == 11) {}

  void plan(PlanContext& ctx) const override {
    for (int i = 0; i < 3; ++i)
      require(ctx.shape(i).size() == 1, "input ", i, " must be a scalar, it has the shape ", ctx.shape(i));
    const int64_t count = dispatch_range(ctx.dtype(0), [&]<class T>() {
      return count_of(*ctx.value(0).as<T>(), *ctx.value(1).as<T>(), *ctx.value(2).as<T>());
    });
    ctx.output(0, ctx.dtype(0), {count});
  }

  void run(RunContext& ctx) const override {
    const Tensor& y = ctx.output(0);
    dispatch_range(y.dtype, [&]<class T>() {
      const T start = *ctx.input(0).as<T>(), delta = *ctx.input(2).as<T>();
      if constexpr (std::is_integral_v<T>)
        fill(ctx, y.elements<T>(), static_cast<uint64_t>(start), static_cast<uint64_t>(delta));
      else if (std::is_same_v<T, compute_t<T>> || in_double_)
        fill(ctx, y.elements<T>(), static_cast<double>(start), static_cast<double>(delta));
      else fill(ctx, y.elements<T>(), static_cast<float>(start), static_cast<float>(delta));
    });
  }

 private:
  template <class T>
  static int64_t count_of(T start, T limit, T delta) {
    if constexpr (std::is_integral_v<T>) {
      require(delta != 0, "delta is 0");
      const __int128 distance = static_cast<__int128>(limit) - start, step = delta;
      const __int128 count = distance / step + (distance % step != 0);
      if ((distance < 0) != (step < 0) || distance == 0) return 0;
      require(count <= INT64_MAX, "the output would be too large");
      return static_cast<int64_t>(count);
    } else {
      const double step = static_cast<compute_t<T>>(delta);
      require(step != 0, "delta is 0");
      const double count = std::ceil((static_cast<double>(static_cast<compute_t<T>>(limit)) -
                                      static_cast<double>(static_cast<compute_t<T>>(start))) /
                                     step);
      require(count < 0x1p62, "from ", static_cast<compute_t<T>>(start), " to ", static_cast<compute_t<T>>(limit),
              " by steps of ", static_cast<compute_t<T>>(delta), " there is no end");
      return count > 0 ? static_cast<int64_t>(count) : 0;
    }
  }

  /// Unsigned integers stand for those of T: they add up to the same, and may wrap around.
  template <class T, class C>
  static void fill(const RunContext& ctx, std::span<T> y, C start, C delta) {
    ctx.parallel_for(static_cast<int64_t>(y.size()), 32768, [&, to = y.data()](int64_t begin, int64_t end) {
      if constexpr (std::is_integral_v<C>) {
        C value = start + static_cast<C>(begin) * delta;
        for (int64_t i = begin; i < end; ++i, value += delta) to[i] = static_cast<T>(value);
      } else {
        for (int64_t i = begin; i < end; ++i) to[i] = make<T>(start + static_cast<C>(i) * delta);
      }
    });
  }
  template <class T, class C>
  static T make(C value) {
    if constexpr (std::is_same_v<T, compute_t<T>>) return static_cast<T>(value);
    else return T(static_cast<float>(value));
  }

  const bool in_double_;
};

/// Y [N, M] = 1 where column - row = k, else 0, of the type `dtype` or that of X [N, M].
class EyeLike : public Kernel {
 public:
  explicit EyeLike(const NodeSpec& node)
      : dtype_(static_cast<DType>(node.attributes.integer("dtype", static_cast<int64_t>(node.dtype(0))))),
        k_(node.attributes.integer("k", 0)) {
    const int64_t given = node.attributes.integer("dtype", 1);
    require(given > 0 && given <= static_cast<int64_t>(DType::bf16) && (kNumbers | kBool).contains(dtype_),
            "the attribute dtype is ", given);
  }

  void plan(PlanContext& ctx) const override {
    require(ctx.shape(0).rank() == 2, "the input must be a matrix, it has the shape ", ctx.shape(0));
    ctx.output(0, dtype_, ctx.shape(0));
  }

  void run(RunContext& ctx) const override {
    const Tensor& y = ctx.output(0);
    const int64_t rows = y.shape[0], columns = y.shape[1];
    if (y.size() == 0) return;
    std::memset(y.data, 0, y.size_bytes());
    if (k_ <= -rows || k_ >= columns) return;
    const int64_t first = std::max<int64_t>(0, -k_), last = std::min(rows, columns - k_);
    const auto set = [&]<class T>() {
      for (int64_t row = first; row < last; ++row) y.as<T>()[row * columns + row + k_] = T(1);
    };
    if (dtype_ == DType::boolean) set.template operator()<bool>();
    else dispatch_number(dtype_, set);
  }
  bool only_needs_shapes() const override { return true; }

 private:
  const DType dtype_;
  const int64_t k_;
};

/// Y of the shape given = the one element of `value`, by default float 0.
class ConstantOfShape : public Kernel {
 public:
  explicit ConstantOfShape(const NodeSpec& node) : value_(node.attributes.tensor("value")) {
    require(value_ == nullptr || value_->view().size() == 1, "value must have one element");
  }

  void plan(PlanContext& ctx) const override {
    require(ctx.shape(0).rank() == 1, "the shape must be a vector, it has the shape ", ctx.shape(0));
    const Shape out(ctx.value(0).elements<const int64_t>());
    for (int64_t dim : out) require(dim >= 0, "the shape ", out, " has a negative dimension");
    ctx.output(0, value_ != nullptr ? value_->view().dtype : DType::f32, out);
  }

  void run(RunContext& ctx) const override {
    const Tensor& y = ctx.output(0);
    dispatch_size(y.dtype, [&]<class T>() {
      T value{}, zero{};
      if (value_ != nullptr) std::memcpy(&value, value_->view().data, sizeof(T));
      const bool is_zero = std::memcmp(&value, &zero, sizeof(T)) == 0;
      ctx.parallel_for(y.size(), 65536, [&](int64_t begin, int64_t end) {
        if (is_zero)
          std::memset(y.as<std::byte>() + static_cast<size_t>(begin) * sizeof(T), 0,
                      static_cast<size_t>(end - begin) * sizeof(T));
        else std::fill(y.as<T>() + begin, y.as<T>() + end, value);
      });
    });
  }

 private:
  const std::shared_ptr<const OwnedTensor> value_;
};

std::optional<std::string> decline_range(const NodeSpec& node) {
  const int64_t stash = node.attributes.integer("stash_type", 1);
  if ((node.dtype(0) == DType::f16 || node.dtype(0) == DType::bf16) && stash != 1 && stash != 11)
    return message("stash_type ", stash, ", have 1 and 11");
  return std::nullopt;
}

const Registration registration{
    {.op = "Range", .inputs = {kRangeTypes}, .make = make_kernel<Range>, .declines = decline_range},
    {.op = "EyeLike", .inputs = {kNumbers | kBool}, .outputs = {kNumbers | kBool}, .make = make_kernel<EyeLike>},
    {.op = "ConstantOfShape", .inputs = {{DType::i64}}, .outputs = {kFixedSize}, .make = make_kernel<ConstantOfShape>},
};

}  // namespace
}  // namespace ort_cpu
