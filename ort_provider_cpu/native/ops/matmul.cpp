// MatMul, Gemm and FusedMatMul of float32, float16 and bfloat16.
#include <algorithm>

#include "engine/registry.h"
#include "ops/activation.h"
#include "ops/gemm_operands.h"
#include "ops/matmul_other.h"
#include "ops/matmul_shapes.h"

namespace ort_cpu {
namespace {

/// What a product does besides multiplying, and where its operands come from.
struct ProductOptions {
  bool transpose_a = false, transpose_b = false;
  float alpha = 1, beta = 1;
  Activation activation = {};
  bool is_gemm = false;
  /// Inputs that are added: a C that broadcasts as Gemm's, or a bias [N] and a residual of the output's shape. -1:
  /// none.
  int addend = -1, bias = -1, residual = -1;
};

/// Y = act(alpha * A' B' + beta * C + bias + residual), computed in float32; A' and B' are stacks of matrices.
class FloatMatMul : public Kernel {
 public:
  FloatMatMul(const NodeSpec& node, const ProductOptions& options) : options_(options) {
    for (int i = 1; i < node.n_inputs(); ++i)
      require(!node.has_input(i) || node.dtype(i) == node.dtype(0), "input ", i, " is ", name_of(node.dtype(i)),
              ", input 0 is ", name_of(node.dtype(0)), "; the operands of a product are of one type");
    Constant* const b = node.stored_constant(1);
    if (b == nullptr || node.settings.low_memory) return;
    const Shape& shape = b->tensor().shape;
    const int rank = shape.rank();
    if (rank == 0 || shape.size() == 0) return;
    const bool transposed = options.transpose_b && rank > 1;
    const int64_t rows = rank > 1 ? shape.back(1) : shape[0], columns = rank > 1 ? shape.back(0) : 1;
    const int64_t k = transposed ? columns : rows, n = transposed ? rows : columns;
    prepared_.emplace(float_pieces(*b), shape.size_to(std::max(rank - 2, 0)), k, n, transposed);
    node.release_constant(1);
  }

  void plan(PlanContext& ctx) const override {
    if (options_.is_gemm)
      require(ctx.shape(0).rank() == 2 && ctx.shape(1).rank() == 2, "Gemm needs matrices, got shapes ", ctx.shape(0),
              " and ", ctx.shape(1));
    const MatMulShapes shapes(ctx.shape(0), ctx.shape(1), options_.transpose_a, options_.transpose_b);
    const bool transposed = options_.transpose_b && ctx.shape(1).rank() > 1;
    const MatrixLayout layout = prepared_    ? prepared_->layout()
                                : transposed ? MatrixLayout::columns
                                             : MatrixLayout::rows;
    const bool transpose_a = options_.transpose_a && ctx.shape(0).rank() > 1;
    State state{.product = BatchedProduct(shapes.batched(transpose_a, layout, prepared_ ? prepared_->step() : -1),
                                          ctx.threads())};
    state.n = shapes.n;
    state.residual = present(ctx, options_.residual);
    state.bias = present(ctx, options_.bias);
    check_addends(ctx, shapes, state);
    if (present(ctx, options_.addend) >= 0 && options_.beta != 0) choose_addend(ctx, shapes, state);

    FloatScratch scratch;
    scratch.take(state.product.scratch_floats());
    const bool is_float = ctx.dtype(0) == DType::f32;
    if (!is_float) {
      state.a_at = scratch.take(ctx.shape(0).size());
      if (!prepared_) state.b_at = scratch.take(ctx.shape(1).size());
      state.c_at = scratch.take(shapes.output.size());
      if (state.residual >= 0) state.residual_at = scratch.take(shapes.output.size());
    }
    if (state.fills_bias || (!is_float && (state.bias >= 0 || state.row_bias >= 0)))
      state.bias_at = scratch.take(std::max(shapes.m, shapes.n));
    if (scratch.bytes() > 0) ctx.scratch(scratch.bytes());
    ctx.output(0, ctx.dtype(0), shapes.output);
    ctx.cost_ns(state.product.cost_ns());
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    const Tensor& out = ctx.output(0);
    float* const scratch = ctx.scratch<float>();
    simd::GemmEpilogue epilogue{.alpha = options_.alpha, .beta = options_.beta, .activation = options_.activation};
    if (state.bias >= 0) epilogue.bias = floats_of(ctx, state.bias, state, state.bias_at);
    if (state.row_bias >= 0) epilogue.row_bias = floats_of(ctx, state.row_bias, state, state.bias_at);
    if (state.residual >= 0) {
      epilogue.residual = floats_of(ctx, state.residual, state, state.residual_at);
      epilogue.residual_stride = state.n;
    }
    const float* a = floats_of(ctx, 0, state, state.a_at);
    const float* b = prepared_ ? prepared_->data() : floats_of(ctx, 1, state, state.b_at);
    if (state.c_at < 0) {
      state.product.run(ctx, a, b, out.as<float>(), epilogue, scratch);
    } else {
      float* const c = scratch + state.c_at;
      state.product.run(ctx, a, b, c, epilogue, scratch);
      from_floats(c, out.size(), out);
    }
  }

 private:
  struct State {
    BatchedProduct product;
    int64_t n = 0;
    /// Inputs that are added, -1 for none.
    int bias = -1, row_bias = -1, residual = -1;
    bool fills_bias = false;  // the bias is one number
    /// Offsets into the scratch of operands as float32, -1 where they are float32 already.
    int64_t a_at = -1, b_at = -1, c_at = -1, residual_at = -1, bias_at = -1;
  };

  static int present(const PlanContext& ctx, int input) { return input >= 0 && ctx.has_input(input) ? input : -1; }

  static void check_addends(const PlanContext& ctx, const MatMulShapes& shapes, const State& state) {
    if (state.bias >= 0)
      require(ctx.shape(state.bias) == Shape{shapes.n}, "the bias has shape ", ctx.shape(state.bias), ", expected [",
              shapes.n, "]");
    if (state.residual >= 0)
      require(ctx.shape(state.residual) == shapes.output, "the residual has shape ", ctx.shape(state.residual),
              ", the product ", shapes.output);
  }

  /// Finds out how Gemm's C broadcasts to [M, N].
  void choose_addend(const PlanContext& ctx, const MatMulShapes& shapes, State& state) const {
    const int input = options_.addend;
    const Shape& c = ctx.shape(input);
    const int64_t rows = c.rank() > 1 ? c.back(1) : 1, columns = c.rank() > 0 ? c.back(0) : 1;
    require(c.rank() <= 2 && (rows == 1 || rows == shapes.m) && (columns == 1 || columns == shapes.n), "C of shape ", c,
            " does not broadcast to ", shapes.output);
    if (rows == shapes.m && columns == shapes.n && rows > 1) {
      state.residual = input;
    } else if (columns == shapes.n) {
      state.bias = input;
    } else if (rows == shapes.m) {
      state.row_bias = input;
    } else {
      state.bias = input;
      state.fills_bias = true;
    }
  }

  static const float* floats_of(const RunContext& ctx, int input, const State& state, int64_t offset) {
    const Tensor& tensor = ctx.input(input);
    if (offset < 0) return tensor.as<float>();
    float* const to = ctx.scratch<float>() + offset;
    to_floats(tensor, to);
    if (input == state.bias && state.fills_bias) std::fill_n(to, state.n, to[0]);
    return to;
  }

  const ProductOptions options_;
  std::optional<PreparedMatrices> prepared_;
};

std::unique_ptr<Kernel> make_matmul(const NodeSpec& node) {
  if (!is_float_product(node.dtype(0))) return make_other_matmul(node);
  return std::make_unique<FloatMatMul>(node, ProductOptions{});
}

std::unique_ptr<Kernel> make_gemm(const NodeSpec& node) {
  if (!is_float_product(node.dtype(0))) return make_other_gemm(node);
  const Attributes& attributes = node.attributes;
  return std::make_unique<FloatMatMul>(node, ProductOptions{.transpose_a = attributes.integer("transA", 0) != 0,
                                                            .transpose_b = attributes.integer("transB", 0) != 0,
                                                            .alpha = attributes.real("alpha", 1),
                                                            .beta = attributes.real("beta", 1),
                                                            .is_gemm = true,
                                                            .addend = 2});
}

std::unique_ptr<Kernel> make_fused(const NodeSpec& node) {
  const Attributes& attributes = node.attributes;
  return std::make_unique<FloatMatMul>(node, ProductOptions{.transpose_a = attributes.integer("transA", 0) != 0,
                                                            .transpose_b = attributes.integer("transB", 0) != 0,
                                                            .alpha = attributes.real("alpha", 1),
                                                            .activation = activation_of(attributes, "activation_"),
                                                            .bias = 2,
                                                            .residual = 3});
}

constexpr DTypeSet kProductFloats{DType::f32, DType::f16, DType::bf16};
constexpr DTypeSet kProductTypes = kFloats | DTypeSet{DType::i32, DType::i64, DType::u32, DType::u64};

const Registration registration{
    {.op = "MatMul", .inputs = {kProductTypes}, .make = make_matmul},
    {.op = "Gemm", .inputs = {kProductTypes}, .make = make_gemm},
    {.op = "FusedMatMul", .domain = "ort.cpu", .inputs = {kProductFloats}, .make = make_fused},
};

}  // namespace
}  // namespace ort_cpu
