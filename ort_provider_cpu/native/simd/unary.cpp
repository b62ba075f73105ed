#include "simd/unary.h"

#include "simd/activate.h"
#include "simd/unary_trig.h"

namespace {

using ort_cpu::simd::Unary;
using Kind = ort_cpu::ActivationKind;

template <Unary K>
ORT_CPU_INLINE Vec apply(Vec x, [[maybe_unused]] Vec alpha, [[maybe_unused]] Vec beta) {
  const Vec zero = {};
  if constexpr (K == Unary::abs) return abs(x);
  else if constexpr (K == Unary::neg) return -x;
  else if constexpr (K == Unary::sign) return x > zero ? set1(1.f) : (x < zero ? set1(-1.f) : (x == zero ? zero : x));
  else if constexpr (K == Unary::ceil) return ceil(x);
  else if constexpr (K == Unary::floor) return floor(x);
  else if constexpr (K == Unary::round) return round_even(x);
  else if constexpr (K == Unary::sqrt) return sqrt(x);
  else if constexpr (K == Unary::reciprocal) return 1.f / x;
  else if constexpr (K == Unary::square) return x * x;
  else if constexpr (K == Unary::cube) return x * x * x;
  else if constexpr (K == Unary::exp) return exp(x);
  else if constexpr (K == Unary::log) return log(x);
  else if constexpr (K == Unary::sin) return sin(x);
  else if constexpr (K == Unary::cos) return cos(x);
  else if constexpr (K == Unary::tan) return tan(x);
  else if constexpr (K == Unary::asin) return asin(x);
  else if constexpr (K == Unary::acos) return acos(x);
  else if constexpr (K == Unary::atan) return atan(x);
  else if constexpr (K == Unary::sinh) return sinh(x);
  else if constexpr (K == Unary::cosh) return cosh(x);
  else if constexpr (K == Unary::tanh) return tanh(x);
  else if constexpr (K == Unary::asinh) return asinh(x);
  else if constexpr (K == Unary::acosh) return acosh(x);
  else if constexpr (K == Unary::atanh) return atanh(x);
  else if constexpr (K == Unary::erf) return erf(x);
  else if constexpr (K == Unary::sigmoid) return sigmoid(x);
  else if constexpr (K == Unary::relu) return activate<Kind::relu>(x, alpha, beta);
  else if constexpr (K == Unary::leaky_relu) return activate<Kind::leaky_relu>(x, alpha, beta);
  else if constexpr (K == Unary::thresholded_relu) return x <= alpha ? zero : x;
  else if constexpr (K == Unary::elu) return activate<Kind::elu>(x, alpha, beta);
  else if constexpr (K == Unary::selu) return beta * activate<Kind::elu>(x, alpha, beta);
  else if constexpr (K == Unary::celu) return x < zero ? alpha * expm1_negative(x / alpha) : x;
  else if constexpr (K == Unary::hard_sigmoid) return activate<Kind::hard_sigmoid>(x, alpha, beta);
  else if constexpr (K == Unary::hard_swish) return activate<Kind::hard_swish>(x, alpha, beta);
  else if constexpr (K == Unary::softplus) return softplus(x);
  else if constexpr (K == Unary::softsign) return x / (abs(x) + 1.f);
  else if constexpr (K == Unary::mish) return mish(x);
  else if constexpr (K == Unary::gelu_erf) return gelu_erf(x);
  else if constexpr (K == Unary::gelu_tanh) return gelu_tanh(x);
  else if constexpr (K == Unary::silu) return silu(x, alpha);
  else if constexpr (K == Unary::shrink) return x < -alpha ? x + beta : (x > alpha ? x - beta : x == x ? zero : x);
  else if constexpr (K == Unary::clip) return activate<Kind::clip>(x, alpha, beta);
}

template <Unary K>
void loop(const float* x, float* y, int64_t n, float alpha, float beta) {
  const Vec a = set1(alpha), b = set1(beta);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, apply<K>(load(x + i), a, b));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_first(y + i, apply<K>(load_first(x + i, rest), a, b), rest);
}

}  // namespace

ORT_CPU_EXPORT(UnaryTable, unary_table) = {{
#define ORT_CPU_ENTRY(name, parameters) loop<Unary::name>,
    ORT_CPU_UNARY_FUNCTIONS(ORT_CPU_ENTRY)
#undef ORT_CPU_ENTRY
}};
