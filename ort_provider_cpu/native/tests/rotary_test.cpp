// The rotations of every level of instructions against loops in double.
#include "simd/rotary.h"

#include <random>
#include <vector>

#include "tests/check.h"

namespace ort_cpu {
namespace {

using simd::RotaryTable;

std::vector<const RotaryTable*> tables() {
  std::vector<const RotaryTable*> all{&simd::rotary_table_baseline};
#if defined(ORT_CPU_X86)
  if (simd::is_supported(simd::Isa::avx2)) all.push_back(&simd::rotary_table_avx2);
  if (simd::is_supported(simd::Isa::avx512)) all.push_back(&simd::rotary_table_avx512);
#endif
  return all;
}

std::vector<float> random_floats(size_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(generator);
  return values;
}

TEST(halves_rotate_at_every_level_also_in_place) {
  for (const RotaryTable* table : tables()) {
    for (int64_t half : {0, 1, 3, 4, 8, 15, 16, 17, 32, 37, 64}) {
      const auto x = random_floats(2 * half, 1), cos = random_floats(2 * half, 2), sin = random_floats(2 * half, 3);
      std::vector<float> y(2 * half + 1, 7.f), z = x;
      table->rotate_half(y.data(), x.data(), cos.data(), sin.data(), half);
      table->rotate_half(z.data(), z.data(), cos.data(), sin.data(), half);
      for (int64_t i = 0; i < 2 * half; ++i) {
        const double turned = i < half ? -static_cast<double>(x[i + half]) : x[i - half];
        CHECK_NEAR(y[i], static_cast<double>(x[i]) * cos[i] + turned * sin[i], 2e-6);
        CHECK(y[i] == z[i]);
      }
      CHECK(y[2 * half] == 7.f);
    }
  }
}

}  // namespace
}  // namespace ort_cpu

TEST_MAIN()
