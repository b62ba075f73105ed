// The softmax kernels of every level of instructions against loops in double.
#include "simd/softmax.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/check.h"

namespace ort_cpu {
namespace {

using simd::SoftmaxTable;

std::vector<const SoftmaxTable*> tables() {
  std::vector<const SoftmaxTable*> all{&simd::softmax_table_baseline};
#if defined(ORT_CPU_X86)
  if (simd::is_supported(simd::Isa::avx2)) all.push_back(&simd::softmax_table_avx2);
  if (simd::is_supported(simd::Isa::avx512)) all.push_back(&simd::softmax_table_avx512);
#endif
  return all;
}

std::vector<float> random_floats(size_t n, float scale) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(n);
  for (float& value : values) value = normal(generator);
  return values;
}

std::vector<double> softmax(const float* x, int64_t n, int64_t stride, bool log) {
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max<double>(largest, x[i * stride]);
  for (int64_t i = 0; i < n; ++i) total += std::exp(x[i * stride] - largest);
  std::vector<double> y(n);
  for (int64_t i = 0; i < n; ++i)
    y[i] = log ? x[i * stride] - largest - std::log(total) : std::exp(x[i * stride] - largest) / total;
  return y;
}

TEST(rows_of_all_lengths) {
  for (const SoftmaxTable* table : tables())
    for (int64_t n : {1, 2, 5, 8, 15, 16, 17, 40, 64, 129, 1000, 5000})
      for (float scale : {0.1f, 3.f, 60.f}) {
        const auto x = random_floats(3 * n, scale);
        std::vector<float> y(3 * n, 7), in_place = x, logs(3 * n, 7);
        table->rows(y.data(), x.data(), 3, n);
        table->rows(in_place.data(), in_place.data(), 3, n);
        table->log_rows(logs.data(), x.data(), 3, n);
        CHECK(y == in_place);
        for (int64_t row = 0; row < 3; ++row) {
          const auto expected = softmax(x.data() + row * n, n, 1, false);
          const auto expected_log = softmax(x.data() + row * n, n, 1, true);
          for (int64_t i = 0; i < n; ++i) {
            CHECK_NEAR(y[row * n + i], expected[i], 2e-7 * (5 + std::fabs(expected_log[i])) * expected[i] + 2e-38);
            CHECK_NEAR(logs[row * n + i], expected_log[i], 1e-6 * (1 + std::fabs(expected_log[i])));
          }
        }
      }
}

TEST(columns_of_all_widths) {
  for (const SoftmaxTable* table : tables())
    for (int64_t columns : {1, 3, 8, 16, 21, 64, 70})
      for (int64_t n : {1, 2, 21, 300}) {
        const int64_t stride = columns + 3;
        const auto x = random_floats(n * stride, 4);
        std::vector<float> y(n * stride, 7), logs = y;
        table->columns(y.data(), x.data(), n, stride, columns);
        table->log_columns(logs.data(), x.data(), n, stride, columns);
        for (int64_t j = 0; j < stride; ++j) {
          const auto expected = softmax(x.data() + j, n, stride, false);
          const auto expected_log = softmax(x.data() + j, n, stride, true);
          for (int64_t i = 0; i < n; ++i) {
            if (j >= columns) {
              CHECK(y[i * stride + j] == 7 && logs[i * stride + j] == 7);
              continue;
            }
            CHECK_NEAR(y[i * stride + j], expected[i], 2e-7 * (5 + std::fabs(expected_log[i])) * expected[i] + 2e-38);
            CHECK_NEAR(logs[i * stride + j], expected_log[i], 1e-6 * (1 + std::fabs(expected_log[i])));
          }
        }
      }
}

TEST(masked_and_broken_rows) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const SoftmaxTable* table : tables())
    for (int64_t n : {3, 16, 37}) {
      std::vector<float> x(n, -infinity), y(n);
      x[1] = 2;
      table->rows(y.data(), x.data(), 1, n);
      for (int64_t i = 0; i < n; ++i) CHECK(y[i] == (i == 1 ? 1.f : 0.f));
      x[2] = std::numeric_limits<float>::quiet_NaN();
      table->rows(y.data(), x.data(), 1, n);
      for (int64_t i = 0; i < n; ++i) CHECK(std::isnan(y[i]));
      x.assign(n, -infinity);
      table->rows(y.data(), x.data(), 1, n);
      for (int64_t i = 0; i < n; ++i) CHECK(std::isnan(y[i]));
    }
}

}  // namespace
}  // namespace ort_cpu

TEST_MAIN()
