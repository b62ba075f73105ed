// Products of matrices of any arithmetic type, for the types that have no kernel of their own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace ort_cpu {

/// A matrix seen through strides, in elements.
template <class T>
struct StridedMatrix {
  const T* data;
  int64_t row_stride, column_stride;
};

/// The type to sum in: integers wrap around as unsigned ones do.
template <class T>
using sum_t = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;

/// C[rows, n] = A[rows, k] B[k, n]; C is row-major.
template <class T>
void multiply_generic(int64_t rows, int64_t n, int64_t k, StridedMatrix<T> a, StridedMatrix<T> b, T* c) {
  using Sum = sum_t<T>;
  constexpr int kColumns = 64 / sizeof(T), kDepth = 256;
  typedef Sum Columns __attribute__((vector_size(64)));
  alignas(64) Sum block[kDepth * kColumns];
  if (k == 0) std::fill_n(c, rows * n, T{});
  for (int64_t n0 = 0; n0 < n; n0 += kColumns) {
    const int columns = static_cast<int>(std::min<int64_t>(kColumns, n - n0));
    for (int64_t k0 = 0; k0 < k; k0 += kDepth) {
      const int64_t depth = std::min<int64_t>(kDepth, k - k0);
      for (int64_t i = 0; i < depth; ++i)
        for (int j = 0; j < kColumns; ++j)
          block[i * kColumns + j] =
              j < columns ? static_cast<Sum>(b.data[(k0 + i) * b.row_stride + (n0 + j) * b.column_stride]) : Sum{};
      for (int64_t row = 0; row < rows; row += 2) {
        const int64_t second = row + 1 < rows ? row + 1 : row;
        const T* x = a.data + row * a.row_stride + k0 * a.column_stride;
        const T* y = a.data + second * a.row_stride + k0 * a.column_stride;
        Columns sums[2] = {};
        for (int64_t i = 0; i < depth; ++i) {
          const Columns values = *reinterpret_cast<const Columns*>(block + i * kColumns);
          sums[0] += static_cast<Sum>(x[i * a.column_stride]) * values;
          sums[1] += static_cast<Sum>(y[i * a.column_stride]) * values;
        }
        for (int64_t r = row; r <= second; ++r)
          for (int j = 0; j < columns; ++j) {
            T& to = c[r * n + n0 + j];
            const Sum sum = sums[r - row][j];
            to = static_cast<T>(k0 == 0 ? sum : static_cast<Sum>(to) + sum);
          }
      }
    }
  }
}

}  // namespace ort_cpu
