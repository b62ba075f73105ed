// Pow, whose inputs may be of different types.
#include <cmath>
#include <type_traits>

#include "engine/registry.h"
#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/elementwise_narrow.h"

namespace ort_cpu {
namespace {

constexpr double kNsPerElement = 12.0;

/// x^e for e >= 0, wrapping.
uint64_t integer_power(uint64_t x, uint64_t e) {
  uint64_t result = 1;
  for (; e != 0; e >>= 1) {
    if ((e & 1) != 0) result *= x;
    x *= x;
  }
  return result;
}

template <class T, class E>
T power(T x, E e) {
  using C = compute_t<T>;
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
    if (e >= E{}) return static_cast<T>(integer_power(static_cast<uint64_t>(x), static_cast<uint64_t>(e)));
  }
  const double z = std::pow(static_cast<double>(static_cast<C>(x)), static_cast<double>(static_cast<compute_t<E>>(e)));
  return static_cast<T>(convert_number<C>(z));
}

using PowerLoop = void (*)(const void* x, const void* e, void* z, int64_t n, int x_step, int e_step);

template <class T, class E>
void loop(const void* px, const void* pe, void* pz, int64_t n, int x_step, int e_step) {
  const T* x = static_cast<const T*>(px);
  const E* e = static_cast<const E*>(pe);
  T* z = static_cast<T*>(pz);
  for (int64_t i = 0; i < n; ++i) z[i] = power(x[i * x_step], e[i * e_step]);
}

template <class T>
PowerLoop loop_for_exponent(DType exponent) {
  return dispatch_number(exponent, []<class E>() -> PowerLoop { return loop<T, E>; });
}

PowerLoop loop_for(DType base, DType exponent) {
  switch (base) {
    case DType::i32: return loop_for_exponent<int32_t>(exponent);
    case DType::i64: return loop_for_exponent<int64_t>(exponent);
    default: return dispatch_float(base, [&]<class T>() { return loop_for_exponent<T>(exponent); });
  }
}

/// Whether the exponent is one number that float holds; then `value` is it.
bool single_exponent(const Tensor& exponent, float& value) {
  if (exponent.size() != 1) return false;
  return dispatch_number(exponent.dtype, [&]<class E>() {
    const double exact = static_cast<double>(*exponent.as<E>());
    value = static_cast<float>(exact);
    return static_cast<double>(value) == exact && std::fabs(exact) < 1e6;
  });
}

/// Z = X^Y in the type of X, broadcast to each other.
class Pow : public Kernel {
 public:
  explicit Pow(const NodeSpec& node) : loop_(loop_for(node.dtype(0), node.dtype(1))) {}

  void plan(PlanContext& ctx) const override {
    const Shape shapes[] = {ctx.shape(0), ctx.shape(1)};
    const Broadcast broadcast = make_broadcast(shapes);
    ctx.output(0, ctx.dtype(0), broadcast.shape);
    if (ctx.shape(0).size() == broadcast.size) ctx.may_overwrite(0, 0);
    ctx.state(broadcast);
  }

  void run(RunContext& ctx) const override {
    const auto& broadcast = ctx.state<Broadcast>();
    const Tensor &x = ctx.input(0), &e = ctx.input(1), &z = ctx.output(0);
    float exponent = 0;
    const bool in_float = x.dtype == DType::f32 || is_narrow(x.dtype);
    const bool single = in_float && single_exponent(e, exponent);
    const bool floats = in_float && (single || e.dtype == x.dtype);
    const void* inputs[] = {x.data, e.data};
    const size_t sizes[] = {size_of(x.dtype), size_of(e.dtype)};
    const simd::BinaryLoop fast = simd::binary_table().loop(simd::Binary::pow);
    ctx.parallel_for(broadcast.size, grain_of(single ? 0.5 : kNsPerElement), [&](int64_t begin, int64_t end) {
      BroadcastWalk(broadcast, inputs, sizes)
          .each(begin, end, [&](const void* const* in, const int* steps, int64_t at, int64_t n) {
            void* out = z.as<std::byte>() + at * sizes[0];
            if (!floats) {
              loop_(in[0], in[1], out, n, steps[0], steps[1]);
            } else if (x.dtype == DType::f32) {
              fast(in[0], single ? &exponent : in[1], out, n, steps[0], single ? 0 : steps[1]);
            } else if (single) {
              narrow_single(x.dtype, fast, in[0], exponent, out, n, steps[0]);
            } else {
              narrow_binary(x.dtype, fast, false, in[0], in[1], out, n, steps[0], steps[1]);
            }
          });
    });
  }

 private:
  static void narrow_single(DType type, simd::BinaryLoop fast, const void* x, float exponent, void* z, int64_t n,
                            int x_step) {
    const auto* in = static_cast<const uint16_t*>(x);
    auto* out = static_cast<uint16_t*>(z);
    const auto f = [&](const float* a, float* y, int64_t count) { fast(a, &exponent, y, count, 1, 0); };
    if (x_step != 0 || n <= 1) return through_float(narrow_float(type), in, out, n, f);
    through_float(narrow_float(type), in, out, 1, f);
    std::fill(out + 1, out + n, out[0]);
  }
  const PowerLoop loop_;
};

constexpr DTypeSet kBases = kFloats | DTypeSet{DType::i32, DType::i64};

const Registration registration{{.op = "Pow", .inputs = {kBases, kNumbers}, .make = make_kernel<Pow>}};

}  // namespace
}  // namespace ort_cpu
