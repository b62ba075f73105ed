#include "simd/binary_types.h"

#include "simd/vec.h"

namespace {

using ort_cpu::simd::Arithmetic;
using ort_cpu::simd::Bitwise;
using ort_cpu::simd::Compare;

// 16-bit factors would be promoted to int, which may overflow.
template <class T>
struct Promoted {
  using type = T;
};
template <>
struct Promoted<uint8_t> {
  using type = uint32_t;
};
template <>
struct Promoted<uint16_t> {
  using type = uint32_t;
};

template <class T, Arithmetic K>
struct Compute {
  using Result = T;
  static ORT_CPU_INLINE T apply(T a, T b) {
    using W = typename Promoted<T>::type;
    [[maybe_unused]] const W x = a, z = b;
    if constexpr (K == Arithmetic::add) return static_cast<T>(x + z);
    else if constexpr (K == Arithmetic::sub) return static_cast<T>(x - z);
    else if constexpr (K == Arithmetic::mul) return static_cast<T>(x * z);
    else if constexpr (K == Arithmetic::max) return a > b || a != a ? a : b;
    else return a < b || a != a ? a : b;
  }
};

template <class T, Compare K>
struct Test {
  using Result = uint8_t;
  static ORT_CPU_INLINE uint8_t apply(T a, T b) {
    return K == Compare::equal ? a == b : K == Compare::less ? a < b : a <= b;
  }
};

template <Bitwise K>
struct Bits {
  using Result = uint8_t;
  static ORT_CPU_INLINE uint8_t apply(uint8_t a, uint8_t b) {
    return K == Bitwise::bit_and ? a & b : K == Bitwise::bit_or ? a | b : a ^ b;
  }
};

template <class T, class F>
void binary(const void* pa, const void* pb, void* py, int64_t n, int a_step, int b_step) {
  const T *a = static_cast<const T*>(pa), *b = static_cast<const T*>(pb);
  auto* y = static_cast<typename F::Result*>(py);
  if (n == 0) return;
  if (a_step != 0 && b_step != 0) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::apply(a[i], b[i]);
  } else if (a_step != 0) {
    const T other = *b;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::apply(a[i], other);
  } else if (b_step != 0) {
    const T other = *a;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::apply(other, b[i]);
  } else {
    const auto value = F::apply(*a, *b);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = value;
  }
}

template <class T, int kA, int kB>
void choose(const uint8_t* c, const T* a, const T* b, T* y, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const T x = a[i * kA], z = b[i * kB];
    y[i] = c[i] != 0 ? x : z;
  }
}

template <class T>
void select(const uint8_t* c, const void* pa, const void* pb, void* py, int64_t n, int c_step, int a_step, int b_step) {
  const T *a = static_cast<const T*>(pa), *b = static_cast<const T*>(pb);
  T* y = static_cast<T*>(py);
  if (n == 0) return;
  if (c_step == 0) {
    const T* chosen = *c != 0 ? a : b;
    const int step = *c != 0 ? a_step : b_step;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = chosen[i * step];
  } else if (a_step != 0) {
    b_step != 0 ? choose<T, 1, 1>(c, a, b, y, n) : choose<T, 1, 0>(c, a, b, y, n);
  } else {
    b_step != 0 ? choose<T, 0, 1>(c, a, b, y, n) : choose<T, 0, 0>(c, a, b, y, n);
  }
}

}  // namespace

// Sums and products of signed integers are those of unsigned ones.
#define ORT_CPU_ARITHMETIC(T, U)                                                   \
  {binary<U, Compute<U, Arithmetic::add>>, binary<U, Compute<U, Arithmetic::sub>>, \
   binary<U, Compute<U, Arithmetic::mul>>, binary<T, Compute<T, Arithmetic::max>>, \
   binary<T, Compute<T, Arithmetic::min>>}
#define ORT_CPU_COMPARE(T, U) \
  {binary<U, Test<U, Compare::equal>>, binary<T, Test<T, Compare::less>>, binary<T, Test<T, Compare::less_or_equal>>}
#define ORT_CPU_EACH_ELEMENT(X)                                                                            \
  X(double, double), X(int8_t, uint8_t), X(int16_t, uint16_t), X(int32_t, uint32_t), X(int64_t, uint64_t), \
      X(uint8_t, uint8_t), X(uint16_t, uint16_t), X(uint32_t, uint32_t), X(uint64_t, uint64_t)

ORT_CPU_EXPORT(BinaryTypesTable, binary_types_table) = {
    {ORT_CPU_EACH_ELEMENT(ORT_CPU_ARITHMETIC)},
    {ORT_CPU_EACH_ELEMENT(ORT_CPU_COMPARE)},
    {binary<uint8_t, Bits<Bitwise::bit_and>>, binary<uint8_t, Bits<Bitwise::bit_or>>,
     binary<uint8_t, Bits<Bitwise::bit_xor>>},
    {select<uint8_t>, select<uint16_t>, select<uint32_t>, select<uint64_t>},
};
