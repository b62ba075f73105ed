// The inner loops of pooling at every level that this processor runs, against scalar loops.
#include "simd/pool.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/check.h"

namespace {

using ort_cpu::simd::Isa;
using ort_cpu::simd::PoolTable;

std::vector<const PoolTable*> tables() {
  std::vector<const PoolTable*> all{&ort_cpu::simd::pool_table_baseline};
#if defined(ORT_CPU_X86)
  if (is_supported(Isa::avx2)) all.push_back(&ort_cpu::simd::pool_table_avx2);
  if (is_supported(Isa::avx512)) all.push_back(&ort_cpu::simd::pool_table_avx512);
#endif
  return all;
}

std::vector<float> random_floats(size_t n) {
  static std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(generator);
  return values;
}

TEST(rows_are_reduced_element_by_element) {
  for (const PoolTable* table : tables()) {
    for (int64_t n : {1, 3, 7, 16, 33, 64, 100}) {
      const auto in = random_floats(static_cast<size_t>(2 * 200 + 3 * 110 + n));
      std::vector<float> largest(n), total(n);
      table->max_rows(largest.data(), in.data(), 2, 200, 3, 110, n);
      table->sum_rows(total.data(), in.data(), 2, 200, 3, 110, n);
      for (int64_t i = 0; i < n; ++i) {
        float best = in[i], sum = 0;
        for (int a = 0; a < 2; ++a)
          for (int b = 0; b < 3; ++b)
            best = std::max(best, in[a * 200 + b * 110 + i]), sum += in[a * 200 + b * 110 + i];
        CHECK(largest[i] == best);
        CHECK_NEAR(total[i], sum, 1e-5);
      }
    }
  }
}

TEST(windows_slide_with_any_stride_and_dilation) {
  for (const PoolTable* table : tables()) {
    for (int64_t block : {1, 16})
      for (int64_t n : {1, 5, 16, 17, 18, 33, 47})
        for (int64_t taps : {1, 2, 3, 5, 40})
          for (int64_t dilation : {1, 2})
            for (int64_t stride : {1, 2, 3}) {
              const auto in =
                  random_floats(static_cast<size_t>(((n - 1) * stride + (taps - 1) * dilation + 1) * block));
              std::vector<float> largest(n * block), total(n * block);
              table->max_slide(largest.data(), in.data(), block, taps, dilation, stride, n);
              table->sum_slide(total.data(), in.data(), block, taps, dilation, stride, n);
              bool same = true;
              for (int64_t i = 0; i < n; ++i)
                for (int64_t j = 0; j < block; ++j) {
                  float best = -std::numeric_limits<float>::infinity(), sum = 0;
                  for (int64_t k = 0; k < taps; ++k) {
                    const float value = in[(i * stride + k * dilation) * block + j];
                    best = std::max(best, value), sum += value;
                  }
                  same &= largest[i * block + j] == best && std::fabs(total[i * block + j] - sum) < 1e-4f;
                }
              CHECK(same);
            }
  }
}

TEST(a_nan_wins_wherever_it_is) {
  for (const PoolTable* table : tables())
    for (int64_t n : {3, 40, 150})
      for (int64_t place : {int64_t{0}, n / 2, n - 1}) {
        auto in = random_floats(static_cast<size_t>(n));
        in[place] = std::numeric_limits<float>::quiet_NaN();
        CHECK(std::isnan(table->max_all(in.data(), n)));
        std::vector<float> out(1);
        table->max_slide(out.data(), in.data(), 1, n, 1, 1, 1);
        CHECK(std::isnan(out[0]));
        table->max_rows(out.data(), in.data(), 1, 0, n, 1, 1);
        CHECK(std::isnan(out[0]));
      }
}

TEST(windows_of_planes_with_padding_and_a_nan_anywhere) {
  struct Axis {
    int64_t size, kernel, stride, dilation, begin, out;
  };
  for (const PoolTable* table : tables())
    for (int64_t block : {1, 16})
      for (const Axis& axis : {Axis{20, 5, 1, 1, 2, 20}, Axis{37, 3, 2, 1, 1, 19}, Axis{20, 2, 1, 20, 10, 20}})
        for (int64_t nan : {int64_t{-1}, int64_t{0}, axis.size * axis.size - 1}) {
          auto in = random_floats(static_cast<size_t>(axis.size * axis.size * block));
          if (nan >= 0) in[nan * block] = std::numeric_limits<float>::quiet_NaN();
          const int64_t padded =
              std::max(axis.begin + axis.size, (axis.out - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1);
          std::vector<float> line(padded * block, -std::numeric_limits<float>::infinity());
          std::vector<float> out(axis.out * axis.out * block);
          table->max_windows({out.data(), in.data(), line.data(), 0, axis.out, 1, 0, axis.size, axis.kernel,
                              axis.stride, axis.dilation, axis.begin, axis.size, axis.begin, axis.out, axis.kernel,
                              axis.stride, axis.dilation, block});
          bool same = true;
          for (int64_t i = 0; i < axis.out; ++i)
            for (int64_t j = 0; j < axis.out; ++j)
              for (int64_t lane = 0; lane < block; ++lane) {
                float best = -std::numeric_limits<float>::infinity();
                for (int64_t a = 0; a < axis.kernel; ++a)
                  for (int64_t b = 0; b < axis.kernel; ++b) {
                    const int64_t h = i * axis.stride - axis.begin + a * axis.dilation;
                    const int64_t w = j * axis.stride - axis.begin + b * axis.dilation;
                    if (h < 0 || w < 0 || h >= axis.size || w >= axis.size) continue;
                    const float value = in[(h * axis.size + w) * block + lane];
                    best = value > best || std::isnan(value) ? value : best;
                    if (std::isnan(best)) a = b = axis.kernel;
                  }
                const float result = out[(i * axis.out + j) * block + lane];
                same &= result == best || (std::isnan(result) && std::isnan(best));
              }
          CHECK(same);
        }
}

TEST(planes_are_summed) {
  for (const PoolTable* table : tables()) {
    for (int64_t n : {1, 9, 49, 200}) {
      const auto in = random_floats(static_cast<size_t>(n * 16));
      double total = 0;
      for (int64_t i = 0; i < n; ++i) total += in[i];
      CHECK_NEAR(table->sum_all(in.data(), n), total, 1e-4);
      float sums[16];
      table->sum_blocks(sums, in.data(), n);
      for (int j = 0; j < 16; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += in[i * 16 + j];
        CHECK_NEAR(sums[j], sum, 1e-4);
      }
    }
  }
}

TEST(rows_are_divided_by_their_counts) {
  for (const PoolTable* table : tables())
    for (int64_t block : {1, 16}) {
      std::vector<float> out(37 * block, 12.0f), counts(37);
      for (int i = 0; i < 37; ++i) counts[i] = static_cast<float>(1 + i % 3);
      table->divide(out.data(), counts.data(), 2, block, 37);
      for (int64_t i = 0; i < 37 * block; ++i) CHECK(out[i] == 12.0f / (counts[i / block] * 2));
    }
}

}  // namespace

TEST_MAIN()
