// BlockedDepthToSpace: channels of blocked tensors as adjacent pixels.
#include <array>
#include <cstring>

#include "engine/registry.h"
#include "ops/conv_geometry.h"

namespace ort_cpu {
namespace {

using Dims = ConvGeometry::Dims;

/// y[n, b, p] = x[n, r * B + b, q] where q * blocks + r = p + begins in each dimension, r counted with the last
/// dimension fastest. x [N, product(blocks) * B, spatial..., 16] -> y [N, B, blocks * spatial - begins - ends..., 16].
class BlockedDepthToSpace : public Kernel {
 public:
  explicit BlockedDepthToSpace(const NodeSpec& node) {
    const auto blocks = node.attributes.integers("blocks");
    require(!blocks.empty() && blocks.size() <= 3, "blocks has ", blocks.size(), " elements, 1 to 3 are needed");
    rank_ = static_cast<int>(blocks.size());
    const auto begins = spatial_list("begins", node.attributes.integers("begins"), rank_, 0, 0);
    const auto ends = spatial_list("ends", node.attributes.integers("ends"), rank_, 0, 0);
    for (int i = 0; i < rank_; ++i) {
      const int d = 3 - rank_ + i;
      require(blocks[i] >= 1 && blocks[i] <= 1 << 16, "blocks holds ", blocks[i]);
      block_[d] = blocks[i];
      begin_[d] = begins[i];
      end_[d] = ends[i];
    }
    phases_ = checked_multiply(checked_multiply(block_[0], block_[1]), block_[2]);
  }

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    require(x.rank() == rank_ + 3 && x.back() == 16, "the input has shape ", x, ", [N, blocks, ", rank_,
            " dimensions, 16] is needed");
    require(x[1] % phases_ == 0, "the ", x[1], " blocks of channels are no multiple of ", phases_);
    Shape out{x[0], x[1] / phases_};
    for (int d = 3 - rank_; d < 3; ++d) {
      const int64_t full = checked_multiply(x[d - 1 + rank_], block_[d]);
      require(begin_[d] <= full && end_[d] <= full - begin_[d], "begins and ends exceed the ", full,
              " pixels of a dimension");
      out.push_back(full - begin_[d] - end_[d]);
    }
    out.push_back(16);
    ctx.output(0, DType::f32, out);
  }

  void run(RunContext& ctx) const override {
    const Shape &x = ctx.input(0).shape, &y = ctx.output(0).shape;
    if (y.size() == 0) return;
    Dims in{1, 1, 1}, out{1, 1, 1};
    for (int d = 3 - rank_; d < 3; ++d) {
      in[d] = x[d - 1 + rank_];
      out[d] = y[d - 1 + rank_];
    }
    const float* from = ctx.input(0).as<float>();
    float* to = ctx.output(0).as<float>();
    const int64_t blocks = y[1], plane = in[0] * in[1] * in[2] * 16;
    const int64_t rows = y[0] * blocks * out[0] * out[1];
    ctx.parallel_for(rows, std::max<int64_t>(1, 2048 / out[2]), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t h = row % out[1] + begin_[1], d = row / out[1] % out[0] + begin_[0];
        const int64_t b = row / (out[1] * out[0]) % blocks, n = row / (out[1] * out[0] * blocks);
        const int64_t first_phase = (d % block_[0] * block_[1] + h % block_[1]) * block_[2];
        const float* image = from + n * phases_ * blocks * plane + (d / block_[0] * in[1] + h / block_[1]) * in[2] * 16;
        for (int64_t r = 0; r < block_[2]; ++r) {
          const int64_t first = (begin_[2] - r + block_[2] - 1) / block_[2];
          const float* pixel = image + ((first_phase + r) * blocks + b) * plane + first * 16;
          for (int64_t w = first * block_[2] + r - begin_[2]; w < out[2]; w += block_[2], pixel += 16)
            std::memcpy(to + (row * out[2] + w) * 16, pixel, 64);
        }
      }
    });
  }

 private:
  int rank_ = 0;
  Dims block_{1, 1, 1}, begin_{0, 0, 0}, end_{0, 0, 0};
  int64_t phases_ = 1;
};

const Registration registration{
    {.op = "BlockedDepthToSpace",
     .domain = "ort.cpu",
     .inputs = {{DType::f32}},
     .make = make_kernel<BlockedDepthToSpace>},
};

}  // namespace
}  // namespace ort_cpu
