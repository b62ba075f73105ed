#include "ops/binary.h"

#include "ops/elementwise_narrow.h"

namespace ort_cpu {
namespace {

/// Raises InvalidArgument if an integer tensor has a zero.
void reject_zeros(const Tensor& divisor) {
  dispatch_integer(divisor.dtype, [&]<class T>() {
    const T* values = divisor.as<T>();
    const int64_t n = divisor.size();
    bool any = false;
    for (int64_t i = 0; i < n; ++i) any |= values[i] == 0;
    if (!any) return;
    int64_t at = 0;
    while (values[at] != 0) ++at;
    throw_invalid("division by zero: element ", at, " of the divisor is 0");
  });
}

}  // namespace

void BinaryKernel::plan(PlanContext& ctx) const {
  require(ctx.dtype(0) == ctx.dtype(1), "A is ", name_of(ctx.dtype(0)), ", B is ", name_of(ctx.dtype(1)),
          ", they must be of one type");
  const Shape shapes[] = {ctx.shape(0), ctx.shape(1)};
  const Broadcast broadcast = make_broadcast(shapes);
  ctx.output(0, function_.answers ? DType::boolean : ctx.dtype(0), broadcast.shape);
  if (!function_.answers || size_of(ctx.dtype(0)) == 1) allow_overwrite(ctx, broadcast.shape, 2);
  ctx.cost_ns(static_cast<double>(broadcast.size) * function_.ns_per_element);
  ctx.state(broadcast);
}

void BinaryKernel::run(RunContext& ctx) const {
  const auto& broadcast = ctx.state<Broadcast>();
  const DType type = ctx.input(0).dtype;
  if (function_.divides && broadcast.size > 0) reject_zeros(ctx.input(1));
  const int first = function_.swapped ? 1 : 0, second = 1 - first;
  const void* inputs[] = {ctx.input(0).data, ctx.input(1).data};
  const size_t sizes[] = {size_of(type), size_of(type)};
  const size_t out_size = function_.answers ? 1 : size_of(type);
  std::byte* y = ctx.output(0).as<std::byte>();
  ctx.parallel_for(broadcast.size, grain_of(function_.ns_per_element), [&](int64_t begin, int64_t end) {
    BroadcastWalk(broadcast, inputs, sizes)
        .each(begin, end, [&](const void* const* in, const int* steps, int64_t at, int64_t n) {
          void* out = y + at * out_size;
          if (is_narrow(type)) {
            narrow_binary(type, function_.loop, function_.answers, in[first], in[second], out, n, steps[first],
                          steps[second]);
          } else {
            function_.loop(in[first], in[second], out, n, steps[first], steps[second]);
          }
        });
  });
}

std::optional<simd::Element> element_of(DType type) {
  using simd::Element;
  switch (type) {
    case DType::f64: return Element::f64;
    case DType::i8: return Element::i8;
    case DType::i16: return Element::i16;
    case DType::i32: return Element::i32;
    case DType::i64: return Element::i64;
    case DType::u8:
    case DType::boolean: return Element::u8;
    case DType::u16: return Element::u16;
    case DType::u32: return Element::u32;
    case DType::u64: return Element::u64;
    default: return std::nullopt;
  }
}

simd::BinaryLoop arithmetic_loop(DType type, simd::Arithmetic function) {
  const auto element = element_of(type);
  if (element) return simd::binary_types_table().arithmetic[static_cast<int>(*element)][static_cast<int>(function)];
  constexpr simd::Binary kFloat[] = {simd::Binary::add, simd::Binary::sub, simd::Binary::mul, simd::Binary::max,
                                     simd::Binary::min};
  return simd::binary_table().loop(kFloat[static_cast<int>(function)]);
}

simd::BinaryLoop compare_loop(DType type, simd::Compare comparison) {
  const auto element = element_of(type);
  if (element) return simd::binary_types_table().compare[static_cast<int>(*element)][static_cast<int>(comparison)];
  return simd::binary_table().loop(comparison);
}

void narrow_binary(DType type, simd::BinaryLoop loop, bool answers, const void* a, const void* b, void* y, int64_t n,
                   int a_step, int b_step) {
  const NarrowFloat format = narrow_float(type);
  alignas(64) float fa[kNarrowPiece], fb[kNarrowPiece];
  const auto* ha = static_cast<const uint16_t*>(a);
  const auto* hb = static_cast<const uint16_t*>(b);
  if (n > 0 && a_step == 0) format.decode(ha, fa, 1);
  if (n > 0 && b_step == 0) format.decode(hb, fb, 1);
  // With both the same throughout, the results go to a third place: `fa` and `fb` are read again.
  alignas(64) float result[kNarrowPiece];
  for (int64_t i = 0; i < n; i += kNarrowPiece) {
    const int64_t count = std::min(n - i, kNarrowPiece);
    if (a_step != 0) format.decode(ha + i, fa, count);
    if (b_step != 0) format.decode(hb + i, fb, count);
    if (answers) {
      loop(fa, fb, static_cast<uint8_t*>(y) + i, count, a_step, b_step);
    } else {
      loop(fa, fb, result, count, a_step, b_step);
      format.encode(result, static_cast<uint16_t*>(y) + i, count);
    }
  }
}

}  // namespace ort_cpu
