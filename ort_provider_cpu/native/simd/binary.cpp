#include "simd/binary.h"

#include "simd/math.h"

namespace {

using ort_cpu::simd::Binary;
using ort_cpu::simd::Compare;
using ort_cpu::simd::Ternary;

template <Binary K>
ORT_CPU_INLINE Vec apply(Vec a, Vec b) {
  if constexpr (K == Binary::add) return a + b;
  else if constexpr (K == Binary::sub) return a - b;
  else if constexpr (K == Binary::mul) return a * b;
  else if constexpr (K == Binary::div) return a / b;
  else if constexpr (K == Binary::max) return a != a ? a : larger(a, b);
  else if constexpr (K == Binary::min) return a != a ? a : smaller(a, b);
  else if constexpr (K == Binary::prelu) return a < 0.f ? a * b : a;
  else if constexpr (K == Binary::add_relu) return larger(Vec{}, a + b);
  else if constexpr (K == Binary::mul_relu) return larger(Vec{}, a * b);
  else if constexpr (K == Binary::mul_silu) return a * b / (exp(-a) + 1.f);
  else if constexpr (K == Binary::mul_sigmoid) return a / (exp(-b) + 1.f);
}

template <Ternary K>
ORT_CPU_INLINE Vec apply(Vec a, Vec b, Vec c) {
  if constexpr (K == Ternary::mul_add) return fma(a, b, c);
  else if constexpr (K == Ternary::mul_sub) return fma(a, b, -c);
  else if constexpr (K == Ternary::sub_mul) return fma(-a, b, c);
  else if constexpr (K == Ternary::add_mul) return (a + b) * c;
  else if constexpr (K == Ternary::select) return a == 0.f ? c : b;
}

/// Reads an operand at each position: its elements, or the same one.
template <int kStep>
struct Operand {
  ORT_CPU_INLINE explicit Operand(const float* p) : p(p) {
    if constexpr (kStep == 0) all = set1(*p);
  }
  ORT_CPU_INLINE Vec at(int64_t i) const {
    if constexpr (kStep == 0) return all;
    else return load(p + i);
  }
  ORT_CPU_INLINE Vec first(int64_t i, int n) const {
    if constexpr (kStep == 0) return all;
    else return load_first(p + i, n);
  }
  const float* p;
  Vec all;
};

template <Binary K, int kA, int kB>
void loop(const float* a, const float* b, float* y, int64_t n) {
  const Operand<kA> va(a);
  const Operand<kB> vb(b);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, apply<K>(va.at(i), vb.at(i)));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_first(y + i, apply<K>(va.first(i, rest), vb.first(i, rest)), rest);
}

template <Binary K>
void binary(const void* pa, const void* pb, void* py, int64_t n, int a_step, int b_step) {
  const float *a = static_cast<const float*>(pa), *b = static_cast<const float*>(pb);
  float* y = static_cast<float*>(py);
  if (n == 0) return;
  if (a_step != 0 && b_step != 0) loop<K, 1, 1>(a, b, y, n);
  else if (a_step != 0) loop<K, 1, 0>(a, b, y, n);
  else if (b_step != 0) loop<K, 0, 1>(a, b, y, n);
  else loop<K, 0, 0>(a, b, y, n);
}

/// x^e for the exponents that models use most; whether `e` is one of them.
bool power_of_constant(const float* x, float e, float* y, int64_t n) {
  const auto each = [=](auto f) __attribute__((always_inline)) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(y + i, f(load(x + i)));
    const int rest = static_cast<int>(n - i);
    if (rest > 0) store_first(y + i, f(load_first(x + i, rest)), rest);
    return true;
  };
  // The sum with +0 and the comparison: (-0)^0.5 is 0 and (-inf)^0.5 infinity, which is not what sqrt gives.
  const Vec infinity = set1(__builtin_inff());
  if (e == 2.f) return each([](Vec v) __attribute__((always_inline)) { return v * v; });
  if (e == 3.f) return each([](Vec v) __attribute__((always_inline)) { return v * v * v; });
  if (e == 4.f) return each([](Vec v) __attribute__((always_inline)) { return (v * v) * (v * v); });
  if (e == 1.f) return each([](Vec v) __attribute__((always_inline)) { return v; });
  if (e == -1.f) return each([](Vec v) __attribute__((always_inline)) { return 1.f / v; });
  if (e == -2.f) return each([](Vec v) __attribute__((always_inline)) { return 1.f / (v * v); });
  if (e == 0.f) return each([](Vec) __attribute__((always_inline)) { return set1(1.f); });
  if (e == 0.5f)
    return each([=](Vec v) __attribute__((always_inline)) { return v == -infinity ? infinity : sqrt(v + 0.f); });
  if (e == -0.5f)
    return each([=](Vec v) __attribute__((always_inline)) { return v == -infinity ? Vec{} : 1.f / sqrt(v + 0.f); });
  return false;
}

void power(const void* pa, const void* pb, void* py, int64_t n, int a_step, int b_step) {
  const float *a = static_cast<const float*>(pa), *b = static_cast<const float*>(pb);
  float* y = static_cast<float*>(py);
  if (n == 0 || (a_step != 0 && b_step == 0 && power_of_constant(a, *b, y, n))) return;
  // y may be where a or b is: what is read at every position is read first.
  const float first_a = *a, first_b = *b;
  for (int64_t i = 0; i < n; ++i) y[i] = __builtin_powf(a_step != 0 ? a[i] : first_a, b_step != 0 ? b[i] : first_b);
}

template <Compare K, int kA, int kB>
void compare_loop(const float* a, const float* b, uint8_t* y, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const float x = a[i * kA], z = b[i * kB];
    y[i] = K == Compare::equal ? x == z : K == Compare::less ? x < z : x <= z;
  }
}

template <Compare K>
void compare(const void* pa, const void* pb, void* py, int64_t n, int a_step, int b_step) {
  const float *a = static_cast<const float*>(pa), *b = static_cast<const float*>(pb);
  uint8_t* y = static_cast<uint8_t*>(py);
  if (n == 0) return;
  if (a_step != 0 && b_step != 0) compare_loop<K, 1, 1>(a, b, y, n);
  else if (a_step != 0) compare_loop<K, 1, 0>(a, b, y, n);
  else if (b_step != 0) compare_loop<K, 0, 1>(a, b, y, n);
  else compare_loop<K, 0, 0>(a, b, y, n);
}

template <Ternary K, int kA, int kB, int kC>
void loop(const float* a, const float* b, const float* c, float* y, int64_t n) {
  const Operand<kA> va(a);
  const Operand<kB> vb(b);
  const Operand<kC> vc(c);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, apply<K>(va.at(i), vb.at(i), vc.at(i)));
  const int rest = static_cast<int>(n - i);
  if (rest > 0) store_first(y + i, apply<K>(va.first(i, rest), vb.first(i, rest), vc.first(i, rest)), rest);
}

template <Ternary K>
void ternary(const float* a, const float* b, const float* c, float* y, int64_t n, int a_step, int b_step, int c_step) {
  using Loop = void (*)(const float*, const float*, const float*, float*, int64_t);
  static constexpr Loop kLoops[8] = {loop<K, 0, 0, 0>, loop<K, 0, 0, 1>, loop<K, 0, 1, 0>, loop<K, 0, 1, 1>,
                                     loop<K, 1, 0, 0>, loop<K, 1, 0, 1>, loop<K, 1, 1, 0>, loop<K, 1, 1, 1>};
  if (n > 0) kLoops[a_step * 4 + b_step * 2 + c_step](a, b, c, y, n);
}

template <>
void binary<Binary::pow>(const void* a, const void* b, void* y, int64_t n, int a_step, int b_step) {
  power(a, b, y, n, a_step, b_step);
}

}  // namespace

ORT_CPU_EXPORT(BinaryTable, binary_table) = {
    {
#define ORT_CPU_ENTRY(name) binary<Binary::name>,
        ORT_CPU_BINARY_FUNCTIONS(ORT_CPU_ENTRY)
#undef ORT_CPU_ENTRY
    },
    {compare<Compare::equal>, compare<Compare::less>, compare<Compare::less_or_equal>},
    {
#define ORT_CPU_ENTRY(name) ternary<Ternary::name>,
        ORT_CPU_TERNARY_FUNCTIONS(ORT_CPU_ENTRY)
#undef ORT_CPU_ENTRY
    },
};
