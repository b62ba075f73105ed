// Programs of the Chain operator, against their expressions in double precision.
#include <cmath>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "ops/chain.h"
#include "tests/check.h"

using namespace ort_cpu;

namespace {

int64_t op(std::string_view name) {
  const auto opcodes = chain_opcodes();
  for (size_t i = 0; i < opcodes.size(); ++i)
    if (name == opcodes[i].name) return static_cast<int64_t>(i);
  throw std::runtime_error("no such opcode");
}

using Expression = std::function<double(double a, double b)>;

/// Evaluates a program of two inputs over several lengths, with each input moving or standing still.
void expect(const std::vector<int64_t>& program, const std::vector<float>& constants, const Expression& expression,
            double tolerance = 1e-6) {
  const ChainProgram chain(2, program, constants);
  for (int64_t n : {1, 5, 16, 1000, 5000}) {
    std::vector<float> a(n), b(n), y(n + 1);
    for (int64_t i = 0; i < n; ++i) {
      a[i] = static_cast<float>(std::sin(static_cast<double>(i) * 0.7) * 3);
      b[i] = static_cast<float>(std::cos(static_cast<double>(i) * 0.3) * 2 + 0.1);
    }
    for (int moving = 0; moving < 4; ++moving) {
      const int steps[] = {moving & 1, moving >> 1};
      const float* inputs[] = {a.data(), b.data()};
      y[n] = 42;
      chain.evaluate(inputs, steps, y.data(), n);
      double worst = 0;
      for (int64_t i = 0; i < n; ++i) {
        const double e = expression(a[i * steps[0]], b[i * steps[1]]);
        const double off = std::fabs(y[i] - e) / (1 + std::fabs(e));
        worst = std::isnan(off) ? 1e9 : std::max(worst, off);
      }
      CHECK(worst < tolerance);
      CHECK(y[n] == 42);
    }
  }
}

bool is_rejected(int n_inputs, const std::vector<int64_t>& program, const std::vector<float>& constants) {
  try {
    ChainProgram(n_inputs, program, constants);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::invalid_argument;
  }
  return false;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST(single_instructions) {
  expect({op("add"), 0, 1}, {}, [](double a, double b) { return a + b; });
  expect({op("tanh"), 1}, {}, [](double, double b) { return std::tanh(b); });
  expect({op("leaky_relu"), 0, 2}, {0.25f}, [](double a, double) { return a < 0 ? 0.25 * a : a; });
  expect({op("clip"), 0, 2, 3}, {-1.f, 0.5f}, [](double a, double) { return std::min(std::max(a, -1.0), 0.5); });
  expect({op("mul_add"), 0, 1, 2}, {3.f}, [](double a, double b) { return a * b + 3; });
  expect({op("select"), 1, 0, 2}, {9.f}, [](double a, double b) { return b == 0 ? 9 : a; });
}

TEST(what_is_combined_keeps_its_value) {
  expect({op("sigmoid"), 0, op("mul"), 0, 2}, {}, [](double a, double) { return a * sigmoid(a); });
  expect({op("sigmoid"), 0, op("mul"), 2, 1}, {}, [](double a, double b) { return b * sigmoid(a); });
  expect({op("sigmoid"), 0, op("mul"), 0, 2, op("mul"), 3, 1}, {},
         [](double a, double b) { return a * sigmoid(a) * b; });
  expect({op("add"), 0, 1, op("relu"), 2}, {}, [](double a, double b) { return std::max(0.0, a + b); });
  expect({op("mul"), 0, 1, op("relu"), 2}, {}, [](double a, double b) { return std::max(0.0, a * b); });
  expect({op("mul"), 0, 1, op("add"), 3, 2}, {5.f}, [](double a, double b) { return a * b + 5; });
  expect({op("mul"), 0, 1, op("sub"), 3, 2}, {5.f}, [](double a, double b) { return a * b - 5; });
  expect({op("mul"), 0, 1, op("sub"), 2, 3}, {5.f}, [](double a, double b) { return 5 - a * b; });
  expect({op("add"), 0, 1, op("mul"), 2, 3}, {5.f}, [](double a, double b) { return 5 * (a + b); });
}

TEST(values_that_are_used_again_are_not_combined_away) {
  expect({op("sigmoid"), 0, op("mul"), 0, 2, op("add"), 3, 2}, {},
         [](double a, double) { return a * sigmoid(a) + sigmoid(a); });
  expect({op("mul"), 0, 1, op("add"), 2, 2}, {}, [](double a, double b) { return 2 * a * b; });
  expect({op("add"), 0, 1, op("relu"), 2, op("sub"), 3, 2}, {},
         [](double a, double b) { return std::max(0.0, a + b) - (a + b); });
  expect({op("sigmoid"), 0, op("mul"), 2, 2}, {}, [](double a, double) { return sigmoid(a) * sigmoid(a); });
}

TEST(long_programs_reuse_their_slots) {
  std::vector<int64_t> program;
  int64_t value = 0, next = 2;
  for (int i = 0; i < 60; ++i) {
    program.insert(program.end(), {op("tanh"), value, op("sub"), next, 1});
    value = next + 1;
    next += 2;
  }
  const auto iterated = [](double a, double b) {
    for (int i = 0; i < 60; ++i) a = std::tanh(a) - b;
    return a;
  };
  expect(program, {}, iterated, 1e-5);
  std::vector<int64_t> wide;
  for (int i = 0; i < 40; ++i) wide.insert(wide.end(), {op("add"), 0, i == 0 ? 1 : i + 1});
  int64_t total = 2;
  for (int i = 1; i < 40; ++i) {
    wide.insert(wide.end(), {op("max"), total, i + 2});
    total = 42 + i - 1;
  }
  const auto largest_sum = [](double a, double b) {
    double most = a + b, sum = a + b;
    for (int i = 1; i < 40; ++i) sum += a, most = std::max(most, sum);
    return most;
  };
  expect(wide, {}, largest_sum, 1e-5);
}

TEST(constants_only) {
  expect({op("exp"), 2, op("mul"), 3, 2}, {0.5f}, [](double, double) { return std::exp(0.5) * 0.5; });
  expect({op("exp"), 2, op("mul"), 3, 0}, {0.5f}, [](double a, double) { return std::exp(0.5) * a; });
  expect({op("pow"), 2, 2, op("pow"), 3, 1}, {1.5f}, [](double, double b) { return std::pow(std::pow(1.5, 1.5), b); });
}

TEST(malformed_programs_are_rejected) {
  CHECK(is_rejected(1, {}, {}));
  CHECK(is_rejected(1, {op("add"), 0}, {}));
  CHECK(is_rejected(1, {op("add"), 0, 1}, {}));
  CHECK(is_rejected(1, {op("add"), 0, -1}, {}));
  CHECK(is_rejected(1, {-1, 0, 0}, {}));
  CHECK(is_rejected(1, {int64_t{1} << 40, 0, 0}, {}));
  CHECK(is_rejected(1, {op("exp"), int64_t{1} << 40}, {}));
  CHECK(is_rejected(2, {op("leaky_relu"), 0, 1}, {}));
  CHECK(is_rejected(1, {op("exp"), 0, op("leaky_relu"), 0, 2}, {1.f}));
}

TEST_MAIN()
