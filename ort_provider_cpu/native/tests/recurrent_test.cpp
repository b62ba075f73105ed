// The inner loops of recurrent layers at every level that this processor runs, against scalar loops.
#include "simd/recurrent.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/check.h"

namespace {

using ort_cpu::simd::Isa;
using ort_cpu::simd::RecurrentTable;

std::vector<const RecurrentTable*> tables() {
  std::vector<const RecurrentTable*> all{&ort_cpu::simd::recurrent_table_baseline};
#if defined(ORT_CPU_X86)
  if (is_supported(Isa::avx2)) all.push_back(&ort_cpu::simd::recurrent_table_avx2);
  if (is_supported(Isa::avx512)) all.push_back(&ort_cpu::simd::recurrent_table_avx512);
#endif
  return all;
}

std::vector<float> random_floats(int64_t n) {
  static std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = normal(generator);
  return values;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double clip(double x, double bound) { return std::min(std::max(x, -bound), bound); }

constexpr float kBounds[] = {0.4f, std::numeric_limits<float>::infinity()};

TEST(products_of_any_number_of_rows_and_columns) {
  for (const RecurrentTable* table : tables())
    for (int groups : {1, 2, 3, 4})
      for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 13, 24})
        for (int64_t k : {0, 1, 2, 7, 33})
          for (bool biased : {false, true}) {
            const int64_t width = groups * 16, a_stride = k + 3, out_stride = width + 5;
            const auto a = random_floats(m * a_stride), panel = random_floats(k * width), bias = random_floats(width);
            std::vector<float> out(static_cast<size_t>(m * out_stride), 7.0f);
            table->product(out.data(), out_stride, biased ? bias.data() : nullptr, a.data(), a_stride, m, k,
                           panel.data(), groups);
            double worst = 0;
            for (int64_t r = 0; r < m; ++r) {
              for (int64_t j = 0; j < width; ++j) {
                double expected = biased ? bias[j] : 0;
                for (int64_t i = 0; i < k; ++i)
                  expected += static_cast<double>(a[r * a_stride + i]) * panel[i * width + j];
                worst = std::max(worst, std::fabs(out[r * out_stride + j] - expected));
              }
              for (int64_t j = width; j < out_stride; ++j) CHECK(out[r * out_stride + j] == 7.0f);
            }
            CHECK_NEAR(worst, 0, 3e-5);
          }
}

TEST(lstm_gates_with_and_without_peepholes) {
  for (const RecurrentTable* table : tables())
    for (float bound : kBounds)
      for (bool peepholes : {false, true})
        for (bool input_forget : {false, true}) {
          const auto recurrent = random_floats(64), projected = random_floats(64), weights = random_floats(48);
          auto c = random_floats(16);
          const auto before = c;
          std::vector<float> h(16);
          const float* p = peepholes ? weights.data() : nullptr;
          table->lstm({recurrent.data(),
                       projected.data(),
                       {p, p ? p + 16 : p, p ? p + 32 : p},
                       c.data(),
                       h.data(),
                       bound,
                       input_forget});
          for (int u = 0; u < 16; ++u) {
            const auto gate = [&](int g) { return static_cast<double>(recurrent[g * 16 + u]) + projected[g * 16 + u]; };
            const auto peep = [&](int g, double cell) { return peepholes ? weights[g * 16 + u] * cell : 0.0; };
            const double i = sigmoid(clip(gate(0) + peep(0, before[u]), bound));
            const double f = input_forget ? 1 - i : sigmoid(clip(gate(2) + peep(2, before[u]), bound));
            const double cell = f * before[u] + i * std::tanh(clip(gate(3), bound));
            CHECK_NEAR(c[u], cell, 2e-6);
            CHECK_NEAR(h[u], sigmoid(clip(gate(1) + peep(1, cell), bound)) * std::tanh(cell), 2e-6);
          }
        }
}

TEST(gru_gates_in_one_step_and_in_two) {
  for (const RecurrentTable* table : tables())
    for (float bound : kBounds) {
      const auto recurrent = random_floats(48), projected = random_floats(48), bias = random_floats(16),
                 before = random_floats(16);
      std::vector<float> h(16), z(16), reset(16), updated(16);
      table->gru({recurrent.data(), projected.data(), bias.data(), before.data(), h.data(), bound});
      table->gru_reset({recurrent.data(), projected.data(), before.data(), z.data(), reset.data(), bound});
      table->gru_update({recurrent.data() + 32, projected.data() + 32, z.data(), before.data(), updated.data(), bound});
      for (int u = 0; u < 16; ++u) {
        const auto gate = [&](int g) {
          return sigmoid(clip(static_cast<double>(recurrent[g * 16 + u]) + projected[g * 16 + u], bound));
        };
        const double linear = projected[32 + u] + gate(1) * (static_cast<double>(recurrent[32 + u]) + bias[u]);
        const double plain = static_cast<double>(recurrent[32 + u]) + projected[32 + u];
        CHECK_NEAR(h[u], (1 - gate(0)) * std::tanh(clip(linear, bound)) + gate(0) * before[u], 2e-6);
        CHECK_NEAR(reset[u], gate(1) * before[u], 2e-6);
        CHECK_NEAR(updated[u], (1 - gate(0)) * std::tanh(clip(plain, bound)) + gate(0) * before[u], 2e-6);
      }
    }
}

TEST(rnn_gates_are_hyperbolic_tangents) {
  for (const RecurrentTable* table : tables())
    for (float bound : kBounds) {
      const auto recurrent = random_floats(16), projected = random_floats(16);
      std::vector<float> h(16);
      table->rnn(recurrent.data(), projected.data(), h.data(), bound);
      for (int u = 0; u < 16; ++u)
        CHECK_NEAR(h[u], std::tanh(clip(static_cast<double>(recurrent[u]) + projected[u], bound)), 1e-6);
    }
}

}  // namespace

TEST_MAIN()
