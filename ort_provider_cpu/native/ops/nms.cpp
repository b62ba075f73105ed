// NonMaxSuppression.
#include <limits>

#include "engine/registry.h"
#include "ops/topk_key.h"

namespace ort_cpu {
namespace {

struct Box {
  float y_min, x_min, y_max, x_max;
  float area() const { return (y_max - y_min) * (x_max - x_min); }
};

struct Limits {
  int64_t most = 0;  // boxes of one class
  float overlap = 0;
  float least = -std::numeric_limits<float>::infinity();
  bool has_least = false;
};

/// Boxes with their areas, each coordinate by itself so that a box is compared with several at once.
class BoxList {
 public:
  void push_back(const Box& box, float area) {
    const float row[]{box.y_min, box.x_min, box.y_max, box.x_max, area};
    for (size_t i = 0; i < 5; ++i) values_[i].push_back(row[i]);
  }
  size_t size() const { return values_[0].size(); }

  /// Whether a box of the list overlaps this one by more than `overlap` of their union.
  bool suppresses(const Box& box, float area, float overlap) const {
    constexpr size_t kBlock = 16;
    size_t i = 0;
    for (; i + kBlock <= size(); i += kBlock) {
      int found = 0;
      for (size_t k = i; k < i + kBlock; ++k) found |= overlaps(k, box, area, overlap);
      if (found != 0) return true;
    }
    for (; i < size(); ++i)
      if (overlaps(i, box, area, overlap)) return true;
    return false;
  }

 private:
  int overlaps(size_t i, const Box& box, float area, float overlap) const {
    const float y_min = values_[0][i], x_min = values_[1][i], y_max = values_[2][i], x_max = values_[3][i],
                own = values_[4][i];
    const float height = (y_max < box.y_max ? y_max : box.y_max) - (y_min > box.y_min ? y_min : box.y_min);
    const float width = (x_max < box.x_max ? x_max : box.x_max) - (x_min > box.x_min ? x_min : box.x_min);
    const float shared = height * width, joint = own + area - shared;
    return (height > 0) & (width > 0) & (shared > 0) & (own > 0) & (area > 0) & (joint > 0) &
           (shared / joint > overlap);
  }
  std::array<std::vector<float>, 5> values_;
};

/// The boxes chosen for one class, best first: repeatedly the best that overlaps none of those chosen too much.
std::vector<int64_t> select(const std::vector<Box>& boxes, const std::vector<float>& areas, const float* scores,
                            const Limits& limits) {
  std::vector<PackedEntry> heap;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (limits.has_least && !(scores[i] > limits.least)) continue;
    // NaN ranks below every number.
    heap.emplace_back(scores[i] == scores[i] ? order_key(scores[i]) : 0, static_cast<int64_t>(i));
  }
  std::make_heap(heap.begin(), heap.end());
  std::vector<int64_t> chosen;
  BoxList taken;
  while (!heap.empty() && static_cast<int64_t>(chosen.size()) < limits.most) {
    std::pop_heap(heap.begin(), heap.end());
    const size_t candidate = static_cast<size_t>(heap.back().index());
    heap.pop_back();
    if (taken.suppresses(boxes[candidate], areas[candidate], limits.overlap)) continue;
    chosen.push_back(static_cast<int64_t>(candidate));
    taken.push_back(boxes[candidate], areas[candidate]);
  }
  return chosen;
}

/// selected_indices [S, 3] int64 = (batch, class, box). boxes [B, N, 4], scores [B, C, N].
class NonMaxSuppression : public Kernel {
 public:
  explicit NonMaxSuppression(const NodeSpec& node) : is_centred_(node.attributes.integer("center_point_box", 0) != 0) {}

  void plan(PlanContext& ctx) const override {
    const Shape &boxes = ctx.shape(0), &scores = ctx.shape(1);
    require(boxes.rank() == 3 && boxes[2] == 4, "boxes must have the shape [B, N, 4], got ", boxes);
    require(scores.rank() == 3 && scores[0] == boxes[0] && scores[2] == boxes[1], "scores must have the shape [",
            boxes[0], ", C, ", boxes[1], "], got ", scores);
    for (int i = 2; i < 5; ++i)
      if (ctx.has_input(i))
        require(ctx.shape(i).size() <= 1, "input ", i, " must be a scalar, it has the shape ", ctx.shape(i));
    if (boxes[1] > int64_t{UINT32_MAX}) throw_not_implemented("more than 2^32 boxes");
    ctx.output_of_unknown_shape(0, DType::i64);
  }

  void run(RunContext& ctx) const override {
    const int64_t batches = ctx.input(0).shape[0], n = ctx.input(0).shape[1], classes = ctx.input(1).shape[1];
    const Limits limits = limits_of(ctx);
    std::vector<std::vector<int64_t>> chosen(static_cast<size_t>(batches * classes));
    for (int64_t b = 0; b < batches && limits.most > 0; ++b) {
      const std::vector<Box> boxes = boxes_of(ctx.input(0).as<const float>() + b * n * 4, n);
      std::vector<float> areas(boxes.size());
      for (size_t i = 0; i < boxes.size(); ++i) areas[i] = boxes[i].area();
      ctx.parallel_for(classes, 2048 / (n + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c)
          chosen[static_cast<size_t>(b * classes + c)] =
              select(boxes, areas, ctx.input(1).as<const float>() + (b * classes + c) * n, limits);
      });
    }
    int64_t count = 0;
    for (const auto& boxes : chosen) count += static_cast<int64_t>(boxes.size());
    int64_t* y = ctx.allocate(0, DType::i64, {count, 3}).as<int64_t>();
    for (size_t i = 0; i < chosen.size(); ++i)
      for (int64_t box : chosen[i]) {
        *y++ = static_cast<int64_t>(i) / classes;
        *y++ = static_cast<int64_t>(i) % classes;
        *y++ = box;
      }
  }

 private:
  static Limits limits_of(const RunContext& ctx) {
    const auto given = [&](int i) { return ctx.has_input(i) && ctx.input(i).size() == 1; };
    Limits limits;
    if (given(2)) limits.most = *ctx.input(2).as<const int64_t>();
    if (given(3)) limits.overlap = *ctx.input(3).as<const float>();
    if (given(4)) limits.least = *ctx.input(4).as<const float>(), limits.has_least = true;
    require(limits.overlap >= 0 && limits.overlap <= 1, "iou_threshold is ", limits.overlap,
            ", it must be from 0 to 1");
    return limits;
  }

  std::vector<Box> boxes_of(const float* p, int64_t n) const {
    std::vector<Box> boxes(static_cast<size_t>(n));
    for (Box& box : boxes) {
      if (is_centred_) {
        const float half_width = p[2] / 2, half_height = p[3] / 2;
        box = {p[1] - half_height, p[0] - half_width, p[1] + half_height, p[0] + half_width};
      } else {
        box = {std::min(p[0], p[2]), std::min(p[1], p[3]), std::max(p[0], p[2]), std::max(p[1], p[3])};
      }
      p += 4;
    }
    return boxes;
  }

  const bool is_centred_;
};

const Registration registration{{.op = "NonMaxSuppression",
                                 .inputs = {{DType::f32}, {DType::f32}, {DType::i64}, {DType::f32}},
                                 .make = make_kernel<NonMaxSuppression>}};

}  // namespace
}  // namespace ort_cpu
