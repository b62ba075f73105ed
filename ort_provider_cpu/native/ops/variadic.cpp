// Sum, Mean, Max, Min: operators of any number of tensors.
#include "engine/registry.h"
#include "ops/binary.h"
#include "ops/elementwise_narrow.h"
#include "simd/unary.h"

namespace ort_cpu {
namespace {

using simd::Arithmetic;

/// Elements whose result stays in the L1 cache while all inputs are folded into it.
constexpr int64_t kPiece = 1024;

/// Y = X0 f X1 f ... f Xk, broadcast to each other, times 1 / (k + 1) for a mean.
///
/// Sums of 16-bit floats are float sums, rounded once.
class Fold : public Kernel {
 public:
  Fold(const NodeSpec& node, Arithmetic function, bool mean)
      : loop_(arithmetic_loop(node.dtype(0), function)), mean_(mean) {
    require(node.n_inputs() > 0, "there is no input");
  }

  void plan(PlanContext& ctx) const override {
    const int n = ctx.n_inputs();
    std::vector<Broadcast> groups;
    Shape shape = ctx.shape(0);
    for (int i = 1; i < n; ++i) {
      require(ctx.dtype(i) == ctx.dtype(0), "input ", i, " is ", name_of(ctx.dtype(i)), ", input 0 is ",
              name_of(ctx.dtype(0)));
      shape = broadcast(shape, ctx.shape(i));
    }
    // Each input against the output, so that any number of them can be walked side by side.
    for (int i = 0; i < n; ++i) {
      const Shape pair[] = {ctx.shape(i), shape};
      groups.push_back(make_broadcast(pair));
    }
    ctx.output(0, ctx.dtype(0), shape);
    ctx.cost_ns(static_cast<double>(shape.size()) * 0.3 * n);
    ctx.state(std::move(groups));
  }

  void run(RunContext& ctx) const override {
    const auto& inputs = ctx.state<std::vector<Broadcast>>();
    const Tensor& y = ctx.output(0);
    ctx.parallel_for(y.size(), grain_of(0.3 * static_cast<double>(inputs.size())), [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; at += kPiece) piece(ctx, inputs, y, at, std::min(at + kPiece, end));
    });
  }

 private:
  void piece(RunContext& ctx, const std::vector<Broadcast>& inputs, const Tensor& y, int64_t begin, int64_t end) const {
    const bool narrow = is_narrow(y.dtype);
    const size_t size = size_of(y.dtype), element = narrow ? sizeof(float) : size;
    alignas(64) std::byte sums[kPiece * sizeof(double)];
    std::byte* total = narrow ? sums : y.as<std::byte>() + begin * size;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const void* pointers[] = {ctx.input(static_cast<int>(i)).data, y.data};
      const size_t sizes[] = {size, size};
      BroadcastWalk(inputs[i], pointers, sizes)
          .each(begin, end, [&](const void* const* in, const int* steps, int64_t at, int64_t n) {
            std::byte* out = total + (at - begin) * element;
            alignas(64) float decoded[kPiece];
            const void* x = in[0];
            if (narrow) {
              narrow_float(y.dtype).decode(static_cast<const uint16_t*>(in[0]), decoded, steps[0] != 0 ? n : 1);
              x = decoded;
            }
            if (i == 0) {
              assign(x, out, n, steps[0], element);
            } else {
              loop_(out, x, out, n, 1, steps[0]);
            }
          });
    }
    if (mean_) divide(y.dtype, total, end - begin, static_cast<double>(inputs.size()));
    if (narrow) narrow_float(y.dtype).encode(reinterpret_cast<float*>(sums), y.as<uint16_t>() + begin, end - begin);
  }

  static void assign(const void* x, std::byte* y, int64_t n, int step, size_t element) {
    if (step != 0) {
      std::memcpy(y, x, n * element);
    } else {
      for (int64_t k = 0; k < n; ++k) std::memcpy(y + k * element, x, element);
    }
  }
  static void divide(DType type, std::byte* y, int64_t n, double count) {
    if (type == DType::f64) {
      for (int64_t i = 0; i < n; ++i) reinterpret_cast<double*>(y)[i] /= count;
    } else {
      const float divisor = static_cast<float>(count);
      simd::binary_table().loop(simd::Binary::div)(y, &divisor, y, n, 1, 0);
    }
  }

  const simd::BinaryLoop loop_;
  const bool mean_;
};

/// Two inputs make an operator of two tensors.
template <Arithmetic K, bool kMean>
std::unique_ptr<Kernel> make_fold(const NodeSpec& node) {
  if (node.n_inputs() == 2 && !kMean)
    return std::make_unique<BinaryKernel>(BinaryFunction{.loop = arithmetic_loop(node.dtype(0), K)});
  return std::make_unique<Fold>(node, K, kMean);
}

const Registration registration{
    {.op = "Sum", .inputs = {kFloats}, .make = make_fold<Arithmetic::add, false>},
    {.op = "Mean", .inputs = {kFloats}, .make = make_fold<Arithmetic::add, true>},
    {.op = "Max", .inputs = {kNumbers}, .make = make_fold<Arithmetic::max, false>},
    {.op = "Min", .inputs = {kNumbers}, .make = make_fold<Arithmetic::min, false>},
};

}  // namespace
}  // namespace ort_cpu
