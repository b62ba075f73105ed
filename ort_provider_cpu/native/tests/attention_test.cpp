// Attention of one head against sums in double, at every level of instructions that this processor has.
#include "simd/attention.h"

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/check.h"

namespace {

using ort_cpu::simd::AttentionHead;
using ort_cpu::simd::AttentionTable;
using ort_cpu::simd::Isa;

constexpr int64_t kUnbounded = int64_t{1} << 40;

std::vector<const AttentionTable*> tables() {
  std::vector<const AttentionTable*> all{&ort_cpu::simd::attention_table_baseline};
#if defined(ORT_CPU_X86)
  if (is_supported(Isa::avx2)) all.push_back(&ort_cpu::simd::attention_table_avx2);
  if (is_supported(Isa::avx512)) all.push_back(&ort_cpu::simd::attention_table_avx512);
#endif
  return all;
}

std::vector<float> random_floats(size_t n) {
  static std::mt19937 engine(11);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(n);
  for (float& value : values) value = uniform(engine);
  return values;
}

struct Problem {
  std::vector<float> q, k, v, mask, out;
  AttentionHead head;

  Problem(int64_t rows, int64_t keys, int64_t depth, int64_t value_depth, bool k_transposed, bool masked)
      : q(random_floats(rows * (depth + 3))),
        k(random_floats((keys + 3) * (depth + 3))),
        v(random_floats(keys * (value_depth + 5))),
        mask(random_floats(rows * keys)),
        out(rows * (value_depth + 1), 99.0f),
        head{.rows = rows,
             .keys = keys,
             .depth = depth,
             .value_depth = value_depth,
             .q = q.data(),
             .q_stride = depth + 3,
             .k = k.data(),
             .k_stride = k_transposed ? keys + 3 : depth + 3,
             .k_transposed = k_transposed,
             .v = v.data(),
             .v_stride = value_depth + 5,
             .out = out.data(),
             .out_stride = value_depth + 1,
             .mask = masked ? mask.data() : nullptr,
             .mask_row = keys,
             .mask_column = 1,
             .position = 0,
             .position_step = 1,
             .left = kUnbounded,
             .right = kUnbounded,
             .key_limit = keys,
             .scale = 0.3f,
             .softcap = 0} {}

  void check() {
    std::vector<double> expected(head.rows * head.value_depth);
    for (int64_t r = 0; r < head.rows; ++r) {
      std::vector<double> scores(head.keys);
      double largest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t t = 0; t < head.keys; ++t) {
        double s = 0;
        for (int64_t d = 0; d < head.depth; ++d)
          s += double(q[r * head.q_stride + d]) * k[head.k_transposed ? d * head.k_stride + t : t * head.k_stride + d];
        s *= head.scale;
        if (head.softcap > 0) s = head.softcap * std::tanh(s / head.softcap);
        if (head.mask) s += mask[r * head.mask_row + t * head.mask_column];
        const int64_t p = head.position + r * head.position_step;
        if (t < p - head.left || t > p + head.right || t >= head.key_limit)
          s = -std::numeric_limits<double>::infinity();
        scores[t] = s;
        largest = std::max(largest, s);
      }
      for (double& s : scores) {
        s = largest == -std::numeric_limits<double>::infinity() ? 0 : std::exp(s - largest);
        sum += s;
      }
      for (int64_t t = 0; t < head.keys; ++t)
        for (int64_t d = 0; d < head.value_depth; ++d)
          if (sum > 0) expected[r * head.value_depth + d] += scores[t] / sum * v[t * head.v_stride + d];
    }
    for (const AttentionTable* table : tables()) {
      std::vector<float> scratch(table->scratch_floats(head.rows, head.keys, head.depth, head.value_depth) + 1, 99.0f);
      std::fill(out.begin(), out.end(), 99.0f);
      table->attend(head, scratch.data());
      int wrong = 0;
      for (int64_t r = 0; r < head.rows; ++r) {
        for (int64_t d = 0; d < head.value_depth; ++d)
          wrong += !(std::fabs(out[r * head.out_stride + d] - expected[r * head.value_depth + d]) < 3e-6);
        wrong += out[r * head.out_stride + head.value_depth] != 99;
      }
      wrong += scratch.back() != 99;
      if (wrong) std::printf("  rows=%d keys=%d: %d wrong\n", int(head.rows), int(head.keys), wrong);
      CHECK(wrong == 0);
    }
  }
};

TEST(all_sizes) {
  for (int64_t rows : {1, 4, 6, 7, 13, 50})
    for (int64_t keys : {0, 1, 15, 64, 65, 130, 600, 1300})
      for (int64_t depth : {8, 64})
        for (int64_t value_depth : {5, 64, 100})
          for (bool transposed : {false, true})
            Problem(rows, keys, depth, value_depth, transposed, keys % 2 == 0).check();
}

TEST(windows_and_limits) {
  for (int64_t rows : {1, 5, 30})
    for (int64_t keys : {20, 70, 700, 1100})
      for (int64_t position : {int64_t{-7}, int64_t{0}, keys - rows})
        for (int64_t left : {int64_t{0}, int64_t{9}, kUnbounded})
          for (int64_t right : {int64_t{0}, int64_t{2}, kUnbounded})
            for (int64_t limit : {int64_t{0}, int64_t{13}, keys}) {
              Problem p(rows, keys, 16, 24, false, position == 0);
              p.head.position = position;
              p.head.left = left;
              p.head.right = right;
              p.head.key_limit = limit;
              p.check();
            }
}

TEST(softcap_and_broadcast_masks) {
  for (int64_t rows : {3, 20}) {
    Problem p(rows, 90, 32, 32, false, true);
    p.head.softcap = 0.5f;
    p.check();
    p.head.mask_row = 0;
    p.check();
    p.head.mask_column = 0;
    p.head.mask_row = 1;
    p.check();
  }
}

TEST(masked_rows_are_zero) {
  for (int64_t rows : {2, 9}) {
    Problem p(rows, 700, 16, 16, false, true);
    std::fill(p.mask.begin(), p.mask.begin() + 700, -std::numeric_limits<float>::infinity());
    std::fill(p.mask.begin() + 700, p.mask.begin() + 1300, -std::numeric_limits<float>::infinity());
    p.check();
  }
}

TEST(nan_stays_nan) {
  for (int64_t rows : {2, 9}) {
    Problem p(rows, 40, 16, 16, false, false);
    std::fill(p.q.begin(), p.q.begin() + 16, std::numeric_limits<float>::quiet_NaN());
    for (const AttentionTable* table : tables()) {
      std::vector<float> scratch(table->scratch_floats(rows, 40, 16, 16));
      table->attend(p.head, scratch.data());
      CHECK(std::isnan(p.out[0]) && std::isnan(p.out[15]) && !std::isnan(p.out[17]));
    }
  }
}

TEST(rotations) {
  for (const AttentionTable* table : tables())
    for (int64_t half : {1, 7, 16, 35})
      for (bool interleaved : {false, true}) {
        const std::vector<float> x = random_floats(2 * half), c = random_floats(half), s = random_floats(half);
        std::vector<float> out(2 * half);
        table->rotate(x.data(), c.data(), s.data(), half, interleaved, out.data());
        for (int64_t i = 0; i < half; ++i) {
          const int64_t first = interleaved ? 2 * i : i, second = interleaved ? 2 * i + 1 : half + i;
          CHECK_NEAR(out[first], c[i] * x[first] - s[i] * x[second], 1e-6);
          CHECK_NEAR(out[second], s[i] * x[first] + c[i] * x[second], 1e-6);
        }
      }
}

}  // namespace

TEST_MAIN()
