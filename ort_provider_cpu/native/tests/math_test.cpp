// The element-wise functions of every level of instructions, against double precision.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "ops/unary_double.h"
#include "simd/convert.h"
#include "simd/unary.h"
#include "tests/check.h"

using namespace ort_cpu;
using simd::Unary;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Level {
  const char* name;
  simd::Isa isa;
  const simd::UnaryTable* unary;
  const simd::ConvertTable* convert;
};

std::vector<Level> levels() {
  std::vector<Level> all{{"baseline", simd::Isa::baseline, &simd::unary_table_baseline, &simd::convert_table_baseline}};
#if defined(ORT_CPU_X86)
  all.push_back({"avx2", simd::Isa::avx2, &simd::unary_table_avx2, &simd::convert_table_avx2});
  all.push_back({"avx512", simd::Isa::avx512, &simd::unary_table_avx512, &simd::convert_table_avx512});
#endif
  std::erase_if(all, [](const Level& level) { return !simd::is_supported(level.isa); });
  return all;
}

/// Arguments of every magnitude, denormal ones among them, and many near 0.
std::vector<float> arguments() {
  std::vector<float> all{0.f, -0.f, kInfinity, -kInfinity, kNaN};
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 400009) {
    const auto word = static_cast<uint32_t>(bits);
    float x;
    std::memcpy(&x, &word, sizeof x);
    if (std::isfinite(x)) all.push_back(x);
  }
  for (int i = -12000; i <= 12000; ++i) {
    all.push_back(static_cast<float>(i) * 0.00917f);
    all.push_back(static_cast<float>(i) * 0.0001f);
  }
  return all;
}

/// Units in the last place of `expected` that `actual` is off by; `slack` is what may be missed anyway.
double error(double actual, double expected, double slack) {
  const float rounded = static_cast<float>(expected);
  if (std::isnan(rounded)) return std::isnan(actual) ? 0 : 1e9;
  if (std::isinf(rounded)) return actual == rounded || std::fabs(actual) > 3.402823e38 ? 0 : 1e9;
  if (std::isnan(actual)) return 1e9;
  const double off = std::fabs(actual - expected) - slack;
  if (off <= 0) return 0;
  return off / std::ldexp(1.0, std::max(std::ilogb(expected == 0 ? 1e-300 : expected), -126) - 23);
}

struct Bound {
  Unary function;
  double ulp;
  double slack = 0;
  float alpha = 0, beta = 0;
};

}  // namespace

TEST(functions_are_exact_to_a_few_units_of_the_last_place) {
  const Bound bounds[] = {
      {Unary::abs, 0},
      {Unary::neg, 0},
      {Unary::sign, 0},
      {Unary::ceil, 0},
      {Unary::floor, 0},
      {Unary::round, 0},
      {Unary::sqrt, 0.51},
      {Unary::reciprocal, 0.51},
      {Unary::exp, 1.1},
      {Unary::log, 1.1},
      {Unary::sin, 2},
      {Unary::cos, 2},
      {Unary::tan, 3.5},
      {Unary::asin, 2.5},
      {Unary::acos, 1.5},
      {Unary::atan, 2.5},
      {Unary::sinh, 3.5},
      {Unary::cosh, 1.5},
      {Unary::tanh, 2.6},
      {Unary::asinh, 2.5},
      {Unary::acosh, 2.5},
      {Unary::atanh, 2.5},
      {Unary::erf, 3},
      {Unary::sigmoid, 3, 1e-38},
      {Unary::relu, 0},
      {Unary::softplus, 3},
      {Unary::softsign, 1.6},
      {Unary::mish, 4, 1e-37},
      {Unary::elu, 1.6, 0, 1.5f},
      {Unary::leaky_relu, 0.51, 0, 0.3f},
      {Unary::silu, 3, 1e-36, 1.f},
      {Unary::hard_sigmoid, 1, 1e-7, 0.2f, 0.5f},
      {Unary::clip, 0, 0, -1.f, 2.f},
      {Unary::thresholded_relu, 0, 0, 0.5f},
      {Unary::gelu_erf, 4, 6e-7},
      {Unary::gelu_tanh, 8, 3e-7},
  };
  const std::vector<float> x = arguments();
  const std::vector<double> wide(x.begin(), x.end());
  std::vector<double> expected(x.size());
  std::vector<float> actual(x.size());
  for (const Bound& bound : bounds) {
    double_loop(bound.function)(wide.data(), expected.data(), static_cast<int64_t>(x.size()), bound.alpha, bound.beta);
    for (const Level& level : levels()) {
      level.unary->loop(bound.function)(x.data(), actual.data(), static_cast<int64_t>(x.size()), bound.alpha,
                                        bound.beta);
      double worst = 0;
      float at = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double e = error(actual[i], expected[i], bound.slack);
        if (e > worst) worst = e, at = x[i];
      }
      if (worst > bound.ulp)
        std::printf("  %s, function %d: %.2f units at %.9g\n", level.name, static_cast<int>(bound.function), worst, at);
      CHECK(worst <= bound.ulp);
    }
  }
}

TEST(every_length_leaves_its_neighbours_alone) {
  for (const Level& level : levels()) {
    for (int64_t n = 0; n < 40; ++n) {
      std::vector<float> x(n + 1, 1.5f), y(n + 1, 7.f);
      level.unary->loop(Unary::square)(x.data(), y.data(), n, 0, 0);
      for (int64_t i = 0; i < n; ++i) CHECK(y[i] == 2.25f);
      CHECK(y[n] == 7.f);
    }
  }
}

TEST(half_floats_convert_as_their_scalar_types_do) {
  std::vector<uint16_t> codes(65536);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint16_t>(i);
  const auto n = static_cast<int64_t>(codes.size());
  std::vector<float> half(codes.size()), bfloat(codes.size()), x = arguments();
  for (const Level& level : levels()) {
    level.convert->from_half(codes.data(), half.data(), n);
    level.convert->from_bfloat16(codes.data(), bfloat.data(), n);
    bool same = true;
    for (size_t i = 0; i < codes.size(); ++i) {
      const float h = Half::to_float(codes[i]), b = std::bit_cast<float>(static_cast<uint32_t>(codes[i]) << 16);
      same &= (std::isnan(h) ? std::isnan(half[i]) : std::memcmp(&h, &half[i], 4) == 0);
      same &= (std::isnan(b) ? std::isnan(bfloat[i]) : std::memcmp(&b, &bfloat[i], 4) == 0);
    }
    CHECK(same);
    std::vector<uint16_t> to_half(x.size()), to_bfloat(x.size());
    level.convert->to_half(x.data(), to_half.data(), static_cast<int64_t>(x.size()));
    level.convert->to_bfloat16(x.data(), to_bfloat.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) continue;
      same &= to_half[i] == Half::from_float(x[i]) && to_bfloat[i] == BFloat16::from_float(x[i]);
    }
    CHECK(same);
  }
}

TEST_MAIN()
