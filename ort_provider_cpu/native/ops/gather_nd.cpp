// GatherND.
#include "engine/registry.h"
#include "ops/gather_index.h"
#include "ops/transpose_copy.h"
#include "simd/transpose.h"

namespace ort_cpu {
namespace {

/// Y [B..., K..., inner...] = data[b, indices[b, k]], the last axis of `indices` being an index into data after the
/// `batch_dims` axes B that both have.
class GatherND : public Kernel {
 public:
  explicit GatherND(const NodeSpec& node) : batch_dims_(node.attributes.integer("batch_dims", 0)) {}

  void plan(PlanContext& ctx) const override {
    const Shape &data = ctx.shape(0), &indices = ctx.shape(1);
    require(data.rank() > 0 && indices.rank() > 0, "data and indices must have at least one dimension");
    require(batch_dims_ >= 0 && batch_dims_ < std::min(data.rank(), indices.rank()), "batch_dims ", batch_dims_,
            " is not below the ranks of data of the shape ", data, " and indices of the shape ", indices);
    const int batch_dims = static_cast<int>(batch_dims_);
    for (int i = 0; i < batch_dims; ++i)
      require(data[i] == indices[i], "data of the shape ", data, " and indices of the shape ", indices,
              " differ in their batch dimensions");
    const int64_t depth = indices.back();
    require(depth <= data.rank() - batch_dims, "indices of the shape ", indices,
            " name more axes than data of the shape ", data, " has");
    Shape out;
    for (int i = 0; i < indices.rank() - 1; ++i) out.push_back(indices[i]);
    for (int i = batch_dims + static_cast<int>(depth); i < data.rank(); ++i) out.push_back(data[i]);
    ctx.output(0, ctx.dtype(0), out);
    const int64_t batches = data.size_to(batch_dims);
    ctx.state(Walk{SliceAddress(data, batch_dims, depth), indices.size_to(indices.rank() - 1),
                   batches == 0 ? 1 : std::max<int64_t>(1, indices.product(batch_dims, indices.rank() - 1)),
                   data.size_from(batch_dims)});
  }

  void run(RunContext& ctx) const override {
    const Walk& walk = ctx.state<Walk>();
    const int64_t element = static_cast<int64_t>(size_of(ctx.input(0).dtype)), bytes = walk.slice.length * element;
    const int64_t* indices = ctx.input(1).as<const int64_t>();
    const char* data = ctx.input(0).as<const char>();
    char* y = ctx.output(0).as<char>();
    const auto& table = simd::movement_table();
    ctx.parallel_for(
        walk.tuples, std::max<int64_t>(1, kCopyGrainBytes / (bytes + 16)), [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const int64_t at =
                i / walk.tuples_per_batch * walk.batch_size + walk.slice.offset(indices + i * walk.slice.depth);
            table.copy_rows(data + at * element, 0, y + i * bytes, 0, 1, static_cast<size_t>(bytes));
          }
        });
  }

 private:
  struct Walk {
    SliceAddress slice;
    int64_t tuples, tuples_per_batch, batch_size;
  };
  const int64_t batch_dims_;
};

const Registration registration{
    {.op = "GatherND", .inputs = {kFixedSize, {DType::i64}}, .make = make_kernel<GatherND>}};

}  // namespace
}  // namespace ort_cpu
