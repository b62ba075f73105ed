// Attention one row of scores after the other: float64, V of another type, the output of scores, and coarser precisions
// of Softmax.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/attention.h"

namespace ort_cpu {
namespace {

/// Rounds to `precision` and back; none leaves the value alone.
template <class C>
C round_to(DType precision, C x) {
  switch (precision) {
    case DType::f16: return static_cast<C>(static_cast<float>(Half(static_cast<float>(x))));
    case DType::bf16: return static_cast<C>(static_cast<float>(BFloat16(static_cast<float>(x))));
    case DType::f32: return static_cast<C>(static_cast<float>(x));
    default: return x;
  }
}

/// As `Attention`, with qk_matmul_output [B, H, S, T] and softmax_precision.
class ExactAttention : public Kernel {
 public:
  explicit ExactAttention(const NodeSpec& node) : attributes_(node.attributes) {}

  void plan(PlanContext& ctx) const override {
    const AttentionProblem problem(ctx, attributes_);
    const AttentionShapes& s = problem.shapes;
    const size_t element = ctx.dtype(0) == DType::f64 ? sizeof(double) : sizeof(float);
    const auto size = [](int64_t count, size_t bytes) { return (static_cast<size_t>(count) * bytes + 63) / 64 * 64; };
    require(s.batch == 0 || s.q_heads == 0 || (s.kv_heads > 0 && s.q_heads % s.kv_heads == 0), s.q_heads,
            " heads of Q are not a multiple of ", s.kv_heads, " heads of K and V");
    State state{problem};
    size_t bytes = 0;
    if (s.batch > 0) {
      state.mask_at = bytes;
      bytes += size(problem.mask_size, element);
      state.present_at[0] = bytes;
      if (ctx.has_input(4) && !ctx.wants(1))
        bytes += size(s.batch * s.kv_heads * s.keys * s.depth, size_of(ctx.dtype(1)));
      state.present_at[1] = bytes;
      if (ctx.has_input(4) && !ctx.wants(2))
        bytes += size(s.batch * s.kv_heads * s.keys * s.value_depth, size_of(ctx.dtype(2)));
      state.rows_at = bytes;
      state.row_bytes = size(2 * s.keys + s.value_depth, element);
      bytes += state.row_bytes * static_cast<size_t>(ctx.threads());
      ctx.scratch(bytes);
    }
    ctx.state(std::move(state));
  }

  void run(RunContext& ctx) const override {
    dispatch_float(ctx.input(0).dtype,
                   [&]<class T>() { dispatch_float(ctx.input(2).dtype, [&]<class V>() { run_typed<T, V>(ctx); }); });
  }

 private:
  struct State {
    AttentionProblem problem;
    size_t mask_at = 0, present_at[2] = {0, 0}, rows_at = 0, row_bytes = 0;
  };

  /// The keys (`which` 0) or values (1) to read.
  template <class T>
  static const T* join(const RunContext& ctx, const State& state, int which) {
    const bool has_past = ctx.has_input(4), wanted = ctx.wants(1 + which);
    if (!wanted && (!has_past || state.problem.shapes.batch == 0)) return ctx.input(1 + which).as<T>();
    void* const to = wanted ? ctx.output(1 + which).data : ctx.scratch<std::byte>() + state.present_at[which];
    state.problem.write_present(ctx, which, to);
    return has_past ? static_cast<const T*>(to) : ctx.input(1 + which).as<T>();
  }

  template <class T, class V>
  void run_typed(const RunContext& ctx) const {
    using C = compute_t<T>;
    const State& state = ctx.state<State>();
    const AttentionShapes& s = state.problem.shapes;
    std::vector<int64_t> positions, limits;
    state.problem.place(ctx, positions, limits);
    const T* const k = join<T>(ctx, state, 0);
    const V* const v = join<V>(ctx, state, 1);
    if (s.batch == 0) return;
    std::byte* const scratch = ctx.scratch<std::byte>();
    C* const mask = state.problem.mask_size > 0 ? reinterpret_cast<C*>(scratch + state.mask_at) : nullptr;
    if (mask != nullptr) mask_values(ctx.input(3), mask);
    const int64_t total = s.batch * s.q_heads * s.rows;
    ctx.parallel(static_cast<int>(std::min<int64_t>(total, ctx.threads())), [&](int chunk, int chunks) {
      C* const scores = reinterpret_cast<C*>(scratch + state.rows_at + state.row_bytes * static_cast<size_t>(chunk));
      for (int64_t i = total * chunk / chunks; i < total * (chunk + 1) / chunks; ++i)
        run_row<T, V, C>(ctx, state.problem, i, k, v, mask, positions, limits, scores);
    });
  }

  template <class T, class V, class C>
  void run_row(const RunContext& ctx, const AttentionProblem& problem, int64_t index, const T* k, const V* v,
               const C* mask, const std::vector<int64_t>& positions, const std::vector<int64_t>& limits,
               C* scores) const {
    constexpr C kMinusInfinity = -std::numeric_limits<C>::infinity();
    const AttentionShapes& s = problem.shapes;
    const int64_t row = index % s.rows, head = index / s.rows % s.q_heads, batch = index / s.rows / s.q_heads;
    const int64_t kv_head = head / (s.q_heads / s.kv_heads);
    const T* const q = ctx.input(0).as<T>() + batch * s.q.batch + head * s.q.head + row * s.q.row;
    k += batch * s.k.batch + kv_head * s.k.head;
    v += batch * s.v.batch + kv_head * s.v.head;
    T* const shown = ctx.wants(3) ? ctx.output(3).as<T>() + index * s.keys : nullptr;
    const auto show = [&](int64_t mode, int64_t t, C x) {
      if (shown != nullptr && attributes_.qk_mode == mode) shown[t] = static_cast<T>(x);
    };
    const int64_t position = positions[batch] + row;
    C* const bias = scores + s.keys;
    C largest = kMinusInfinity;
    bool sees_any = false;
    for (int64_t t = 0; t < s.keys; ++t) {
      C x = 0;
      for (int64_t d = 0; d < s.depth; ++d) x += static_cast<C>(q[d]) * static_cast<C>(k[t * s.k.row + d]);
      x *= static_cast<C>(problem.scale);
      show(0, t, x);
      if (attributes_.softcap > 0)
        x = static_cast<C>(attributes_.softcap) * std::tanh(x / static_cast<C>(attributes_.softcap));
      show(1, t, x);
      const bool seen = t >= position - attributes_.left && t <= position + attributes_.right && t < limits[batch];
      bias[t] = !seen             ? kMinusInfinity
                : mask == nullptr ? C{0}
                                  : mask[batch * s.mask_batch + head * s.mask_head + row * s.mask_row + t * s.mask_key];
      sees_any |= bias[t] != kMinusInfinity;
      x = round_to(attributes_.precision, x + bias[t]);
      show(2, t, x);
      scores[t] = x;
      largest = std::max(largest, x);
    }
    if (largest == kMinusInfinity) largest = 0;
    C sum = 0;
    for (int64_t t = 0; t < s.keys; ++t) {
      scores[t] = sees_any ? round_to(attributes_.precision, std::exp(scores[t] - largest)) : C{0};
      sum += scores[t];
    }
    if (sum == 0) sum = 1;
    C* const y = bias + s.keys;
    std::fill_n(y, s.value_depth, C{0});
    for (int64_t t = 0; t < s.keys; ++t) {
      const C weight = round_to(attributes_.precision, scores[t] / sum);
      show(3, t, weight);
      for (int64_t d = 0; d < s.value_depth; ++d)
        y[d] += static_cast<C>(static_cast<T>(weight)) * static_cast<C>(v[t * s.v.row + d]);
    }
    if (!ctx.wants(0)) return;
    T* const out = ctx.output(0).as<T>() + batch * s.out.batch + head * s.out.head + row * s.out.row;
    for (int64_t d = 0; d < s.value_depth; ++d) out[d] = static_cast<T>(y[d]);
  }

  const AttentionAttributes attributes_;
};

}  // namespace

std::unique_ptr<Kernel> make_exact_attention(const NodeSpec& node) { return std::make_unique<ExactAttention>(node); }

}  // namespace ort_cpu
