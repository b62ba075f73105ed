// Products of float32 matrices against sums in double, at every level of instructions that this processor has.
#include "simd/gemm.h"

#include <random>
#include <vector>

#include "simd/gemv.h"
#include "tests/check.h"

namespace {

using ort_cpu::ActivationKind;
using ort_cpu::simd::GemmCall;
using ort_cpu::simd::GemmTable;
using ort_cpu::simd::GemvTable;
using ort_cpu::simd::Isa;

struct Level {
  Isa isa;
  const GemmTable& gemm;
  const GemvTable& gemv;
};

std::vector<Level> levels() {
  std::vector<Level> all{{Isa::baseline, ort_cpu::simd::gemm_table_baseline, ort_cpu::simd::gemv_table_baseline}};
#if defined(ORT_CPU_X86)
  if (is_supported(Isa::avx2))
    all.push_back({Isa::avx2, ort_cpu::simd::gemm_table_avx2, ort_cpu::simd::gemv_table_avx2});
  if (is_supported(Isa::avx512))
    all.push_back({Isa::avx512, ort_cpu::simd::gemm_table_avx512, ort_cpu::simd::gemv_table_avx512});
#endif
  return all;
}

std::vector<float> random_floats(size_t n) {
  static std::mt19937 engine(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(n);
  for (float& value : values) value = uniform(engine);
  return values;
}

int64_t packed_floats(const GemmTable& table, int64_t k, int64_t n) {
  return (n + table.panel_columns - 1) / table.panel_columns * table.panel_columns * k;
}
int64_t panels(const GemmTable& table, int64_t n) { return (n + table.panel_columns - 1) / table.panel_columns; }

struct Problem {
  int64_t m, n, k;
  std::vector<float> a, b, bt, bias, row_bias, residual;
  std::vector<double> product;

  Problem(int64_t m, int64_t n, int64_t k)
      : m(m),
        n(n),
        k(k),
        a(random_floats(m * k)),
        b(random_floats(k * n)),
        bt(n * k),
        bias(random_floats(n)),
        row_bias(random_floats(m)),
        residual(random_floats(m * n)),
        product(m * n) {
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < n; ++j) bt[j * k + i] = b[i * n + j];
    for (int64_t r = 0; r < m; ++r)
      for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < n; ++j) product[r * n + j] += static_cast<double>(a[r * k + i]) * b[i * n + j];
  }
  GemmCall call(std::vector<float>& c) const {
    return {.m = m,
            .n = n,
            .k = k,
            .a = a.data(),
            .lda = k,
            .b = b.data(),
            .ldb = n,
            .c = c.data(),
            .ldc = n + 1,
            .epilogue = {}};
  }
};

/// Checks C against the epilogue of the exact product, and that the column beyond C is untouched.
void check(const Problem& p, const GemmCall& call, const std::vector<float>& c) {
  const auto& e = call.epilogue;
  int wrong = 0;
  for (int64_t r = 0; r < p.m; ++r) {
    for (int64_t j = 0; j < p.n; ++j) {
      double y = p.product[r * p.n + j] * e.alpha;
      if (e.bias) y += e.beta * e.bias[j];
      if (e.row_bias) y += e.beta * e.row_bias[r];
      if (e.residual) y += e.beta * e.residual[r * e.residual_stride + j];
      if (e.activation.kind == ActivationKind::relu) y = std::max(y, 0.0);
      if (e.activation.kind == ActivationKind::clip)
        y = std::min(std::max<double>(y, e.activation.alpha), double(e.activation.beta));
      if (e.activation.kind == ActivationKind::tanh) y = std::tanh(y);
      wrong += !(std::fabs(c[r * call.ldc + j] - y) < 1e-5 * std::sqrt(p.k + 1.0) + 1e-5);
    }
    wrong += c[r * call.ldc + p.n] != 99;
  }
  if (wrong) std::printf("  m=%d n=%d k=%d: %d wrong\n", int(p.m), int(p.n), int(p.k), wrong);
  CHECK(wrong == 0);
}

void check_all_ways(const Problem& p, const ort_cpu::simd::GemmEpilogue& epilogue) {
  for (const Level& level : levels()) {
    std::vector<float> c(p.m * (p.n + 1), 99.0f), packed(packed_floats(level.gemm, p.k, p.n), 55.0f);
    GemmCall call = p.call(c);
    call.epilogue = epilogue;
    const int64_t last = panels(level.gemm, p.n);
    const auto multiply_packed = [&] {
      call.b = packed.data();
      std::fill(c.begin(), c.end(), 99.0f);
      level.gemm.multiply(call, 0, p.m / 2, 0, last);
      level.gemm.multiply(call, p.m / 2, p.m, 0, last / 2);
      level.gemm.multiply(call, p.m / 2, p.m, last / 2, last);
      check(p, call, c);
    };
    level.gemm.pack(p.b.data(), p.n, 1, p.k, p.n, 0, last, packed.data());
    multiply_packed();
    std::fill(packed.begin(), packed.end(), 55.0f);
    level.gemm.pack(p.bt.data(), 1, p.k, p.k, p.n, 0, last, packed.data());
    multiply_packed();

    std::fill(c.begin(), c.end(), 99.0f);
    call.b = p.b.data();
    level.gemv.multiply(call, 0, p.n / 3);
    level.gemv.multiply(call, p.n / 3, p.n);
    check(p, call, c);

    std::fill(c.begin(), c.end(), 99.0f);
    call.b = p.bt.data();
    call.ldb = p.k;
    level.gemv.multiply_transposed(call, 0, p.n / 3);
    level.gemv.multiply_transposed(call, p.n / 3, p.n);
    check(p, call, c);
  }
}

TEST(products_of_all_small_shapes) {
  for (int64_t m : {1, 2, 3, 5, 6, 7, 13, 29})
    for (int64_t n : {1, 3, 4, 8, 15, 16, 17, 31, 48, 64, 65, 100, 130})
      for (int64_t k : {0, 1, 3, 4, 17, 64}) check_all_ways(Problem(m, n, k), {});
}

TEST(long_products_are_cut) {
  for (int64_t k : {1000, 1024, 1025, 2050}) check_all_ways(Problem(20, 70, k), {});
}

TEST(many_rows_are_cut) { check_all_ways(Problem(1100, 33, 300), {}); }

TEST(every_part_of_the_epilogue) {
  const Problem p(23, 75, 1500);
  ort_cpu::simd::GemmEpilogue e;
  e.alpha = 0.5f;
  e.beta = 2.0f;
  check_all_ways(p, e);
  e.bias = p.bias.data();
  check_all_ways(p, e);
  e.row_bias = p.row_bias.data();
  check_all_ways(p, e);
  e.residual = p.residual.data();
  e.residual_stride = p.n;
  check_all_ways(p, e);
  e.activation = {ActivationKind::relu, 0, 0};
  check_all_ways(p, e);
  e.activation = {ActivationKind::clip, -0.5f, 0.75f};
  check_all_ways(p, e);
  e.activation = {ActivationKind::tanh, 0, 0};
  check_all_ways(p, e);
}

TEST(gated_products) {
  for (const Level& level : levels())
    for (int64_t m : {1, 5, 37, 100})
      for (int64_t n : {1, 20, 32, 77})
        for (int64_t k : {5, 64, 1100}) {
          const Problem gate(m, n, k);
          Problem up(m, n, k);
          std::vector<double> product(m * n);
          for (int64_t r = 0; r < m; ++r)
            for (int64_t j = 0; j < n; ++j) {
              double u = 0;
              for (int64_t i = 0; i < k; ++i) u += static_cast<double>(gate.a[r * k + i]) * up.b[i * n + j];
              product[r * n + j] = std::tanh(gate.product[r * n + j]) * u;
            }
          const int64_t half = level.gemm.panel_columns / 2, last = (n + half - 1) / half;
          std::vector<float> packed(last * half * 2 * k), c(m * (n + 1), 99.0f);
          for (bool transposed : {false, true}) {
            level.gemm.pack_gated((transposed ? gate.bt : gate.b).data(), (transposed ? up.bt : up.b).data(),
                                  transposed ? 1 : n, transposed ? k : 1, k, n, 0, last, packed.data());
            GemmCall call = gate.call(c);
            call.b = packed.data();
            call.epilogue.activation.kind = ActivationKind::tanh;
            level.gemm.multiply_gated(call, 0, m, 0, last);
            int wrong = 0;
            for (int64_t r = 0; r < m; ++r) {
              for (int64_t j = 0; j < n; ++j)
                wrong += !(std::fabs(c[r * (n + 1) + j] - product[r * n + j]) < 1e-4 * std::sqrt(double(k)));
              wrong += c[r * (n + 1) + n] != 99;
            }
            CHECK(wrong == 0);
          }
        }
}

TEST(transposes) {
  for (const Level& level : levels())
    for (int64_t m : {1, 4, 7, 16, 37})
      for (int64_t n : {1, 5, 16, 33}) {
        const std::vector<float> from = random_floats(m * (n + 2));
        std::vector<float> to(n * (m + 1), 99.0f);
        level.gemm.transpose(from.data(), n + 2, m, n, to.data(), m + 1);
        int wrong = 0;
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t i = 0; i < m; ++i) wrong += to[j * (m + 1) + i] != from[i * (n + 2) + j];
          wrong += to[j * (m + 1) + m] != 99;
        }
        CHECK(wrong == 0);
      }
}

}  // namespace

TEST_MAIN()
