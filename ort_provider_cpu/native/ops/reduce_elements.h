// Reductions of rows and columns of elements of any type: float32 through the vector kernels, 16-bit floats converted
// to it.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "engine/dtype.h"
#include "ops/reduce_half.h"
#include "simd/reduce.h"

namespace ort_cpu {

/// Sums of floats are taken in double, of integers modulo 2^64.
template <class T>
using accumulator_t =
    std::conditional_t<!std::is_integral_v<T>, double, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;

/// The widest tile of columns that `reduce_columns` takes.
inline constexpr int64_t kColumnTile = 512;

/// The result of reducing nothing.
template <class T, class A>
A reduction_identity(Reduction kind) {
  switch (kind) {
    case Reduction::product: return 1;
    case Reduction::max:
      if constexpr (std::is_integral_v<T>) return static_cast<A>(std::numeric_limits<T>::min());
      return static_cast<A>(-std::numeric_limits<double>::infinity());
    case Reduction::min:
      if constexpr (std::is_integral_v<T>) return static_cast<A>(std::numeric_limits<T>::max());
      return static_cast<A>(std::numeric_limits<double>::infinity());
    default: return 0;
  }
}

/// Steps of reductions on accumulators of type `A`; integers wrap around.
template <class A>
struct Steps {
  using U = std::conditional_t<std::is_integral_v<A>, uint64_t, A>;
  static A sum(A a, A b) { return static_cast<A>(static_cast<U>(a) + static_cast<U>(b)); }
  static A product(A a, A b) { return static_cast<A>(static_cast<U>(a) * static_cast<U>(b)); }
  static A max(A a, A b) { return a > b || a != a ? a : b; }
  static A min(A a, A b) { return a < b || a != a ? a : b; }
  static A abs(A a) { return a < 0 ? static_cast<A>(U{0} - static_cast<U>(a)) : a; }
};

/// The reduction of two parts from the reductions of each.
template <class A>
A fold_reductions(Reduction kind, A a, A b) {
  switch (kind) {
    case Reduction::product: return Steps<A>::product(a, b);
    case Reduction::max: return Steps<A>::max(a, b);
    case Reduction::min: return Steps<A>::min(a, b);
    default: return Steps<A>::sum(a, b);
  }
}

/// Calls `f(step)` with the function that takes an accumulator, an element and a shift to the next accumulator.
template <class A, class F>
decltype(auto) with_step(Reduction kind, F&& f) {
  using S = Steps<A>;
  switch (kind) {
    case Reduction::sum: return f([](A acc, A x, A) { return S::sum(acc, x); });
    case Reduction::sum_abs: return f([](A acc, A x, A) { return S::sum(acc, S::abs(x)); });
    case Reduction::sum_square:
      return f([](A acc, A x, A shift) {
        const A d = S::sum(x, S::product(shift, static_cast<A>(-1)));
        return S::sum(acc, S::product(d, d));
      });
    case Reduction::sum_exp:
      return f([](A acc, A x, A shift) {
        return acc + static_cast<A>(std::exp(static_cast<double>(x) - static_cast<double>(shift)));
      });
    case Reduction::product: return f([](A acc, A x, A) { return S::product(acc, x); });
    case Reduction::max: return f([](A acc, A x, A) { return x > acc || x != x ? x : acc; });
    case Reduction::min: return f([](A acc, A x, A) { return x < acc || x != x ? x : acc; });
  }
  throw_unsupported_dtype(DType::none);
}

/// The reduction of `n` elements; `shift` is taken from each in `sum_square` and `sum_exp`.
template <class T, class A>
A reduce_row(Reduction kind, const T* x, int64_t n, compute_t<T> shift) {
  const A identity = reduction_identity<T, A>(kind);
  if constexpr (std::is_same_v<T, float>) {
    return simd::reduce_table().row[static_cast<int>(kind)](x, n, shift);
  } else if constexpr (is_half_v<T>) {
    constexpr int64_t kBlock = 1024;
    float block[kBlock];
    A acc = identity;
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t count = std::min(kBlock, n - i);
      load_row(x + i, count, block);
      acc = fold_reductions<A>(kind, acc, reduce_row<float, A>(kind, block, count, shift));
    }
    return acc;
  } else {
    return with_step<A>(kind, [&](auto step) {
      constexpr int kWays = 8;
      A acc[kWays];
      for (A& a : acc) a = identity;
      int64_t i = 0;
      for (; i + kWays <= n; i += kWays)
        for (int k = 0; k < kWays; ++k) acc[k] = step(acc[k], static_cast<A>(x[i + k]), static_cast<A>(shift));
      for (; i < n; ++i) acc[0] = step(acc[0], static_cast<A>(x[i]), static_cast<A>(shift));
      for (int k = 1; k < kWays; ++k) acc[0] = fold_reductions<A>(kind, acc[0], acc[k]);
      return acc[0];
    });
  }
}

/// Folds x[i * stride + j], i < rows, into acc[j], j < n <= kColumnTile.
template <class T, class A>
void reduce_columns(Reduction kind, A* acc, const T* x, int64_t stride, int64_t rows, int64_t n,
                    const compute_t<T>* shift) {
  if constexpr (std::is_same_v<T, float>) {
    simd::reduce_table().columns[static_cast<int>(kind)](acc, x, stride, rows, n, shift);
  } else if constexpr (is_half_v<T>) {
    constexpr int64_t kBlock = 8;
    float block[kBlock * kColumnTile];
    for (int64_t i = 0; i < rows; i += kBlock) {
      const int64_t count = std::min(kBlock, rows - i);
      if (stride == n) load_row(x + i * n, count * n, block);
      else
        for (int64_t k = 0; k < count; ++k) load_row(x + (i + k) * stride, n, block + k * n);
      reduce_columns<float, A>(kind, acc, block, n, count, n, shift);
    }
  } else {
    with_step<A>(kind, [&](auto step) {
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < n; ++j)
          acc[j] = step(acc[j], static_cast<A>(x[i * stride + j]), shift ? static_cast<A>(shift[j]) : A{0});
    });
  }
}

}  // namespace ort_cpu
