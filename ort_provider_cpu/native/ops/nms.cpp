// NonMaxSuppression.
#include <limits>

#include "engine/registry.h"

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

bool suppresses(const Box& a, const Box& b, float area_a, float area_b, float overlap) {
  const float height = std::min(a.y_max, b.y_max) - std::max(a.y_min, b.y_min);
  const float width = std::min(a.x_max, b.x_max) - std::max(a.x_min, b.x_min);
  if (!(height > 0 && width > 0)) return false;
  const float shared = height * width, joint = area_a + area_b - shared;
  return shared > 0 && area_a > 0 && area_b > 0 && joint > 0 && shared / joint > overlap;
}

/// The boxes chosen for one class, best first: repeatedly the best that overlaps none of those chosen too much.
std::vector<int64_t> select(const std::vector<Box>& boxes, const std::vector<float>& areas, const float* scores,
                            const Limits& limits) {
  std::vector<int64_t> heap, chosen;
  for (size_t i = 0; i < boxes.size(); ++i)
    if (!limits.has_least || scores[i] > limits.least) heap.push_back(static_cast<int64_t>(i));
  // NaN ranks below every number.
  const auto worse = [scores](int64_t a, int64_t b) {
    const bool a_is_nan = scores[a] != scores[a], b_is_nan = scores[b] != scores[b];
    if (a_is_nan != b_is_nan) return a_is_nan;
    if (!a_is_nan && scores[a] != scores[b]) return scores[a] < scores[b];
    return a > b;
  };
  std::make_heap(heap.begin(), heap.end(), worse);
  while (!heap.empty() && static_cast<int64_t>(chosen.size()) < limits.most) {
    std::pop_heap(heap.begin(), heap.end(), worse);
    const size_t candidate = static_cast<size_t>(heap.back());
    heap.pop_back();
    const bool is_free = std::none_of(chosen.begin(), chosen.end(), [&](int64_t other) {
      const size_t i = static_cast<size_t>(other);
      return suppresses(boxes[i], boxes[candidate], areas[i], areas[candidate], limits.overlap);
    });
    if (is_free) chosen.push_back(static_cast<int64_t>(candidate));
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
    require(scores.rank() == 3 && scores[0] == boxes[0] && scores[2] == boxes[1], "scores must have the shape [", boxes[0],
            ", C, ", boxes[1], "], got ", scores);
    for (int i = 2; i < 5; ++i)
      require(!ctx.has_input(i) || ctx.shape(i).size() <= 1, "input ", i, " must be a scalar, it has the shape ", ctx.shape(i));
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
    require(limits.overlap >= 0 && limits.overlap <= 1, "iou_threshold is ", limits.overlap, ", it must be from 0 to 1");
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

const Registration registration{
    {.op = "NonMaxSuppression",
     .inputs = {{DType::f32}, {DType::f32}, {DType::i64}, {DType::f32}},
     .make = make_kernel<NonMaxSuppression>}};

}  // namespace
}  // namespace ort_cpu
