// A minimal test runner: TEST cases that CHECK, one executable for each file.
#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

namespace ort_cpu::testing {

struct Case {
  const char* name;
  void (*body)();
};
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
inline int& failures() {
  static int count = 0;
  return count;
}
struct Add {
  Add(const char* name, void (*body)()) { cases().push_back({name, body}); }
};
inline int run_all() {
  for (const Case& test : cases()) {
    const int before = failures();
    try {
      test.body();
    } catch (const std::exception& error) {
      std::printf("  threw: %s\n", error.what());
      ++failures();
    }
    std::printf("%s %s\n", failures() == before ? "ok  " : "FAIL", test.name);
  }
  return failures() == 0 ? 0 : 1;
}

}  // namespace ort_cpu::testing

#define TEST(name)                                            \
  static void name();                                         \
  static const ort_cpu::testing::Add add_##name(#name, name); \
  static void name()
#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition)) {                                             \
      std::printf("  %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++ort_cpu::testing::failures();                               \
    }                                                               \
  } while (false)
#define CHECK_NEAR(actual, expected, tolerance)                                                 \
  do {                                                                                          \
    const double a_ = (actual), e_ = (expected);                                                \
    if (!(std::fabs(a_ - e_) <= (tolerance))) {                                                 \
      std::printf("  %s:%d: %s is %.9g, expected %.9g\n", __FILE__, __LINE__, #actual, a_, e_); \
      ++ort_cpu::testing::failures();                                                           \
    }                                                                                           \
  } while (false)
#define TEST_MAIN() \
  int main() { return ort_cpu::testing::run_all(); }
