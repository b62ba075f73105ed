#include "ops/matmul_other.h"

#include <cmath>
#include <limits>

#include "ops/gemm_generic.h"
#include "ops/matmul_shapes.h"

namespace ort_cpu {
namespace {

template <class F>
void dispatch_other(DType type, F&& f) {
  switch (type) {
    case DType::f64: return f.template operator()<double>();
    case DType::i32: return f.template operator()<int32_t>();
    case DType::i64: return f.template operator()<int64_t>();
    case DType::u32: return f.template operator()<uint32_t>();
    case DType::u64: return f.template operator()<uint64_t>();
    default: throw_unsupported_dtype(type);
  }
}

/// Rows of a chunk, so that it has work for some microseconds.
int64_t row_grain(const MatMulShapes& shapes) { return 20000 / std::max<int64_t>(shapes.n * shapes.k, 1) + 1; }

/// Rows [first, last) of all products, counted through the batch.
template <class T>
void multiply_rows(const MatMulShapes& shapes, bool transpose_a, bool transpose_b, const T* a, const T* b, T* c,
                   int64_t first, int64_t last) {
  const auto [m, n, k] = std::tuple(shapes.m, shapes.n, shapes.k);
  while (first < last) {
    const int64_t item = first / m, row = first % m, rows = std::min(last - first, m - row);
    const int64_t a_index = shapes.a_indices.empty() ? item * shapes.a_step : shapes.a_indices[item];
    const int64_t b_index = shapes.b_indices.empty() ? item * shapes.b_step : shapes.b_indices[item];
    const StridedMatrix<T> left{a + a_index * m * k + row * (transpose_a ? 1 : k), transpose_a ? 1 : k,
                                transpose_a ? m : 1};
    const StridedMatrix<T> right{b + b_index * k * n, transpose_b ? 1 : n, transpose_b ? k : 1};
    multiply_generic<T>(rows, n, k, left, right, c + first * n);
    first += rows;
  }
}

/// Y = A B for stacks of matrices.
class OtherMatMul : public Kernel {
 public:
  void plan(PlanContext& ctx) const override {
    MatMulShapes shapes(ctx.shape(0), ctx.shape(1), false, false);
    ctx.output(0, ctx.dtype(0), shapes.output);
    ctx.state(std::move(shapes));
  }
  void run(RunContext& ctx) const override {
    const auto& shapes = ctx.state<MatMulShapes>();
    if (ctx.output(0).size() == 0) return;
    dispatch_other(ctx.output(0).dtype, [&]<class T>() {
      ctx.parallel_for(shapes.batch * shapes.m, row_grain(shapes), [&](int64_t first, int64_t last) {
        multiply_rows<T>(shapes, false, false, ctx.input(0).as<T>(), ctx.input(1).as<T>(), ctx.output(0).as<T>(), first,
                         last);
      });
    });
  }
};

/// alpha * product + beta * addend; integers are rounded towards zero and stop at the ends of their range.
template <class T>
T combine(float alpha, T product, float beta, T addend) {
  if constexpr (std::is_integral_v<T>) {
    if (alpha == 1 && (beta == 1 || beta == 0)) {
      using Sum = sum_t<T>;
      return static_cast<T>(static_cast<Sum>(product) + (beta == 0 ? Sum{} : static_cast<Sum>(addend)));
    }
    const double exact = static_cast<double>(alpha) * static_cast<double>(product) +
                         static_cast<double>(beta) * static_cast<double>(addend);
    if (std::isnan(exact)) return T{};
    if (exact <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (exact >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(exact);
  } else {
    return beta == 0 ? alpha * product : alpha * product + beta * addend;
  }
}

/// Y[M, N] = alpha * A'[M, K] B'[K, N] + beta * C.
class OtherGemm : public Kernel {
 public:
  explicit OtherGemm(const NodeSpec& node)
      : transpose_a_(node.attributes.integer("transA", 0) != 0),
        transpose_b_(node.attributes.integer("transB", 0) != 0),
        alpha_(node.attributes.real("alpha", 1)),
        beta_(node.attributes.real("beta", 1)) {}

  void plan(PlanContext& ctx) const override {
    require(ctx.shape(0).rank() == 2 && ctx.shape(1).rank() == 2, "Gemm needs matrices, got shapes ", ctx.shape(0),
            " and ", ctx.shape(1));
    MatMulShapes shapes(ctx.shape(0), ctx.shape(1), transpose_a_, transpose_b_);
    if (ctx.has_input(2))
      require(ctx.shape(2).rank() <= 2 &&
                  (shapes.output.size() == 0 || broadcast(ctx.shape(2), shapes.output) == shapes.output),
              "C of shape ", ctx.shape(2), " does not broadcast to ", shapes.output);
    ctx.output(0, ctx.dtype(0), shapes.output);
    ctx.state(std::move(shapes));
  }
  void run(RunContext& ctx) const override {
    const auto& shapes = ctx.state<MatMulShapes>();
    const Tensor& out = ctx.output(0);
    if (out.size() == 0) return;
    dispatch_other(out.dtype, [&]<class T>() {
      T* const y = out.as<T>();
      const bool adds = ctx.has_input(2) && beta_ != 0;
      const T* addend = adds ? ctx.input(2).as<T>() : nullptr;
      const auto strides = adds ? broadcast_strides(ctx.input(2).shape, out.shape) : std::array<int64_t, kMaxRank>{};
      ctx.parallel_for(shapes.m, row_grain(shapes), [&](int64_t first, int64_t last) {
        multiply_rows<T>(shapes, transpose_a_, transpose_b_, ctx.input(0).as<T>(), ctx.input(1).as<T>(), y, first,
                         last);
        if (!adds && alpha_ == 1) return;
        for (int64_t row = first; row < last; ++row)
          for (int64_t j = 0; j < shapes.n; ++j) {
            const T c = adds ? addend[row * strides[0] + j * strides[1]] : T{};
            T& to = y[row * shapes.n + j];
            to = combine<T>(alpha_, to, adds ? beta_ : 0.0f, c);
          }
      });
    });
  }

 private:
  const bool transpose_a_, transpose_b_;
  const float alpha_, beta_;
};

}  // namespace

std::unique_ptr<Kernel> make_other_matmul(const NodeSpec&) { return std::make_unique<OtherMatMul>(); }
std::unique_ptr<Kernel> make_other_gemm(const NodeSpec& node) { return std::make_unique<OtherGemm>(node); }

}  // namespace ort_cpu
