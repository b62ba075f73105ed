// ScatterElements, ScatterND.
#include "engine/registry.h"
#include "ops/gather_index.h"
#include "ops/scatter_reduce.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Copies data to the output, unless that has taken its place.
void copy_data(const RunContext& ctx) {
  const Tensor &data = ctx.input(0), &y = ctx.output(0);
  if (data.data != y.data) copy_bytes(ctx, data.data, y.data, data.size_bytes());
}

/// Lets the output take the place of data, unless that is also read as indices or updates.
void allow_overwrite(PlanContext& ctx) {
  if (&ctx.shape(0) != &ctx.shape(1) && &ctx.shape(0) != &ctx.shape(2)) ctx.may_overwrite(0, 0);
}

constexpr int64_t kScatterGrain = 8192;

/// Y = data, but Y[indices[i, j, k], j, k] R= updates[i, j, k] for axis 0, likewise for others, R being the reduction.
class ScatterElements : public Kernel {
 public:
  explicit ScatterElements(const NodeSpec& node)
      : axis_(node.attributes.integer("axis", 0)),
        reduction_(parse_reduction(node.attributes.text("reduction", "none"))) {}

  void plan(PlanContext& ctx) const override {
    require(ctx.shape(2) == ctx.shape(1), "updates have the shape ", ctx.shape(2), ", indices ", ctx.shape(1));
    ctx.output(0, ctx.dtype(0), ctx.shape(0));
    allow_overwrite(ctx);
    ctx.state(ElementRows(ctx.shape(0), ctx.shape(1), axis_));
  }

  void run(RunContext& ctx) const override {
    copy_data(ctx);
    const auto& rows = ctx.state<ElementRows>();
    if (rows.count == 0 || rows.length == 0) return;
    // Threads share no target: they get separate leading coordinates, or separate columns where the axis is the first.
    const int64_t units = rows.shape.size_to(rows.axis), rows_per_unit = rows.count / std::max<int64_t>(1, units);
    dispatch_reduction(reduction_, ctx.input(0).dtype, [&]<Reduction R, class T>() {
      if (rows.axis == rows.shape.rank() - 1) {
        ctx.parallel_for(rows.count, kScatterGrain / rows.length + 1,
                         [&](int64_t begin, int64_t end) { scatter<R, T>(ctx, rows, begin, end, 0, rows.length); });
      } else if (units > 1) {
        ctx.parallel_for(units, kScatterGrain / (rows_per_unit * rows.length) + 1, [&](int64_t begin, int64_t end) {
          scatter<R, T>(ctx, rows, begin * rows_per_unit, end * rows_per_unit, 0, rows.length);
        });
      } else {
        ctx.parallel_for(rows.length, kScatterGrain / rows.count + 1,
                         [&](int64_t begin, int64_t end) { scatter<R, T>(ctx, rows, 0, rows.count, begin, end); });
      }
    });
  }

 private:
  template <Reduction R, class T>
  static void scatter(const RunContext& ctx, const ElementRows& rows, int64_t first_row, int64_t last_row,
                      int64_t begin, int64_t end) {
    const IndexReader indices(ctx.input(1));
    const T* updates = ctx.input(2).as<const T>();
    T* y = ctx.output(0).as<T>();
    for (int64_t row = first_row; row < last_row; ++row) {
      T* base = y + rows.offset(row);
      for (int64_t i = begin, at = row * rows.length + begin; i < end; ++i, ++at) {
        T& target = base[i * rows.step + checked_index(indices[at], rows.size) * rows.stride];
        target = reduced<R>(target, updates[at]);
      }
    }
  }

  const int64_t axis_;
  const Reduction reduction_;
};

/// Y = data, but the slice Y[indices[i]] R= updates[i], the last axis of `indices` being an index into data.
class ScatterND : public Kernel {
 public:
  explicit ScatterND(const NodeSpec& node) : reduction_(parse_reduction(node.attributes.text("reduction", "none"))) {}

  void plan(PlanContext& ctx) const override {
    const Shape &data = ctx.shape(0), &indices = ctx.shape(1);
    require(data.rank() > 0 && indices.rank() > 0, "data and indices must have at least one dimension");
    require(indices.back() <= data.rank(), "indices of the shape ", indices, " name more axes than data of the shape ",
            data, " has");
    Shape expected;
    for (int i = 0; i < indices.rank() - 1; ++i) expected.push_back(indices[i]);
    for (int i = static_cast<int>(indices.back()); i < data.rank(); ++i) expected.push_back(data[i]);
    require(ctx.shape(2) == expected, "updates have the shape ", ctx.shape(2), ", expected ", expected);
    ctx.output(0, ctx.dtype(0), data);
    allow_overwrite(ctx);
    ctx.state(SliceAddress(data, 0, indices.back()));
  }

  void run(RunContext& ctx) const override {
    copy_data(ctx);
    const auto& slice = ctx.state<SliceAddress>();
    const int64_t tuples = ctx.input(1).shape.size_to(ctx.input(1).shape.rank() - 1);
    const int64_t* indices = ctx.input(1).as<const int64_t>();
    dispatch_reduction(reduction_, ctx.input(0).dtype, [&]<Reduction R, class T>() {
      const T* updates = ctx.input(2).as<const T>();
      T* y = ctx.output(0).as<T>();
      // Every thread writes its own columns of all slices, in order: a later slice may be the same as an earlier one.
      ctx.parallel_for(slice.length, kScatterGrain / (tuples + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < tuples; ++i) {
          T* target = y + slice.offset(indices + i * slice.depth);
          const T* source = updates + i * slice.length;
          for (int64_t k = begin; k < end; ++k) target[k] = reduced<R>(target[k], source[k]);
        }
      });
    });
  }

 private:
  const Reduction reduction_;
};

std::optional<std::string> declined(const NodeSpec& node) {
  return decline_reduction(node.dtype(0), node.attributes.text("reduction", "none"));
}

const Registration registration{
    {.op = "ScatterElements",
     .inputs = {kFixedSize, kIndices, kFixedSize},
     .make = make_kernel<ScatterElements>,
     .declines = declined},
    {.op = "ScatterND",
     .inputs = {kFixedSize, {DType::i64}, kFixedSize},
     .make = make_kernel<ScatterND>,
     .declines = declined},
};

}  // namespace
}  // namespace ort_cpu
