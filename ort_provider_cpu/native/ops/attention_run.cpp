#include "ops/attention_run.h"

#include <algorithm>

namespace ort_cpu {

namespace {
/// Rows of a task, where heads are cut at all: fewer would spend their time on packing keys.
constexpr int64_t kFewestRows = 32;
constexpr double kTaskNs = 8000;
}  // namespace

HeadsTensor::HeadsTensor(const char* name, const Shape& shape, const std::string& layout, int64_t merged_heads) {
  Shape sizes = shape;
  if (layout == "bshd" && shape.rank() == 3) {
    require(merged_heads > 0 && shape[2] % merged_heads == 0, name, " of shape ", shape, " cannot be cut into ",
            merged_heads, " heads");
    sizes = {shape[0], shape[1], merged_heads, shape[2] / merged_heads};
  }
  require(sizes.rank() == 4, name, " has shape ", shape, ", expected rank 4 for the layout '", layout, "'");
  const bool rows_first = layout == "bshd";
  transposed = layout == "bhds";
  batch = sizes[0];
  heads = sizes[rows_first ? 2 : 1];
  rows = sizes[rows_first ? 1 : transposed ? 3 : 2];
  depth = sizes[transposed ? 2 : 3];
  if (sizes.size() == 0) return;
  strides = rows_first   ? HeadStrides::rows_first(heads, rows, depth)
            : transposed ? HeadStrides::heads_first(heads, depth, rows)
                         : HeadStrides::heads_first(heads, rows, depth);
}

AttentionPlan::AttentionPlan(const AttentionShapes& shapes, int threads) : shapes_(shapes) {
  const auto& s = shapes_;
  if (s.batch == 0 || s.q_heads == 0 || s.rows == 0 || s.value_depth == 0) return;
  require(s.kv_heads > 0 && s.q_heads % s.kv_heads == 0, s.q_heads, " heads of Q are not a multiple of ", s.kv_heads,
          " heads of K and V");
  const int64_t group = s.q_heads / s.kv_heads;
  const double flops = 2.0 * static_cast<double>(s.rows * s.q_heads) * static_cast<double>(s.keys * s.batch) *
                       static_cast<double>(s.depth + s.value_depth);
  const double bytes = 4.0 * static_cast<double>(s.batch * s.kv_heads) * static_cast<double>(s.keys) *
                       static_cast<double>(s.depth + s.value_depth);
  cost_ns_ = std::max(flops / 150, bytes / 30);
  const int most = static_cast<int>(std::clamp(cost_ns_ / kTaskNs, 1.0, static_cast<double>(threads)));
  grouped_ = s.rows == 1 && group > 1 && s.batch * s.kv_heads >= most;
  heads_ = grouped_ ? s.kv_heads : s.q_heads;
  const int64_t matrices = s.batch * heads_;
  if (most > 1 && matrices < 2 * most && !grouped_)
    row_blocks_ =
        std::clamp<int64_t>((2 * most + matrices - 1) / matrices, 1, std::max<int64_t>(s.rows / kFewestRows, 1));
  tasks_ = matrices * row_blocks_;
  chunks_ = static_cast<int>(std::min<int64_t>(most, tasks_));
  const int64_t rows = grouped_ ? group : (s.rows + row_blocks_ - 1) / row_blocks_;
  chunk_floats_ = simd::attention_table().scratch_floats(rows, s.keys, s.depth, s.value_depth);
}

void AttentionPlan::run_task(int64_t task, const AttentionOperands& operands, float* scratch) const {
  const auto& s = shapes_;
  const int64_t group = s.q_heads / s.kv_heads;
  const int64_t batch = task / (heads_ * row_blocks_), head = task / row_blocks_ % heads_, block = task % row_blocks_;
  const int64_t q_head = grouped_ ? head * group : head, kv_head = grouped_ ? head : head / group;
  const int64_t first = s.rows * block / row_blocks_, last = s.rows * (block + 1) / row_blocks_;
  simd::attention_table().attend({.rows = grouped_ ? group : last - first,
                                  .keys = s.keys,
                                  .depth = s.depth,
                                  .value_depth = s.value_depth,
                                  .q = operands.q + batch * s.q.batch + q_head * s.q.head + first * s.q.row,
                                  .q_stride = grouped_ ? s.q.head : s.q.row,
                                  .k = operands.k + batch * s.k.batch + kv_head * s.k.head,
                                  .k_stride = s.k.row,
                                  .k_transposed = s.k_transposed,
                                  .v = operands.v + batch * s.v.batch + kv_head * s.v.head,
                                  .v_stride = s.v.row,
                                  .out = operands.out + batch * s.out.batch + q_head * s.out.head + first * s.out.row,
                                  .out_stride = grouped_ ? s.out.head : s.out.row,
                                  .mask = operands.mask == nullptr ? nullptr
                                                                   : operands.mask + batch * s.mask_batch +
                                                                         q_head * s.mask_head + first * s.mask_row,
                                  .mask_row = grouped_ ? s.mask_head : s.mask_row,
                                  .mask_column = s.mask_key,
                                  .position = operands.positions[batch] + first,
                                  .position_step = grouped_ ? 0 : 1,
                                  .left = operands.left,
                                  .right = operands.right,
                                  .key_limit = operands.key_limits[batch],
                                  .scale = operands.scale,
                                  .softcap = operands.softcap},
                                 scratch);
}

void AttentionPlan::run(const RunContext& ctx, const AttentionOperands& operands, float* scratch) const {
  ctx.parallel(tasks_ > 0 ? chunks_ : 0, [&](int chunk, int chunks) {
    float* const own = scratch + chunk * chunk_floats_;
    const int64_t end = tasks_ * (chunk + 1) / chunks;
    for (int64_t task = tasks_ * chunk / chunks; task < end; ++task) run_task(task, operands, own);
  });
}

}  // namespace ort_cpu
