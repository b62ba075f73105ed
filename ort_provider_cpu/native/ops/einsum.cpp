// Einsum.
#include <algorithm>
#include <cstring>

#include "engine/registry.h"
#include "ops/einsum_steps.h"
#include "ops/gemm_generic.h"
#include "ops/gemm_operands.h"

namespace ort_cpu {
namespace {

constexpr int64_t kGrain = 16384;

/// Sums of rows, in lanes so that they neither wait for each other nor lose precision early.
template <class T>
void sum_rows(const T* x, int64_t columns, T* y, int64_t begin, int64_t end) {
  using Sum = sum_t<T>;
  constexpr int kSums = 16;
  for (int64_t row = begin; row < end; ++row) {
    const T* p = x + row * columns;
    Sum sums[kSums] = {};
    int64_t i = 0;
    for (; i + kSums <= columns; i += kSums)
      for (int j = 0; j < kSums; ++j) sums[j] = static_cast<Sum>(sums[j] + static_cast<Sum>(p[i + j]));
    Sum total{};
    for (; i < columns; ++i) total = static_cast<Sum>(total + static_cast<Sum>(p[i]));
    for (const Sum& sum : sums) total = static_cast<Sum>(total + sum);
    y[row] = static_cast<T>(total);
  }
}

template <class T>
void multiply_row(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t n) {
  // Products of narrow unsigned integers would be computed as signed ones, and overflow.
  using Wide = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  const auto product = [](T x, T z) { return static_cast<T>(static_cast<Wide>(x) * static_cast<Wide>(z)); };
  if (a_stride == 1 && b_stride == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = product(a[i], b[i]);
  } else if (a_stride == 1 && b_stride == 0) {
    for (int64_t i = 0; i < n; ++i) y[i] = product(a[i], *b);
  } else if (a_stride == 0 && b_stride == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = product(*a, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = product(a[i * a_stride], b[i * b_stride]);
  }
}

/// The rows [begin, end) of a broadcast product.
template <class T>
void multiply_rows(const EinsumStep& step, const T* a, const T* b, T* y, int64_t begin, int64_t end) {
  if (step.dims.empty()) return multiply_row(a, 0, b, 0, y, 1);
  const size_t last = step.dims.size() - 1;
  const int64_t n = step.dims[last];
  for (int64_t row = begin; row < end; ++row) {
    int64_t a_at = 0, b_at = 0, rest = row;
    for (size_t i = last; i-- > 0;) {
      a_at += rest % step.dims[i] * step.a_strides[i];
      b_at += rest % step.dims[i] * step.b_strides[i];
      rest /= step.dims[i];
    }
    multiply_row(a + a_at, step.a_strides[last], b + b_at, step.b_strides[last], y + row * n, n);
  }
}

/// The rows [begin, end) of a batch of products, counted through the batch.
template <class T>
void matmul_rows(const EinsumStep& step, const T* a, const T* b, T* y, int64_t begin, int64_t end) {
  while (begin < end) {
    const int64_t item = begin / step.m, row = begin % step.m, rows = std::min(end - begin, step.m - row);
    multiply_generic<T>(rows, step.n, step.k, {a + item * step.a_batch + row * step.a_row, step.a_row, step.a_column},
                        {b + item * step.b_batch, step.b_row, step.b_column}, y + begin * step.n);
    begin += rows;
  }
}

/// Output[labels] = the sum of the products of the inputs over all labels that the output lacks.
class Einsum : public Kernel {
 public:
  explicit Einsum(const NodeSpec& node) : equation_(node.attributes.text("equation", "")) {
    require(node.attributes.has("equation"), "the attribute 'equation' is missing");
  }

  void plan(PlanContext& ctx) const override {
    std::vector<Shape> shapes;
    for (int i = 0; i < ctx.n_inputs(); ++i) shapes.push_back(ctx.shape(i));
    const EinsumEquation equation(equation_, shapes);
    Shape out;
    for (int label : equation.output) out.push_back(equation.sizes[static_cast<size_t>(label)]);
    ctx.output(0, ctx.dtype(0), out);

    const DType dtype = ctx.dtype(0);
    const bool is_float32 = dtype == DType::f32, is_half = dtype == DType::f16 || dtype == DType::bf16;
    const size_t element_bytes = is_half ? sizeof(float) : size_of(dtype);
    State state{EinsumSteps(equation, shapes, element_bytes, is_float32 || is_half, ctx.threads()), 0, {}};
    int64_t elements = state.steps.scratch_elements;
    for (int i = 0; is_half && i <= ctx.n_inputs(); ++i) {
      state.widened.push_back(elements);
      elements += ((i < ctx.n_inputs() ? shapes[static_cast<size_t>(i)] : out).size() + 15) / 16 * 16;
    }
    state.product_scratch_bytes = (static_cast<size_t>(elements) * element_bytes + 63) / 64 * 64;
    ctx.scratch(state.product_scratch_bytes + static_cast<size_t>(state.steps.product_scratch_floats) * sizeof(float));
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const Tensor& y = ctx.output(0);
    if (ctx.state<State>().steps.is_zero) {
      if (y.size() > 0) std::memset(y.data, 0, y.size_bytes());
      return;
    }
    switch (y.dtype) {
      case DType::f16:
      case DType::bf16:
      case DType::f32: return run_steps<float>(ctx);
      case DType::f64: return run_steps<double>(ctx);
      default: break;
    }
    switch (size_of(y.dtype)) {
      case 1: return run_steps<uint8_t>(ctx);
      case 2: return run_steps<uint16_t>(ctx);
      case 4: return run_steps<uint32_t>(ctx);
      default: return run_steps<uint64_t>(ctx);
    }
  }

 private:
  struct State {
    EinsumSteps steps;
    size_t product_scratch_bytes;  // where the scratch of matrix products starts
    std::vector<int64_t> widened;  // where 16-bit inputs, and the output, lie as float32
  };

  template <class T>
  static T* address(const RunContext& ctx, const State& state, const EinsumPlace& place) {
    T* const scratch = ctx.scratch<T>();
    if (place.input == EinsumPlace::kScratch) return scratch + place.offset;
    const bool is_output = place.input == EinsumPlace::kOutput;
    if (!state.widened.empty())
      return scratch + (is_output ? state.widened.back() : state.widened[static_cast<size_t>(place.input)]);
    return is_output ? ctx.output(0).as<T>() : ctx.input(place.input).as<T>();
  }

  template <class T>
  static void run_steps(RunContext& ctx) {
    const State& state = ctx.state<State>();
    for (int i = 0; i < ctx.n_inputs() && !state.widened.empty(); ++i)
      to_floats(ctx.input(i), ctx.scratch<float>() + state.widened[static_cast<size_t>(i)]);
    for (const EinsumStep& step : state.steps.steps)
      run_step<T>(ctx, state, step, address<T>(ctx, state, step.a), address<T>(ctx, state, step.b),
                  address<T>(ctx, state, step.to));
    if (!state.widened.empty())
      from_floats(ctx.scratch<float>() + state.widened.back(), ctx.output(0).size(), ctx.output(0));
  }

  template <class T>
  static void run_step(RunContext& ctx, const State& state, const EinsumStep& step, const T* a, const T* b, T* y) {
    switch (step.kind) {
      case EinsumStep::Kind::copy: step.copy.run(ctx, a, y); return;
      case EinsumStep::Kind::sum:
        ctx.parallel_for(step.rows, kGrain / step.columns + 1,
                         [&](int64_t begin, int64_t end) { sum_rows(a, step.columns, y, begin, end); });
        return;
      case EinsumStep::Kind::multiply: {
        int64_t rows = 1;
        for (size_t i = 0; i + 1 < step.dims.size(); ++i) rows *= step.dims[i];
        ctx.parallel_for(rows, step.dims.empty() ? 1 : kGrain / step.dims.back() + 1,
                         [&](int64_t begin, int64_t end) { multiply_rows(step, a, b, y, begin, end); });
        return;
      }
      case EinsumStep::Kind::matmul:
        if constexpr (std::is_same_v<T, float>) {
          float* const scratch = reinterpret_cast<float*>(ctx.scratch<std::byte>() + state.product_scratch_bytes);
          step.product.run(ctx, a, b, y, {}, scratch);
        } else {
          ctx.parallel_for(step.batch * step.m, kGrain / (step.n * step.k) + 1,
                           [&](int64_t begin, int64_t end) { matmul_rows(step, a, b, y, begin, end); });
        }
        return;
    }
  }

  const std::string equation_;
};

const Registration registration{{.op = "Einsum", .inputs = {kNumbers}, .make = make_kernel<Einsum>}};

}  // namespace
}  // namespace ort_cpu
