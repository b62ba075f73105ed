#include "ops/unary_double.h"

#include <cmath>

namespace ort_cpu {
namespace {

using simd::Unary;

/// sqrt(2 / pi) and the coefficient of the cube in the tanh form of Gelu: ONNX has them as floats, for doubles too.
const double kGeluSlope = std::sqrt(static_cast<double>(0.63661975f));
constexpr double kGeluCubic = 0.044715f;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double clipped(double x, double low, double high) {
  const double above = low > x ? low : x;
  return high < above ? high : above;
}

template <Unary K>
double apply(double x, [[maybe_unused]] double alpha, [[maybe_unused]] double beta) {
  if constexpr (K == Unary::abs) return std::fabs(x);
  else if constexpr (K == Unary::neg) return -x;
  else if constexpr (K == Unary::sign) return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x;
  else if constexpr (K == Unary::ceil) return std::ceil(x);
  else if constexpr (K == Unary::floor) return std::floor(x);
  else if constexpr (K == Unary::round) return std::nearbyint(x);
  else if constexpr (K == Unary::sqrt) return std::sqrt(x);
  else if constexpr (K == Unary::reciprocal) return 1 / x;
  else if constexpr (K == Unary::square) return x * x;
  else if constexpr (K == Unary::cube) return x * x * x;
  else if constexpr (K == Unary::exp) return std::exp(x);
  else if constexpr (K == Unary::log) return std::log(x);
  else if constexpr (K == Unary::sin) return std::sin(x);
  else if constexpr (K == Unary::cos) return std::cos(x);
  else if constexpr (K == Unary::tan) return std::tan(x);
  else if constexpr (K == Unary::asin) return std::asin(x);
  else if constexpr (K == Unary::acos) return std::acos(x);
  else if constexpr (K == Unary::atan) return std::atan(x);
  else if constexpr (K == Unary::sinh) return std::sinh(x);
  else if constexpr (K == Unary::cosh) return std::cosh(x);
  else if constexpr (K == Unary::tanh) return std::tanh(x);
  else if constexpr (K == Unary::asinh) return std::asinh(x);
  else if constexpr (K == Unary::acosh) return std::acosh(x);
  else if constexpr (K == Unary::atanh) return std::atanh(x);
  else if constexpr (K == Unary::erf) return std::erf(x);
  else if constexpr (K == Unary::sigmoid) return sigmoid(x);
  else if constexpr (K == Unary::relu) return x < 0 ? 0 : x;
  else if constexpr (K == Unary::leaky_relu) return x < 0 ? alpha * x : x;
  else if constexpr (K == Unary::thresholded_relu) return x <= alpha ? 0 : x;
  else if constexpr (K == Unary::elu) return x < 0 ? alpha * std::expm1(x) : x;
  else if constexpr (K == Unary::selu) return beta * (x < 0 ? alpha * std::expm1(x) : x);
  else if constexpr (K == Unary::celu) return x < 0 ? alpha * std::expm1(x / alpha) : x;
  else if constexpr (K == Unary::hard_sigmoid) return clipped(alpha * x + beta, 0, 1);
  else if constexpr (K == Unary::hard_swish) return x * clipped(alpha * x + beta, 0, 1);
  else if constexpr (K == Unary::softplus) return softplus(x);
  else if constexpr (K == Unary::softsign) return x / (1 + std::fabs(x));
  else if constexpr (K == Unary::mish) return x * std::tanh(softplus(x));
  else if constexpr (K == Unary::gelu_erf) return 0.5 * x * (1 + std::erf(x * 0.70710678118654752440));
  else if constexpr (K == Unary::gelu_tanh) return 0.5 * x * (1 + std::tanh(kGeluSlope * (x + kGeluCubic * x * x * x)));
  else if constexpr (K == Unary::silu) return x / (1 + std::exp(-alpha * x));
  else if constexpr (K == Unary::shrink) return x < -alpha ? x + beta : x > alpha ? x - beta : x == x ? 0 : x;
  else if constexpr (K == Unary::clip) return clipped(x, alpha, beta);
}

template <Unary K>
void loop(const double* x, double* y, int64_t n, double alpha, double beta) {
  for (int64_t i = 0; i < n; ++i) y[i] = apply<K>(x[i], alpha, beta);
}

constexpr DoubleLoop kLoops[] = {
#define ORT_CPU_ENTRY(name, parameters) loop<Unary::name>,
    ORT_CPU_UNARY_FUNCTIONS(ORT_CPU_ENTRY)
#undef ORT_CPU_ENTRY
};

}  // namespace

DoubleLoop double_loop(Unary function) { return kLoops[static_cast<int>(function)]; }

}  // namespace ort_cpu
