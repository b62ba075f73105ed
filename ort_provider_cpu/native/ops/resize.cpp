// Resize, and the same on blocked channels.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "engine/registry.h"
#include "ops/image_element.h"
#include "ops/resize_nearest.h"
#include "simd/resize.h"

namespace ort_cpu {
namespace {

/// What is fed or given as attributes: sizes or scales for some axes, a region for tf_crop_and_resize.
struct ResizeRequest {
  std::vector<int> axes;
  std::vector<float> scales;
  std::vector<int64_t> sizes;
  std::vector<double> roi;
};

std::vector<double> to_double(const Tensor& tensor) {
  std::vector<double> values;
  dispatch_float(tensor.dtype, [&]<class T>() {
    for (const T value : tensor.elements<T>()) values.push_back(static_cast<double>(value));
  });
  return values;
}

int64_t checked_size(double size, int axis) {
  require(size >= 0 && size <= std::numeric_limits<int32_t>::max(), "the new size of axis ", axis, " is ", size,
          ", must be in [0, 2^31)");
  return static_cast<int64_t>(size);
}

/// The axes of `x` as the request makes them. `policy` is keep_aspect_ratio_policy.
std::vector<ResizeAxis> resized_axes(const Shape& x, const ResizeRequest& request, const std::string& policy) {
  const size_t n = request.axes.size();
  const bool by_scale = !request.scales.empty();
  require((by_scale ? request.scales.size() : request.sizes.size()) == n,
          "scales or sizes must have a value for each of ", n, " axes");
  std::vector<ResizeAxis> axes(n);
  for (size_t i = 0; i < n; ++i) {
    ResizeAxis& axis = axes[i];
    axis.axis = request.axes[i];
    axis.size = x[axis.axis];
    if (by_scale) {
      require(std::isfinite(request.scales[i]), "scales[", i, "] is ", request.scales[i], ", must be finite");
      axis.scale = request.scales[i];
      require(axis.scale > 0 || (axis.scale == 0 && axis.size == 0), "scales[", i, "] is ", axis.scale,
              ", must be positive");
      axis.out = checked_size(std::floor(static_cast<float>(axis.size) * request.scales[i]), axis.axis);
    } else {
      axis.out = checked_size(static_cast<double>(request.sizes[i]), axis.axis);
      axis.scale = axis.size == 0 ? 0 : static_cast<double>(axis.out) / static_cast<double>(axis.size);
    }
  }
  if (!by_scale && policy != "stretch" && n > 0) {
    double common = axes[0].scale;
    for (const ResizeAxis& axis : axes)
      common = policy == "not_larger" ? std::min(common, axis.scale) : std::max(common, axis.scale);
    for (ResizeAxis& axis : axes) {
      axis.scale = common;
      axis.out = checked_size(std::floor(common * static_cast<double>(axis.size) + 0.5), axis.axis);
    }
  }
  for (size_t i = 0; i < n; ++i) {
    ResizeAxis& axis = axes[i];
    require(axis.scale > 0 || axis.size == 0, "sizes[", i, "] must be positive");
    if (!request.roi.empty())
      axis.start = static_cast<float>(request.roi[i]), axis.end = static_cast<float>(request.roi[n + i]);
    if (axis.is_identity()) continue;
    require(axis.size > 0, "axis ", axis.axis, " of size 0 cannot be resized");
    require(axis.size <= std::numeric_limits<int32_t>::max(), "axis ", axis.axis, " of ", axis.size, " is too large");
  }
  std::erase_if(axes, [](const ResizeAxis& axis) { return axis.is_identity(); });
  return axes;
}

/// As `saturate`, rounding to integers if `round`.
template <class T>
T to_element(double value, bool round) {
  return saturate<T>(std::is_integral_v<T> && round ? std::nearbyint(value) : value);
}

/// One pass along one axis: `in` [outer, size, inner] -> `out` [outer, out, inner], rows [first, last) of outer * out.
template <class In, class A>
void weigh_axis(const ResizeAxis& axis, const In* in, A* out, int64_t inner, int64_t first, int64_t last, A outside) {
  for (int64_t row = first; row < last;) {
    const int64_t outer = row / axis.out, o0 = row % axis.out, o1 = std::min(axis.out, o0 + last - row);
    const In* from = in + outer * axis.size * inner;
    A* to = out + outer * axis.out * inner;
    if constexpr (std::is_same_v<A, float> && std::is_same_v<In, float>) {
      simd::resize_table().weighted(to, from, o0, o1, inner, axis.taps, axis.index.data(), axis.float_weights.data());
    } else {
      for (int64_t o = o0; o < o1; ++o) {
        A* result = to + o * inner;
        std::fill_n(result, inner, A{0});
        for (int64_t t = o * axis.taps; t < (o + 1) * axis.taps; ++t) {
          const In* p = from + axis.index[t] * inner;
          const A weight = static_cast<A>(axis.weights[t]);
          for (int64_t j = 0; j < inner; ++j) result[j] += static_cast<A>(p[j]) * weight;
        }
      }
    }
    if (!axis.outside.empty())
      for (int64_t o = o0; o < o1; ++o)
        if (axis.outside[o]) std::fill_n(to + o * inner, inner, outside);
    row += o1 - o0;
  }
}

/// X interpolated to other sizes along some axes. x of any shape -> y of the same rank.
///
/// Resize takes roi, scales and sizes as inputs; BlockedResize, for [N, C / 16, H, W, 16], scales or sizes of H and W
/// as attributes.
template <bool kBlocked>
class Resize : public Kernel {
 public:
  explicit Resize(const NodeSpec& node)
      : rule_(node.attributes),
        has_axes_(node.attributes.has("axes")),
        axes_(node.attributes.integers("axes")),
        policy_(node.attributes.text("keep_aspect_ratio_policy", "stretch")),
        extrapolation_(node.attributes.real("extrapolation_value", 0)) {
    require(policy_ == "stretch" || policy_ == "not_larger" || policy_ == "not_smaller",
            "keep_aspect_ratio_policy is '", policy_, "', must be stretch, not_larger or not_smaller");
    if constexpr (kBlocked) {
      scales_ = node.attributes.reals("scales");
      sizes_ = node.attributes.integers("sizes");
      require(rule_.coordinates != "tf_crop_and_resize", "tf_crop_and_resize is not supported on blocked channels");
    }
  }

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    ResizePlan plan;
    plan.axes = resized_axes(x, request(ctx), policy_);
    std::sort(plan.axes.begin(), plan.axes.end(), [](const auto& a, const auto& b) { return a.axis < b.axis; });
    Shape y = x;
    for (const ResizeAxis& axis : plan.axes) y[axis.axis] = axis.out;
    if (plan.axes.empty()) {
      ctx.alias(0, 0, y);
      ctx.state(ResizePlan{});
      return;
    }
    ctx.output(0, ctx.dtype(0), y);
    if (y.size() == 0) {
      plan.axes.clear();
      ctx.state(std::move(plan));
      return;
    }
    for (ResizeAxis& axis : plan.axes) axis.tabulate(rule_, computes_in_fixed_point(ctx.dtype(0)));
    const int lead = plan.axes.front().axis;
    plan.images = x.size_to(lead);
    plan.image_in = x, plan.image_out = y;
    plan.by_image = plan.images >= 2 * ctx.threads() || ctx.threads() == 1;
    if (rule_.mode != ResizeMode::nearest) order_passes(ctx, plan, lead);
    ctx.state(std::move(plan));
  }

  void run(RunContext& ctx) const override {
    const auto& plan = ctx.state<ResizePlan>();
    if (plan.axes.empty()) return;
    const DType dtype = ctx.input(0).dtype;
    if (rule_.mode == ResizeMode::nearest) {
      dispatch_size(dtype, [&]<class U>() { copy_nearest<U>(ctx, plan, outside_as<U>(dtype)); });
    } else if constexpr (kBlocked) {
      weigh<float, float>(ctx, plan);
    } else {
      dispatch_number(dtype, [&]<class T>() {
        weigh<T, std::conditional_t<std::is_same_v<compute_t<T>, float>, float, double>>(ctx, plan);
      });
    }
  }

 private:
  ResizeRequest request(PlanContext& ctx) const {
    const int rank = ctx.shape(0).rank();
    ResizeRequest request;
    if constexpr (kBlocked) {
      require(rank == 5 && ctx.shape(0).back() == 16, "an input [N, C / 16, H, W, 16] is needed, got shape ",
              ctx.shape(0));
      return {{2, 3}, scales_, sizes_, {}};
    }
    if (!has_axes_) {
      request.axes.resize(rank);
      std::iota(request.axes.begin(), request.axes.end(), 0);
    }
    for (int64_t axis : axes_) {
      const int index = normalize_axis(axis, rank);
      require(std::find(request.axes.begin(), request.axes.end(), index) == request.axes.end(), "axis ", axis,
              " is given twice");
      request.axes.push_back(index);
    }
    if (ctx.has_input(2) && ctx.shape(2).size() > 0) {
      const auto scales = ctx.value(2).elements<float>();
      request.scales.assign(scales.begin(), scales.end());
    } else if (ctx.has_input(3)) {
      request.sizes = to_int64(ctx.value(3));
    }
    if (rule_.coordinates == "tf_crop_and_resize") {
      require(ctx.has_input(1), "tf_crop_and_resize needs a roi");
      request.roi = to_double(ctx.value(1));
      require(request.roi.size() == 2 * request.axes.size(), "roi has ", request.roi.size(), " values, expected ",
              2 * request.axes.size());
    }
    return request;
  }

  /// Whether weights have 22 bits and results are rounded after each axis (halves up), as image libraries and onnxruntime
  /// do with bytes.
  bool computes_in_fixed_point(DType dtype) const { return rule_.antialias && dtype == DType::u8; }

  /// Shrinking axes first and from the front, where rows are added up; growing ones from the back, where rows are
  /// short. Integers keep the order of the axes: rounding differences of the last bit would show where results are cut.
  /// In fixed point the width comes before the height.
  void order_passes(PlanContext& ctx, ResizePlan& plan, int lead) const {
    const bool integers = kIntegers.contains(ctx.dtype(0));
    const bool fixed_point = computes_in_fixed_point(ctx.dtype(0));
    std::sort(plan.axes.begin(), plan.axes.end(), [=](const ResizeAxis& a, const ResizeAxis& b) {
      if (fixed_point) return a.axis > b.axis;
      if (integers) return a.axis < b.axis;
      const bool shrinks_a = a.out < a.size, shrinks_b = b.out < b.size;
      if (shrinks_a != shrinks_b) return shrinks_a;
      return shrinks_a ? a.axis < b.axis : a.axis > b.axis;
    });
    Shape image = plan.image_in;
    double products = 0;
    for (const ResizeAxis& axis : plan.axes) {
      image[axis.axis] = axis.out;
      const int64_t elements = image.size_from(lead);
      plan.intermediate = std::max(plan.intermediate, elements);
      products += static_cast<double>(elements) * axis.taps * plan.images;
    }
    ctx.cost_ns(products * (ctx.dtype(0) == DType::f32 ? 0.1 : 1.0));
    plan.intermediate = (plan.intermediate + 15) / 16 * 16;
    const int workers = plan.by_image ? ctx.threads() : 1;
    ctx.scratch(checked_size_bytes(DType::f64, Shape{2, workers, plan.intermediate}));
  }

  /// The bits of the extrapolation value as an element.
  template <class U>
  U outside_as(DType dtype) const {
    U bits{};
    const auto set = [&]<class T>() {
      const T value = to_element<T>(extrapolation_, false);
      if constexpr (sizeof(T) == sizeof(U)) std::memcpy(&bits, &value, sizeof(T));
    };
    if (kNumbers.contains(dtype)) dispatch_number(dtype, set);
    else if (dtype == DType::boolean) bits = U(extrapolation_ != 0);
    else if constexpr (std::is_same_v<U, uint64_t>) std::memcpy(&bits, &extrapolation_, sizeof(float));
    else bits = U(extrapolation_);
    return bits;
  }

  template <class U>
  void copy_nearest(RunContext& ctx, const ResizePlan& plan, U outside) const {
    const U* x = ctx.input(0).as<U>();
    U* y = ctx.output(0).as<U>();
    const ResizeAxis& first = plan.axes.front();
    const int64_t in = plan.image_in.size_from(first.axis), out = plan.image_out.size_from(first.axis);
    const NearestCopy<U> copy(plan, outside);
    ctx.parallel_for(plan.images * first.out, 1 + 65536 / (1 + out / first.out), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end;) {
        const int64_t image = i / first.out, o = i % first.out, stop = std::min(first.out, o + end - i);
        copy.copy(x + image * in, y + image * out, o, stop);
        i += stop - o;
      }
    });
  }

  template <class T, class A>
  void weigh(RunContext& ctx, const ResizePlan& plan) const {
    const int lead = std::min_element(plan.axes.begin(), plan.axes.end(), [](const auto& a, const auto& b) {
                       return a.axis < b.axis;
                     })->axis;
    const int64_t in = plan.image_in.size_from(lead), out = plan.image_out.size_from(lead);
    const T* x = ctx.input(0).as<T>();
    T* y = ctx.output(0).as<T>();
    A* scratch = ctx.scratch<A>();
    const auto one = [&](int64_t image, A* buffers, bool parallel) {
      weigh_image<T, A>(ctx, plan, lead, x + image * in, y + image * out, out, buffers, parallel);
    };
    if (!plan.by_image) {
      for (int64_t image = 0; image < plan.images; ++image) one(image, scratch, true);
      return;
    }
    const int64_t grain = 1 + 30000 / (1 + plan.intermediate);
    const int chunks = static_cast<int>(std::clamp<int64_t>(plan.images / grain, 1, ctx.threads()));
    ctx.parallel(chunks, [&](int chunk, int n) {
      for (int64_t image = plan.images * chunk / n; image < plan.images * (chunk + 1) / n; ++image)
        one(image, scratch + chunk * 2 * plan.intermediate, false);
    });
  }

  template <class T, class A>
  void weigh_image(RunContext& ctx, const ResizePlan& plan, int lead, const T* x, T* y, int64_t n_out, A* buffers,
                   bool parallel) const {
    Shape image = plan.image_in;
    const A* from = nullptr;
    const bool fixed_point = computes_in_fixed_point(ctx.input(0).dtype);
    for (size_t i = 0; i < plan.axes.size(); ++i) {
      const ResizeAxis& axis = plan.axes[i];
      const int64_t outer = image.product(lead, axis.axis), inner = image.size_from(axis.axis + 1);
      A* to = buffers + static_cast<int64_t>(i % 2) * plan.intermediate;
      if constexpr (std::is_same_v<T, A>)
        if (i + 1 == plan.axes.size()) to = y;
      const auto pass = [&](int64_t begin, int64_t end) {
        const A outside = static_cast<A>(extrapolation_);
        if (i == 0) weigh_axis<T, A>(axis, x, to, inner, begin, end, outside);
        else weigh_axis<A, A>(axis, from, to, inner, begin, end, outside);
        if constexpr (std::is_same_v<T, uint8_t>)
          if (fixed_point)
            for (int64_t j = begin * inner; j < end * inner; ++j)
              to[j] = static_cast<A>(std::clamp(std::floor(static_cast<double>(to[j]) + 0.5), 0.0, 255.0));
      };
      const int64_t rows = outer * axis.out;
      if (parallel) ctx.parallel_for(rows, 1 + 100000 / (1 + inner * axis.taps), pass);
      else pass(0, rows);
      image[axis.axis] = axis.out;
      from = to;
    }
    if constexpr (!std::is_same_v<T, A>)
      for (int64_t i = 0; i < n_out; ++i) y[i] = to_element<T>(from[i], rule_.antialias);
  }

  const ResizeRule rule_;
  const bool has_axes_;
  const std::vector<int64_t> axes_;
  const std::string policy_;
  const float extrapolation_;
  std::vector<float> scales_;
  std::vector<int64_t> sizes_;
};

std::optional<std::string> decline_interpolation(const NodeSpec& node) {
  if (node.attributes.text("mode", "nearest") == "nearest" || kNumbers.contains(node.dtype(0))) return std::nullopt;
  return message("interpolation of ", name_of(node.dtype(0)), " is not supported");
}

constexpr DTypeSet kResized = kNumbers | kBool | DTypeSet{DType::c64, DType::c128};
constexpr DTypeSet kRegions{DType::f32, DType::f16, DType::f64};

const Registration registration{
    {.op = "Resize",
     .inputs = {kResized, kRegions, DTypeSet{DType::f32}, DTypeSet{DType::i64}},
     .make = make_kernel<Resize<false>>,
     .declines = decline_interpolation},
    {.op = "BlockedResize", .domain = "ort.cpu", .inputs = {DTypeSet{DType::f32}}, .make = make_kernel<Resize<true>>},
};

}  // namespace
}  // namespace ort_cpu
