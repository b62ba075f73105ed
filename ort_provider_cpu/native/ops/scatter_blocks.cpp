// Col2Im.
#include <cstring>

#include "engine/registry.h"

namespace ort_cpu {
namespace {

/// What an image, its blocks and their positions look like along each spatial axis.
struct Grid {
  int rank = 0;
  int64_t channels = 0, planes = 0;  // planes = batch * channels
  int64_t taps = 1, positions = 1, pixels = 1;
  std::array<int64_t, kMaxRank> image{}, block{}, count{}, stride{}, dilation{}, pad{};
};

/// Y [N, C, image...] = the sum of the blocks X [N, C * prod(block), L] put back where they were taken.
class Col2Im : public Kernel {
 public:
  explicit Col2Im(const NodeSpec& node)
      : strides_(node.attributes.integers("strides")),
        dilations_(node.attributes.integers("dilations")),
        pads_(node.attributes.integers("pads")) {}

  void plan(PlanContext& ctx) const override {
    const Shape& x = ctx.shape(0);
    const std::vector<int64_t> image = to_int64(ctx.value(1)), block = to_int64(ctx.value(2));
    require(x.rank() == 3, "the input must have the shape [N, C * prod(block), L], got ", x);
    require(image.size() == block.size() && !image.empty(), "image_shape has ", image.size(),
            " values, block_shape has ", block.size());
    require(image.size() + 2 <= kMaxRank, "images of ", image.size(), " dimensions are not supported");
    Grid grid;
    grid.rank = static_cast<int>(image.size());
    Shape blocks = Shape::filled(grid.rank, 1), counts = blocks, out{x[0], 0};
    for (int i = 0; i < grid.rank; ++i) {
      fill_axis(grid, i, image[static_cast<size_t>(i)], block[static_cast<size_t>(i)]);
      blocks[i] = grid.block[i];
      counts[i] = grid.count[i];
      out.push_back(grid.image[i]);
    }
    grid.taps = blocks.size();
    grid.positions = counts.size();
    grid.pixels = out.size_from(2);
    require(x[1] % grid.taps == 0, "the ", x[1], " rows of the input are no multiple of blocks of ", blocks);
    require(x[2] == grid.positions, "the input has ", x[2], " blocks, the image has ", counts);
    grid.channels = x[1] / grid.taps;
    grid.planes = x[0] * grid.channels;
    out[1] = grid.channels;
    ctx.output(0, ctx.dtype(0), out);
    ctx.state(grid);
  }

  void run(RunContext& ctx) const override {
    const Grid& grid = ctx.state<Grid>();
    const Tensor& y = ctx.output(0);
    if (y.size() == 0) return;
    std::memset(y.data, 0, y.size_bytes());
    if (grid.positions == 0) return;
    dispatch_number(y.dtype, [&]<class T>() {
      const T* x = ctx.input(0).as<const T>();
      ctx.parallel_for(grid.planes, 16384 / (grid.taps * grid.positions) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane)
          add_plane(grid, x + plane * grid.taps * grid.positions, y.as<T>() + plane * grid.pixels);
      });
    });
  }

 private:
  static int64_t value_at(const std::vector<int64_t>& values, size_t i, int64_t fallback) {
    if (values.empty()) return fallback;
    require(i < values.size(), "an attribute has too few values");
    return values[i];
  }

  void fill_axis(Grid& grid, int i, int64_t image, int64_t block) const {
    constexpr int64_t kMost = int64_t{1} << 40;
    const size_t axis = static_cast<size_t>(i);
    grid.image[i] = image;
    grid.block[i] = block;
    grid.stride[i] = value_at(strides_, axis, 1);
    grid.dilation[i] = value_at(dilations_, axis, 1);
    grid.pad[i] = value_at(pads_, axis, 0);
    const int64_t pad_end = value_at(pads_, axis + static_cast<size_t>(grid.rank), 0);
    const auto within = [](int64_t value, int64_t least) { return value >= least && value < kMost; };
    require(within(image, 0) && within(block, 1), "axis ", i, " has an image of ", image, " and a block of ", block);
    require(within(grid.stride[i], 1) && within(grid.dilation[i], 1), "axis ", i, " has stride ", grid.stride[i],
            " and dilation ", grid.dilation[i]);
    require(within(grid.pad[i], 0) && within(pad_end, 0), "axis ", i, " has pads ", grid.pad[i], " and ", pad_end);
    const __int128 room = static_cast<__int128>(image) + grid.pad[i] + pad_end -
                          (static_cast<__int128>(grid.dilation[i]) * (block - 1) + 1);
    require(room >= 0, "a block of ", block, " does not fit axis ", i, " of ", image);
    grid.count[i] = static_cast<int64_t>(room / grid.stride[i]) + 1;
  }

  template <class T>
  static void add_plane(const Grid& grid, const T* x, T* y) {
    const int last = grid.rank - 1;
    const int64_t columns = grid.count[last];
    for (int64_t tap = 0; tap < grid.taps; ++tap) {
      std::array<int64_t, kMaxRank> start{};
      for (int64_t i = last, rest = tap; i >= 0; --i) {
        start[static_cast<size_t>(i)] = rest % grid.block[i] * grid.dilation[i] - grid.pad[i];
        rest /= grid.block[i];
      }
      for (int64_t row = 0; row < grid.positions / columns; ++row, x += columns) {
        int64_t base = 0, step = grid.image[last];
        bool is_inside = true;
        for (int64_t i = last - 1, rest = row; i >= 0; --i) {
          const int64_t at = start[static_cast<size_t>(i)] + rest % grid.count[i] * grid.stride[i];
          rest /= grid.count[i];
          is_inside = is_inside && at >= 0 && at < grid.image[i];
          base += at * step;
          step *= grid.image[i];
        }
        if (!is_inside) continue;
        add_row(x, y + base, columns, start[static_cast<size_t>(last)], grid.stride[last], grid.image[last]);
      }
    }
  }
  /// y[first + i * stride] += x[i] where that is within [0, size).
  template <class T>
  static void add_row(const T* x, T* y, int64_t columns, int64_t first, int64_t stride, int64_t size) {
    const int64_t begin = first >= 0 ? 0 : (-first + stride - 1) / stride;
    const int64_t end = first >= size ? 0 : std::min(columns, (size - first + stride - 1) / stride);
    if (stride == 1) {
      for (int64_t i = begin; i < end; ++i) y[first + i] = sum(y[first + i], x[i]);
    } else {
      for (int64_t i = begin; i < end; ++i) y[first + i * stride] = sum(y[first + i * stride], x[i]);
    }
  }
  template <class T>
  static T sum(T a, T b) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else return T(static_cast<compute_t<T>>(a) + static_cast<compute_t<T>>(b));
  }

  const std::vector<int64_t> strides_, dilations_, pads_;
};

const Registration registration{
    {.op = "Col2Im", .inputs = {kNumbers, {DType::i64}, {DType::i64}}, .make = make_kernel<Col2Im>}};

}  // namespace
}  // namespace ort_cpu
