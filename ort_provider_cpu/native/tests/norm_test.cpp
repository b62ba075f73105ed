// The normalisation kernels of every level of instructions against loops in double.
#include "simd/norm.h"

#include <random>
#include <vector>

#include "tests/check.h"

namespace ort_cpu {
namespace {

using simd::NormRows;
using simd::NormTable;

std::vector<const NormTable*> tables() {
  std::vector<const NormTable*> all{&simd::norm_table_baseline};
#if defined(ORT_CPU_X86)
  if (simd::is_supported(simd::Isa::avx2)) all.push_back(&simd::norm_table_avx2);
  if (simd::is_supported(simd::Isa::avx512)) all.push_back(&simd::norm_table_avx512);
#endif
  return all;
}

std::vector<float> random_floats(size_t n, float mean, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(mean, 1);
  std::vector<float> values(n);
  for (float& value : values) value = normal(generator);
  return values;
}

void check(const NormTable& table, int64_t n, bool rms, bool residual, bool pre_bias, bool scale, bool bias,
           float offset) {
  constexpr int64_t kRows = 3;
  const auto x = random_floats(kRows * n, offset, 1), other = random_floats(kRows * n, 0, 2),
             before = random_floats(n, 0, 3), factor = random_floats(n, 1, 4), after = random_floats(n, 0, 5);
  std::vector<float> y(kRows * n, 9), sum(kRows * n, 9), mean(kRows), inverse(kRows);
  NormRows rows{.x = x.data(),
                .y = y.data(),
                .mean = mean.data(),
                .inverse = inverse.data(),
                .rows = kRows,
                .n = n,
                .epsilon = 1e-5,
                .rms = rms};
  if (residual) rows.residual = other.data(), rows.sum = sum.data();
  if (pre_bias) rows.pre_bias = before.data();
  if (scale) rows.scale = factor.data();
  if (bias) rows.bias = after.data();
  table.normalize_rows(rows);
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<double> s(n);
    double m = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i) {
      s[i] = static_cast<float>(static_cast<float>(x[row * n + i] + (residual ? other[row * n + i] : 0)) +
                                (pre_bias ? before[i] : 0));
      if (residual) CHECK(sum[row * n + i] == static_cast<float>(s[i]));
      m += s[i] / static_cast<double>(n);
    }
    if (rms) m = 0;
    for (double value : s) variance += (value - m) * (value - m) / static_cast<double>(n);
    const double factor_of_all = 1 / std::sqrt(variance + 1e-5);
    const double tolerance = 1e-5 + 2e-7 * std::fabs(offset) * factor_of_all;
    CHECK_NEAR(mean[row], m, 1e-6 * (1 + std::fabs(m)));
    CHECK_NEAR(inverse[row], factor_of_all, 1e-5 * factor_of_all);
    for (int64_t i = 0; i < n; ++i)
      CHECK_NEAR(y[row * n + i], (s[i] - m) * factor_of_all * (scale ? factor[i] : 1) + (bias ? after[i] : 0),
                 tolerance * (1 + std::fabs(factor[i])));
  }
}

TEST(rows_of_all_lengths_and_operands) {
  for (const NormTable* table : tables())
    for (int64_t n : {1, 3, 4, 8, 15, 16, 17, 63, 64, 65, 200, 768, 2049, 5000})
      for (bool rms : {false, true})
        for (int operands = 0; operands < 16; ++operands)
          check(*table, n, rms, operands & 1, operands & 2, operands & 4, operands & 8, 0.5f);
}

TEST(a_large_mean_leaves_the_variance_right) {
  for (const NormTable* table : tables())
    for (int64_t n : {20, 100, 1000}) check(*table, n, false, false, false, true, true, 1000.f);
}

TEST(results_may_replace_the_residual) {
  for (const NormTable* table : tables()) {
    const int64_t n = 37;
    const auto x = random_floats(2 * n, 0, 1);
    auto residual = random_floats(2 * n, 0, 2);
    std::vector<float> y(2 * n), sum(2 * n);
    table->normalize_rows({.x = x.data(),
                           .residual = residual.data(),
                           .y = y.data(),
                           .sum = sum.data(),
                           .rows = 2,
                           .n = n,
                           .epsilon = 1e-5});
    auto x_again = x;
    table->normalize_rows({.x = x_again.data(),
                           .residual = residual.data(),
                           .y = x_again.data(),
                           .sum = residual.data(),
                           .rows = 2,
                           .n = n,
                           .epsilon = 1e-5});
    CHECK(x_again == y);
    CHECK(residual == sum);
  }
}

TEST(affine_maps) {
  for (const NormTable* table : tables())
    for (int64_t n : {1, 5, 16, 33, 100}) {
      const auto x = random_floats(2 * n, 0, 1), center = random_floats(n, 0, 2), scale = random_floats(n, 0, 3),
                 bias = random_floats(n, 0, 4);
      std::vector<float> y(2 * n), z(n);
      table->affine_columns(y.data(), x.data(), 2, n, center.data(), scale.data(), bias.data());
      table->affine_row(z.data(), x.data(), n, 0.5f, 2, -1);
      for (int64_t i = 0; i < 2 * n; ++i) CHECK_NEAR(y[i], (x[i] - center[i % n]) * scale[i % n] + bias[i % n], 1e-5);
      for (int64_t i = 0; i < n; ++i) CHECK_NEAR(z[i], (x[i] - 0.5f) * 2 - 1, 1e-6);
    }
}

}  // namespace
}  // namespace ort_cpu

TEST_MAIN()
