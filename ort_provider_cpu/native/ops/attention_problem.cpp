#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/attention.h"

namespace ort_cpu {

namespace {

enum Input { kQ, kK, kV, kMask, kPastKey, kPastValue, kNonpad };
enum Output { kY, kPresentKey, kPresentValue, kScores };

int64_t window(int64_t size, const char* name) {
  require(size >= -1, name, " is ", size, ", expected -1 or more");
  return size == -1 ? kUnboundedWindow : std::min(size, kUnboundedWindow);
}

DType precision_of(int64_t value) {
  const auto type = static_cast<DType>(std::clamp<int64_t>(value, 0, static_cast<int64_t>(DType::bf16)));
  require(static_cast<int64_t>(type) == value && (value == 0 || kFloats.contains(type)), "softmax_precision ", value,
          " is no float type");
  return type;
}

}  // namespace

AttentionAttributes::AttentionAttributes(const Attributes& attributes)
    : q_heads(attributes.integer("q_num_heads", 0)),
      kv_heads(attributes.integer("kv_num_heads", 0)),
      softcap(attributes.real("softcap", 0)),
      causal(attributes.integer("is_causal", 0) != 0),
      left(window(attributes.integer("left_window_size", -1), "left_window_size")),
      right(window(attributes.integer("right_window_size", -1), "right_window_size")),
      qk_mode(attributes.integer("qk_matmul_output_mode", 0)),
      precision(precision_of(attributes.integer("softmax_precision", 0))) {
  if (attributes.has("scale")) scale = attributes.real("scale", 0);
  if (causal) right = 0;
  require(qk_mode >= 0 && qk_mode <= 3, "qk_matmul_output_mode is ", qk_mode, ", expected 0 to 3");
}

AttentionProblem::AttentionProblem(PlanContext& ctx, const AttentionAttributes& attributes) {
  const int rank = ctx.shape(kQ).rank();
  require((rank == 3 || rank == 4) && ctx.shape(kK).rank() == rank && ctx.shape(kV).rank() == rank,
          "Q, K and V have shapes ", ctx.shape(kQ), ", ", ctx.shape(kK), " and ", ctx.shape(kV),
          ", expected all of rank 3 or of rank 4");
  is_merged = rank == 3;
  const char* layout = is_merged ? "bshd" : "bhsd";
  const HeadsTensor q("Q", ctx.shape(kQ), layout, attributes.q_heads),
      k("K", ctx.shape(kK), layout, attributes.kv_heads), v("V", ctx.shape(kV), layout, attributes.kv_heads);
  require(q.batch == k.batch && q.batch == v.batch && k.heads == v.heads && k.rows == v.rows && q.depth == k.depth,
          "Q ", ctx.shape(kQ), ", K ", ctx.shape(kK), " and V ", ctx.shape(kV), " do not fit");
  new_keys = k.rows;
  const bool has_past = ctx.has_input(kPastKey);
  require(has_past == ctx.has_input(kPastValue), "past_key and past_value go together");
  if (has_past) {
    const Shape &pk = ctx.shape(kPastKey), &pv = ctx.shape(kPastValue);
    require(pk.rank() == 4 && pv.rank() == 4 && pk == Shape{q.batch, k.heads, pk[2], k.depth} &&
                pv == Shape{q.batch, k.heads, pk[2], v.depth},
            "past_key ", pk, " and past_value ", pv, " do not go with K ", ctx.shape(kK), " and V ", ctx.shape(kV));
    past_keys = pk[2];
  }
  int64_t keys = 0;
  require(!__builtin_add_overflow(past_keys, new_keys, &keys), "too many keys: ", past_keys, " and ", new_keys);
  has_nonpad = ctx.has_input(kNonpad);
  if (has_nonpad)
    require(!has_past && ctx.shape(kNonpad) == Shape{q.batch}, "nonpad_kv_seqlen of shape ", ctx.shape(kNonpad),
            has_past ? " does not go with past_key" : " does not fit the batch");

  const Shape y = is_merged ? Shape{q.batch, q.rows, q.heads * v.depth} : Shape{q.batch, q.heads, q.rows, v.depth};
  const Shape scores{q.batch, q.heads, q.rows, keys};
  ctx.output(kY, ctx.dtype(kQ), y);
  ctx.output(kPresentKey, ctx.dtype(kK), {q.batch, k.heads, keys, k.depth});
  ctx.output(kPresentValue, ctx.dtype(kV), {q.batch, k.heads, keys, v.depth});
  ctx.output(kScores, ctx.dtype(kQ), scores);

  shapes = {.batch = q.batch,
            .q_heads = q.heads,
            .kv_heads = k.heads,
            .rows = q.rows,
            .keys = keys,
            .depth = q.depth,
            .value_depth = v.depth,
            .q = q.strides,
            .k = k.strides,
            .v = v.strides,
            .out = {}};
  if (y.size() == 0 && scores.size() == 0) shapes.batch = 0;
  if (y.size() > 0)
    shapes.out = is_merged ? HeadStrides::rows_first(q.heads, q.rows, v.depth)
                           : HeadStrides::heads_first(q.heads, q.rows, v.depth);
  if (has_past && keys > 0 && q.depth > 0) shapes.k = HeadStrides::heads_first(k.heads, keys, q.depth);
  if (has_past && keys > 0 && v.depth > 0) shapes.v = HeadStrides::heads_first(k.heads, keys, v.depth);
  new_k = k.strides;
  new_v = v.strides;
  scale = attributes.scale.value_or(1 / std::sqrt(static_cast<float>(std::max<int64_t>(q.depth, 1))));
  mask_keys = keys;
  if (!ctx.has_input(kMask) || scores.size() == 0) return;
  const Shape& mask = ctx.shape(kMask);
  require(mask.rank() >= 1 && mask.rank() <= 4 && mask.back() <= keys, "the mask of shape ", mask,
          " does not fit scores of shape ", scores);
  Shape target = scores;
  target[3] = mask_keys = mask.back();
  require(target.size() == 0 || broadcast(mask, target) == target, "the mask of shape ", mask,
          " does not broadcast to ", target);
  mask_size = mask.size();
  const auto strides = broadcast_strides(mask, target);
  shapes.mask_batch = strides[0], shapes.mask_head = strides[1], shapes.mask_row = strides[2];
  shapes.mask_key = mask_keys > 1 ? 1 : 0;
}

void AttentionProblem::place(const RunContext& ctx, std::vector<int64_t>& positions,
                             std::vector<int64_t>& limits) const {
  positions.assign(static_cast<size_t>(shapes.batch), past_keys);
  limits.assign(static_cast<size_t>(shapes.batch), std::min(shapes.keys, mask_keys));
  if (!has_nonpad) return;
  const int64_t* lengths = ctx.input(kNonpad).as<int64_t>();
  for (int64_t i = 0; i < shapes.batch; ++i) {
    const int64_t length = std::clamp(lengths[i], -kUnboundedWindow, kUnboundedWindow);
    positions[i] = length - shapes.rows;
    limits[i] = std::clamp<int64_t>(length, 0, limits[i]);
  }
}

void AttentionProblem::write_present(const RunContext& ctx, int which, void* to) const {
  const Tensor& fresh = ctx.input(which == 0 ? kK : kV);
  const Tensor* past = past_keys > 0 ? &ctx.input(which == 0 ? kPastKey : kPastValue) : nullptr;
  const HeadStrides& from = which == 0 ? new_k : new_v;
  const int64_t depth = which == 0 ? shapes.depth : shapes.value_depth;
  const size_t element = size_of(fresh.dtype);
  const size_t row_bytes = static_cast<size_t>(depth) * element;
  if (shapes.keys == 0 || depth == 0) return;
  auto* const out = static_cast<std::byte*>(to);
  const int64_t grain = (1 << 18) / static_cast<int64_t>(row_bytes * static_cast<size_t>(shapes.keys)) + 1;
  ctx.parallel_for(fresh.shape[0] * shapes.kv_heads, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      std::byte* row = out + static_cast<size_t>(i * shapes.keys) * row_bytes;
      const size_t past_bytes = static_cast<size_t>(past_keys) * row_bytes;
      if (past != nullptr)
        std::memcpy(row, static_cast<const std::byte*>(past->data) + static_cast<size_t>(i) * past_bytes, past_bytes);
      row += past_bytes;
      const int64_t batch = i / shapes.kv_heads, head = i % shapes.kv_heads;
      const auto* source = static_cast<const std::byte*>(fresh.data) +
                           static_cast<size_t>(batch * from.batch + head * from.head) * element;
      const size_t step = static_cast<size_t>(from.row) * element;
      for (int64_t t = 0; t < new_keys; ++t)
        std::memcpy(row + static_cast<size_t>(t) * row_bytes, source + static_cast<size_t>(t) * step, row_bytes);
    }
  });
}

template <class C>
void mask_values(const Tensor& mask, C* out) {
  const int64_t size = mask.size();
  if (mask.dtype == DType::boolean) {
    const bool* from = mask.as<bool>();
    for (int64_t i = 0; i < size; ++i) out[i] = from[i] ? C{0} : -std::numeric_limits<C>::infinity();
    return;
  }
  dispatch_number(mask.dtype, [&]<class T>() {
    const T* from = mask.as<T>();
    for (int64_t i = 0; i < size; ++i) out[i] = static_cast<C>(static_cast<compute_t<T>>(from[i]));
  });
}

template void mask_values(const Tensor&, float*);
template void mask_values(const Tensor&, double*);

}  // namespace ort_cpu
