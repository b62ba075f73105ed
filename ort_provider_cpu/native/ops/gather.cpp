// Gather.
#include <cstring>

#include "engine/registry.h"
#include "ops/gather_index.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Asks for the start of a row that is needed soon: rows of large tables come from memory, in no order.
void prefetch_row(const char* base, int64_t index, int64_t size, size_t bytes) {
  const int64_t position = index < 0 ? index + size : index;
  if (static_cast<uint64_t>(position) >= static_cast<uint64_t>(size)) return;
  const char* row = base + position * static_cast<int64_t>(bytes);
  for (size_t i = 0; i < bytes && i < 1024; i += 64) __builtin_prefetch(row + i);
}

/// Y [outer, K, inner] = X [outer, D, inner] at indices [K] of the middle axis, which is `axis`.
class Gather : public Kernel {
 public:
  explicit Gather(const NodeSpec& node) : axis_(node.attributes.integer("axis", 0)) {}

  void plan(PlanContext& ctx) const override {
    const Shape &shape = ctx.shape(0), &indices = ctx.shape(1);
    const int axis = normalize_axis(axis_, shape.rank());
    Shape out;
    for (int i = 0; i < axis; ++i) out.push_back(shape[i]);
    for (int64_t dim : indices) out.push_back(dim);
    for (int i = axis + 1; i < shape.rank(); ++i) out.push_back(shape[i]);
    if (indices.size() == 1 && ctx.has_value(1) && shape.size_to(axis) == 1) {
      const int64_t index = checked_index(IndexReader(ctx.value(1))[0], shape[axis]);
      const size_t bytes = static_cast<size_t>(shape.size_from(axis + 1)) * size_of(ctx.dtype(0));
      ctx.alias(0, 0, out, static_cast<size_t>(index) * bytes);
      return;
    }
    ctx.output(0, ctx.dtype(0), out);
  }

  void run(RunContext& ctx) const override {
    const Tensor &x = ctx.input(0), &y = ctx.output(0);
    const IndexReader indices(ctx.input(1));
    const int axis = normalize_axis(axis_, x.shape.rank());
    const int64_t size = x.shape[axis], count = ctx.input(1).size(), outer = x.shape.size_to(axis);
    const size_t bytes = static_cast<size_t>(x.shape.size_from(axis + 1)) * size_of(x.dtype);
    const char* from = x.as<const char>();
    char* to = y.as<char>();
    if (outer * count == 1) {
      // The plan may have made the output a view of the input.
      from += checked_index(indices[0], size) * static_cast<int64_t>(bytes);
      if (from != to) copy_bytes(ctx, from, to, bytes);
      return;
    }
    const auto gather = [&](int64_t begin, int64_t end, auto&& copy) {
      for (int64_t i = begin; i < end;) {
        const int64_t row = i / count, last = std::min(end, (row + 1) * count);
        const char* base = from + row * size * static_cast<int64_t>(bytes);
        for (int64_t k = i - row * count; i < last; ++i, ++k) {
          if (bytes >= 256 && i + 1 < last) prefetch_row(base, indices[k + 1], size, bytes);
          copy(base + checked_index(indices[k], size) * static_cast<int64_t>(bytes),
               to + i * static_cast<int64_t>(bytes));
        }
      }
    };
    const int64_t grain = std::max<int64_t>(1, kCopyGrainBytes / static_cast<int64_t>(bytes + 16));
    ctx.parallel_for(outer * count, grain, [&](int64_t begin, int64_t end) {
      switch (bytes) {
        case 1: return gather(begin, end, [](const char* a, char* b) { std::memcpy(b, a, 1); });
        case 2: return gather(begin, end, [](const char* a, char* b) { std::memcpy(b, a, 2); });
        case 4: return gather(begin, end, [](const char* a, char* b) { std::memcpy(b, a, 4); });
        case 8: return gather(begin, end, [](const char* a, char* b) { std::memcpy(b, a, 8); });
        case 16: return gather(begin, end, [](const char* a, char* b) { std::memcpy(b, a, 16); });
        default: return gather(begin, end, [bytes](const char* a, char* b) { std::memcpy(b, a, bytes); });
      }
    });
  }

 private:
  const int64_t axis_;
};

const Registration registration{{.op = "Gather", .inputs = {kFixedSize, kIndices}, .make = make_kernel<Gather>}};

}  // namespace
}  // namespace ort_cpu
