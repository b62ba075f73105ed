// The reduction kernels of every level of instructions against loops in double.
#include "simd/reduce.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "simd/reduce_scan.h"
#include "tests/check.h"

namespace ort_cpu {
namespace {

using simd::ReduceTable;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<const ReduceTable*> tables() {
  std::vector<const ReduceTable*> all{&simd::reduce_table_baseline};
#if defined(ORT_CPU_X86)
  if (simd::is_supported(simd::Isa::avx2)) all.push_back(&simd::reduce_table_avx2);
  if (simd::is_supported(simd::Isa::avx512)) all.push_back(&simd::reduce_table_avx512);
#endif
  return all;
}

std::vector<float> random_floats(size_t n, float low, float high, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(n);
  for (float& value : values) value = uniform(generator);
  return values;
}

double step(Reduction kind, double acc, double x, double shift) {
  switch (kind) {
    case Reduction::sum: return acc + x;
    case Reduction::sum_abs: return acc + std::fabs(x);
    case Reduction::sum_square: return acc + (x - shift) * (x - shift);
    case Reduction::sum_exp: return acc + std::exp(x - shift);
    case Reduction::product: return acc * x;
    case Reduction::max: return x > acc || x != x ? x : acc;
    case Reduction::min: return x < acc || x != x ? x : acc;
  }
  return acc;
}
double identity(Reduction kind) {
  return kind == Reduction::product ? 1 : kind == Reduction::max ? -kInfinity : kind == Reduction::min ? kInfinity : 0;
}

TEST(rows_of_all_lengths) {
  for (const ReduceTable* table : tables())
    for (int64_t n : {0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 63, 64, 65, 100, 257, 2047, 2048, 2049, 10000})
      for (int k = 0; k < kReductions; ++k) {
        const auto kind = static_cast<Reduction>(k);
        const auto x = kind == Reduction::product ? random_floats(n, 0.99f, 1.01f) : random_floats(n, -3, 3);
        const float shift = kind == Reduction::sum_square || kind == Reduction::sum_exp ? 0.75f : 0.f;
        double expected = identity(kind), magnitude = 1;
        for (float value : x) {
          expected = step(kind, expected, value, shift);
          magnitude += std::fabs(value);
        }
        const double actual = table->row[k](x.data(), n, shift);
        if (std::isinf(expected)) CHECK(actual == expected);
        else CHECK_NEAR(actual, expected, 2e-6 * (kind == Reduction::sum ? magnitude : std::fabs(expected) + 1));
      }
}

TEST(columns_of_all_widths) {
  for (const ReduceTable* table : tables())
    for (int64_t n : {1, 3, 8, 16, 17, 64, 100, 511, 512, 513, 1100})
      for (int64_t rows : {0, 1, 3, 4, 5, 64, 65, 130})
        for (int k = 0; k < kReductions; ++k) {
          const auto kind = static_cast<Reduction>(k);
          const int64_t stride = n + 5;
          const auto x = kind == Reduction::product ? random_floats(rows * stride, 0.9f, 1.1f)
                                                    : random_floats(rows * stride, -3, 3);
          const auto shift = random_floats(n, -1, 1, 2);
          const bool shifted = kind == Reduction::sum_square || kind == Reduction::sum_exp;
          std::vector<double> acc(n, identity(kind)), expected = acc;
          table->columns[k](acc.data(), x.data(), stride, rows, n, shifted ? shift.data() : nullptr);
          for (int64_t j = 0; j < n; ++j) {
            for (int64_t i = 0; i < rows; ++i)
              expected[j] = step(kind, expected[j], x[i * stride + j], shifted ? shift[j] : 0);
            if (std::isinf(expected[j])) CHECK(acc[j] == expected[j]);
            else CHECK_NEAR(acc[j], expected[j], 2e-5 * (std::fabs(expected[j]) + 1));
          }
        }
}

TEST(long_sums_keep_their_digits) {
  const std::vector<float> x(3'000'000, 0.1f);
  for (const ReduceTable* table : tables()) {
    CHECK_NEAR(table->row[0](x.data(), 3'000'000, 0) / (3e6 * static_cast<double>(0.1f)), 1, 1e-6);
    std::vector<double> acc(3, 0);
    table->columns[0](acc.data(), x.data(), 3, 1'000'000, 3, nullptr);
    CHECK_NEAR(acc[1] / (1e6 * static_cast<double>(0.1f)), 1, 1e-6);
  }
}

TEST(nan_wins_wherever_it_is) {
  for (const ReduceTable* table : tables())
    for (int64_t n : {1, 5, 16, 40, 200})
      for (int64_t at = 0; at < n; ++at) {
        auto x = random_floats(n, -1, 1);
        x[at] = kNaN;
        CHECK(std::isnan(table->row[static_cast<int>(Reduction::max)](x.data(), n, 0)));
        CHECK(std::isnan(table->row[static_cast<int>(Reduction::min)](x.data(), n, 0)));
        std::vector<double> acc(1, -kInfinity);
        table->columns[static_cast<int>(Reduction::max)](acc.data(), x.data(), 1, n, 1, nullptr);
        CHECK(std::isnan(acc[0]));
        CHECK(table->find_first(x.data(), n, kNaN) == at);
        CHECK(table->find_last(x.data(), n, kNaN) == at);
      }
}

TEST(searches_find_the_ends) {
  for (const ReduceTable* table : tables())
    for (int64_t n : {1, 5, 16, 40, 200, 1000})
      for (int64_t at = 0; at < n; at += 1 + n / 50) {
        std::vector<float> x(n, 0);
        x[at] = x[n - 1 - at] = 1;
        CHECK(table->find_first(x.data(), n, 1) == std::min(at, n - 1 - at));
        CHECK(table->find_last(x.data(), n, 1) == std::max(at, n - 1 - at));
        CHECK(table->find_first(x.data(), n, 2) == n);
        CHECK(table->find_last(x.data(), n, 2) == n);
      }
}

TEST(arg_of_columns) {
  for (const ReduceTable* table : tables())
    for (int64_t n : {1, 7, 16, 70, 150})
      for (int32_t rows : {1, 2, 9, 40})
        for (bool smallest : {false, true})
          for (bool last : {false, true}) {
            auto x = random_floats(n * rows, -2.4f, 2.4f);
            for (float& value : x) value = std::round(value);
            x[x.size() / 2] = kNaN;
            std::vector<int64_t> index(n);
            table->arg_columns(index.data(), x.data(), n, rows, n, smallest, last);
            for (int64_t j = 0; j < n; ++j) {
              int64_t best = 0;
              for (int64_t i = 1; i < rows; ++i) {
                const float a = x[best * n + j], b = x[i * n + j];
                const bool ties = a == b || (std::isnan(a) && std::isnan(b));
                const bool wins = (std::isnan(b) && !std::isnan(a)) || (smallest ? b < a : b > a);
                if (wins || (ties && last)) best = i;
              }
              CHECK(index[j] == best);
            }
          }
}

std::vector<const simd::ScanTable*> scan_tables() {
  std::vector<const simd::ScanTable*> all{&simd::scan_table_baseline};
#if defined(ORT_CPU_X86)
  if (simd::is_supported(simd::Isa::avx2)) all.push_back(&simd::scan_table_avx2);
  if (simd::is_supported(simd::Isa::avx512)) all.push_back(&simd::scan_table_avx512);
#endif
  return all;
}

TEST(running_sums_of_rows_and_columns) {
  for (const simd::ScanTable* table : scan_tables())
    for (int64_t n : {1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 100, 5000})
      for (int64_t columns : {1, 3, 16, 300})
        for (bool exclusive : {false, true})
          for (bool reverse : {false, true}) {
            const auto x = random_floats(n * columns, -1, 1);
            auto y = x;
            table->sum_columns(y.data(), y.data(), n, columns, columns, exclusive, reverse);
            auto row = x;
            if (columns == 1) table->sum_row(row.data(), row.data(), n, exclusive, reverse);
            for (int64_t j = 0; j < columns; ++j) {
              double sum = 0, magnitude = 0;
              for (int64_t k = 0; k < n; ++k) {
                const int64_t i = (reverse ? n - 1 - k : k) * columns + j;
                const double before = sum;
                sum += static_cast<double>(x[i]);
                magnitude = std::max(magnitude, std::fabs(sum));
                CHECK_NEAR(y[i], exclusive ? before : sum, 1e-7 * (1 + magnitude));
                if (columns == 1) CHECK_NEAR(row[i], exclusive ? before : sum, 1e-6 * (1 + magnitude));
              }
            }
          }
}

}  // namespace
}  // namespace ort_cpu

TEST_MAIN()
