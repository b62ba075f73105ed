// MultiMatMul and GatedMatMul: products of one float32 operand with several constant matrices, in one parallel region.
#include <algorithm>

#include "engine/registry.h"
#include "ops/activation.h"
#include "ops/gemm_operands.h"
#include "ops/matmul_shapes.h"

namespace ort_cpu {
namespace {

/// Weights [K, N] of a product with x [..., K].
struct Weights {
  int64_t k = 0, n = 0;
  PreparedMatrices prepared;
};

void require_matrix(const Shape& weights) {
  require(weights.rank() == 2, "the weights have shape ", weights, ", expected a matrix");
}

/// Rows of x [..., K] for weights [K, N]. Raises InvalidArgument when K differs.
int64_t rows_of(const Shape& x, const Shape& weights) {
  require_matrix(weights);
  require(x.rank() >= 1 && x.back() == weights[0], "x of shape ", x, " does not fit weights of shape ", weights);
  return x.size_to(x.rank() - 1);
}

Shape output_shape(const Shape& x, int64_t n) {
  Shape shape = x;
  shape[x.rank() - 1] = n;
  return shape;
}

bool all_constant(const NodeSpec& node, int first, int last) {
  for (int i = first; i < last; ++i) {
    const Constant* const constant = node.stored_constant(i);
    if (constant == nullptr || constant->tensor().shape.rank() != 2 || constant->tensor().size() == 0) return false;
  }
  return !node.settings.low_memory;
}

/// y_i = x W_i + bias_i. x [..., K], W_i [K, N_i], bias_i [N_i] -> y_i [..., N_i].
class MultiMatMul : public Kernel {
 public:
  explicit MultiMatMul(const NodeSpec& node) : biased_(node.attributes.integer("biases", 0) != 0) {
    count_ = biased_ ? (node.n_inputs() - 1) / 2 : node.n_inputs() - 1;
    require(count_ >= 1 && (!biased_ || node.n_inputs() == 2 * count_ + 1), "MultiMatMul has ", node.n_inputs(),
            " inputs: expected x, weights", biased_ ? " and as many biases" : "");
    if (!all_constant(node, 1, 1 + count_)) return;
    for (int i = 0; i < count_; ++i) {
      Constant& w = *node.stored_constant(1 + i);
      const int64_t k = w.tensor().shape[0], n = w.tensor().shape[1];
      weights_.push_back({k, n, PreparedMatrices(float_pieces(w), 1, k, n, false)});
      node.release_constant(1 + i);
    }
  }

  void plan(PlanContext& ctx) const override {
    State state;
    const Shape& x = ctx.shape(0);
    state.together = !weights_.empty();
    for (int i = 0; i < count_; ++i) {
      const Shape& w = ctx.shape(1 + i);
      state.m = rows_of(x, w);
      state.k = w[0];
      const Shape y = output_shape(x, w[1]);
      if (has_bias(ctx, i))
        require(ctx.shape(1 + count_ + i) == Shape{w[1]}, "bias ", i, " has shape ", ctx.shape(1 + count_ + i),
                ", expected [", w[1], "]");
      ctx.output(i, DType::f32, y);
      const MatMulShapes shapes(x, w, false, false);
      const PreparedMatrices* prepared = weights_.empty() ? nullptr : &weights_[i].prepared;
      state.products.emplace_back(
          shapes.batched(false, prepared ? prepared->layout() : MatrixLayout::rows, prepared ? prepared->step() : -1),
          ctx.threads());
      state.cost_ns += state.products.back().cost_ns();
      state.scratch = std::max(state.scratch, state.products.back().scratch_floats());
      state.together = state.together && prepared->layout() == MatrixLayout::panels && y.size() > 0;
      state.first_columns.push_back(state.columns);
      if (y.size() > 0) state.columns += panels_of(w[1]) * simd::gemm_table().panel_columns;
    }
    if (state.together) {
      const auto& table = simd::gemm_table();
      const int chunks = static_cast<int>(std::clamp(state.cost_ns / 8000, 1.0, static_cast<double>(ctx.threads())));
      state.grid = Grid::split(state.m, state.columns, table.tile_rows, table.panel_columns, chunks);
    }
    if (state.scratch > 0) ctx.scratch(static_cast<size_t>(state.scratch) * sizeof(float));
    ctx.cost_ns(state.cost_ns);
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    const float* const x = ctx.input(0).as<float>();
    if (state.together) {
      ctx.parallel(state.grid.chunks(), [&](int chunk, int) { run_chunk(ctx, state, x, chunk); });
      return;
    }
    for (int i = 0; i < count_; ++i) {
      if (!ctx.wants(i)) continue;
      const float* w = weights_.empty() ? ctx.input(1 + i).as<float>() : weights_[i].prepared.data();
      state.products[i].run(ctx, x, w, ctx.output(i).as<float>(), {.bias = bias_of(ctx, i)}, ctx.scratch<float>());
    }
  }

 private:
  struct State {
    int64_t m = 0, k = 0, columns = 0;
    std::vector<int64_t> first_columns;  // of each matrix, with all of them side by side, each in whole panels
    std::vector<BatchedProduct> products;
    bool together = false;
    Grid grid;
    int64_t scratch = 0;
    double cost_ns = 0;
  };

  template <class Context>
  bool has_bias(const Context& ctx, int i) const {
    return biased_ && ctx.has_input(1 + count_ + i);
  }
  const float* bias_of(const RunContext& ctx, int i) const {
    return has_bias(ctx, i) ? ctx.input(1 + count_ + i).as<float>() : nullptr;
  }

  void run_chunk(const RunContext& ctx, const State& state, const float* x, int chunk) const {
    const auto& table = simd::gemm_table();
    const auto [m0, m1] = state.grid.row_range(chunk, state.m);
    const auto [c0, c1] = state.grid.column_range(chunk, state.columns);
    for (int i = 0; i < count_; ++i) {
      const int64_t begin = state.first_columns[i], end = i + 1 < count_ ? state.first_columns[i + 1] : state.columns;
      const int64_t first = std::max(c0, begin) - begin, last = std::min(c1, end) - begin;
      if (first >= last || m0 >= m1 || !ctx.wants(i)) continue;
      const int64_t n = weights_[i].n;
      const simd::GemmCall call{.m = state.m,
                                .n = n,
                                .k = state.k,
                                .a = x,
                                .lda = state.k,
                                .b = weights_[i].prepared.data(),
                                .ldb = 0,
                                .c = ctx.output(i).as<float>(),
                                .ldc = n,
                                .epilogue = {.bias = bias_of(ctx, i)}};
      table.multiply(call, m0, m1, first / table.panel_columns, last / table.panel_columns);
    }
  }

  const bool biased_;
  int count_ = 0;
  std::vector<Weights> weights_;
};

/// y = act(x Wgate) * (x Wup). x [..., K], Wgate and Wup [K, N] -> y [..., N].
class GatedMatMul : public Kernel {
 public:
  explicit GatedMatMul(const NodeSpec& node) : activation_(activation_of(node.attributes, "activation_")) {
    if (!all_constant(node, 1, 3)) return;
    const Shape& shape = node.stored_constant(1)->tensor().shape;
    if (node.stored_constant(2)->tensor().shape != shape) return;
    const auto& table = simd::gemm_table();
    const int64_t k = shape[0], n = shape[1], half = table.panel_columns / 2, panels = (n + half - 1) / half;
    packed_ = AlignedArray<float>(static_cast<size_t>(panels * table.panel_columns * k));
    const FloatPieces gate = float_pieces(*node.stored_constant(1)), up = float_pieces(*node.stored_constant(2));
    for_pieces(k, n, [&](int64_t row, int64_t rows) {
      const float *const gate_rows = gate(row * n, rows * n), *const up_rows = up(row * n, rows * n);
      for (int64_t panel = 0; panel < panels; ++panel)
        table.pack_gated(gate_rows + panel * half, up_rows + panel * half, n, 1, rows, std::min(half, n - panel * half),
                         0, 1, packed_.data() + (panel * k + row) * table.panel_columns);
    });
    is_packed_ = true;
    node.release_constant(1);
    node.release_constant(2);
  }

  void plan(PlanContext& ctx) const override {
    const auto& table = simd::gemm_table();
    const Shape &x = ctx.shape(0), &w = ctx.shape(1);
    State state{.m = rows_of(x, w), .n = w[1], .k = w[0]};
    require(ctx.shape(2) == w, "the gate has shape ", w, ", the other matrix ", ctx.shape(2));
    const Shape y = output_shape(x, w[1]);
    ctx.output(0, DType::f32, y);
    state.product =
        BatchedProduct(MatMulShapes(x, w, false, false).batched(false, MatrixLayout::rows, -1), ctx.threads());
    const double cost_ns = 2 * state.product.cost_ns();
    state.size = y.size();
    if (is_packed_) {
      const int chunks = static_cast<int>(std::clamp(cost_ns / 8000, 1.0, static_cast<double>(ctx.threads())));
      if (state.size > 0) state.grid = Grid::split(state.m, state.n, table.tile_rows, table.panel_columns / 2, chunks);
    } else {
      ctx.scratch(static_cast<size_t>(state.product.scratch_floats() + state.size) * sizeof(float));
    }
    ctx.cost_ns(cost_ns);
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    const float* const x = ctx.input(0).as<float>();
    float* const y = ctx.output(0).as<float>();
    if (state.size == 0) return;
    if (!is_packed_) return run_apart(ctx, state, x, y);
    const auto& table = simd::gemm_table();
    const int64_t half = table.panel_columns / 2;
    const simd::GemmCall call{.m = state.m,
                              .n = state.n,
                              .k = state.k,
                              .a = x,
                              .lda = state.k,
                              .b = packed_.data(),
                              .ldb = 0,
                              .c = y,
                              .ldc = state.n,
                              .epilogue = {.activation = activation_}};
    ctx.parallel(state.grid.chunks(), [&](int chunk, int) {
      const auto [m0, m1] = state.grid.row_range(chunk, state.m);
      const auto [n0, n1] = state.grid.column_range(chunk, state.n);
      if (m0 < m1 && n0 < n1) table.multiply_gated(call, m0, m1, n0 / half, (n1 + half - 1) / half);
    });
  }

 private:
  struct State {
    int64_t m = 0, n = 0, k = 0, size = 0;
    BatchedProduct product = {};
    Grid grid = {};
  };

  /// Both products apart, from the matrices as they are.
  void run_apart(const RunContext& ctx, const State& state, const float* x, float* y) const {
    float* const up = ctx.scratch<float>();
    float* const scratch = up + state.size;
    state.product.run(ctx, x, ctx.input(1).as<float>(), y, {.activation = activation_}, scratch);
    state.product.run(ctx, x, ctx.input(2).as<float>(), up, {}, scratch);
    for (int64_t i = 0; i < state.size; ++i) y[i] *= up[i];
  }

  const Activation activation_;
  bool is_packed_ = false;
  AlignedArray<float> packed_;
};

const Registration registration{
    {.op = "MultiMatMul", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<MultiMatMul>},
    {.op = "GatedMatMul", .domain = "ort.cpu", .inputs = {{DType::f32}}, .make = make_kernel<GatedMatMul>},
};

}  // namespace
}  // namespace ort_cpu
