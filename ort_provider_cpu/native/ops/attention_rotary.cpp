// RotaryEmbedding.
#include <algorithm>

#include "engine/registry.h"
#include "ops/gemm_operands.h"
#include "simd/attention.h"

namespace ort_cpu {
namespace {

/// Rotates pairs of the first R numbers of each head: y1 = x1 cos - x2 sin, y2 = x1 sin + x2 cos.
///
/// X [B, H, S, D] or [B, S, H * D]; cos and sin [P, R / 2] with position_ids [B, S], or [B, S, R / 2] -> Y of X's
/// shape.
class RotaryEmbedding : public Kernel {
 public:
  explicit RotaryEmbedding(const NodeSpec& node)
      : heads_(node.attributes.integer("num_heads", 0)),
        rotated_(node.attributes.integer("rotary_embedding_dim", 0)),
        interleaved_(node.attributes.integer("interleaved", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    const Shape &x = ctx.shape(0), &cosine = ctx.shape(1);
    require(x.rank() == 3 || x.rank() == 4, "X has shape ", x, ", expected rank 3 or 4");
    State state;
    state.is_merged = x.rank() == 3;
    state.batch = x[0];
    if (state.is_merged) {
      require(heads_ > 0 && x[2] % heads_ == 0, "X of shape ", x, " cannot be cut into num_heads = ", heads_, " heads");
      state.heads = heads_, state.rows = x[1], state.depth = x[2] / heads_;
    } else {
      state.heads = x[1], state.rows = x[2], state.depth = x[3];
    }
    const int64_t rotated = rotated_ == 0 ? state.depth : rotated_;
    require(rotated >= 0 && rotated <= state.depth && rotated % 2 == 0, "cannot rotate ", rotated, " of ", state.depth,
            " numbers of a head");
    state.half = rotated / 2;
    require(cosine == ctx.shape(2), "cos_cache has shape ", cosine, ", sin_cache ", ctx.shape(2));
    if (ctx.has_input(3)) {
      require(cosine.rank() == 2 && cosine[1] == state.half, "cos_cache has shape ", cosine, ", expected [positions, ",
              state.half, "]");
      require(ctx.shape(3) == Shape{state.batch, state.rows}, "position_ids has shape ", ctx.shape(3), ", expected [",
              state.batch, ", ", state.rows, "]");
    } else {
      require(cosine.rank() == 3 && (cosine[0] == state.batch || cosine[0] == 1) && cosine[1] == state.rows &&
                  cosine[2] == state.half,
              "cos_cache has shape ", cosine, ", expected [", state.batch, ", ", state.rows, ", ", state.half, "]");
      state.cache_batch = cosine[0] == 1 ? 0 : 1;
    }
    if (ctx.dtype(0) != DType::f32) ctx.scratch(static_cast<size_t>(4 * state.depth * ctx.threads()) * sizeof(float));
    ctx.output(0, ctx.dtype(0), x);
    ctx.state(state);
  }

  void run(RunContext& ctx) const override {
    const State& state = ctx.state<State>();
    const Tensor& out = ctx.output(0);
    if (out.size() == 0) return;
    if (ctx.has_input(3)) {
      const int64_t positions = ctx.input(1).shape[0];
      const int64_t* ids = ctx.input(3).as<int64_t>();
      for (int64_t i = 0; i < state.batch * state.rows; ++i)
        require(ids[i] >= 0 && ids[i] < positions, "position ", ids[i], " is out of range for caches of ", positions);
    }
    const int64_t total = state.batch * state.heads * state.rows;
    ctx.parallel(static_cast<int>(std::clamp<int64_t>(total * state.depth / 16384, 1, ctx.threads())), [&](int chunk,
                                                                                                           int chunks) {
      const int64_t first = total * chunk / chunks, last = total * (chunk + 1) / chunks;
      switch (out.dtype) {
        case DType::f32: return rotate_rows<float>(ctx, state, first, last, nullptr);
        case DType::f16:
          return rotate_rows<Half>(ctx, state, first, last, ctx.scratch<float>() + 4 * state.depth * chunk);
        default: return rotate_rows<BFloat16>(ctx, state, first, last, ctx.scratch<float>() + 4 * state.depth * chunk);
      }
    });
  }

 private:
  struct State {
    int64_t batch = 0, heads = 0, rows = 0, depth = 0, half = 0;
    int64_t cache_batch = 0;  // 0: the caches are the same for the whole batch
    bool is_merged = false;
  };

  /// Heads [first, last), counted as they lie in memory.
  template <class T>
  void rotate_rows(const RunContext& ctx, const State& s, int64_t first, int64_t last, float* scratch) const {
    const T* const x = ctx.input(0).as<T>();
    const T* const cosines = ctx.input(1).as<T>();
    const T* const sines = ctx.input(2).as<T>();
    const int64_t* const ids = ctx.has_input(3) ? ctx.input(3).as<int64_t>() : nullptr;
    T* const y = ctx.output(0).as<T>();
    for (int64_t i = first; i < last; ++i) {
      const int64_t batch = i / (s.heads * s.rows), row = s.is_merged ? i / s.heads % s.rows : i % s.rows;
      const int64_t place = ids != nullptr ? ids[batch * s.rows + row] : batch * s.cache_batch * s.rows + row;
      rotate_one(x + i * s.depth, cosines + place * s.half, sines + place * s.half, s, scratch, y + i * s.depth);
    }
  }

  template <class T>
  void rotate_one(const T* x, const T* cosine, const T* sine, const State& s, float* scratch, T* y) const {
    if constexpr (std::is_same_v<T, float>) {
      simd::attention_table().rotate(x, cosine, sine, s.half, interleaved_, y);
    } else {
      float *const from = scratch, *const c = from + 2 * s.half, *const sn = c + s.half;
      std::transform(x, x + 2 * s.half, from, [](T v) { return static_cast<float>(v); });
      std::transform(cosine, cosine + s.half, c, [](T v) { return static_cast<float>(v); });
      std::transform(sine, sine + s.half, sn, [](T v) { return static_cast<float>(v); });
      simd::attention_table().rotate(from, c, sn, s.half, interleaved_, from);
      std::transform(from, from + 2 * s.half, y, [](float v) { return T(v); });
    }
    std::copy(x + 2 * s.half, x + s.depth, y + 2 * s.half);
  }

  const int64_t heads_, rotated_;
  const bool interleaved_;
};

constexpr DTypeSet kRotaryTypes{DType::f32, DType::f16, DType::bf16};

const Registration registration{
    {.op = "RotaryEmbedding",
     .inputs = {kRotaryTypes, kRotaryTypes, kRotaryTypes, {DType::i64}},
     .make = make_kernel<RotaryEmbedding>},
};

}  // namespace
}  // namespace ort_cpu
