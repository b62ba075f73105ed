// Products of few rows that read B in place, once.
#include "simd/gemv.h"

#include "simd/gemm_activate.h"
#include "simd/gemm_kernel.h"

namespace {

/// Vectors of columns beside P rows of sums.
#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int kWide[] = {0, 16, 8, 8, 6, 4, 4};
#else
constexpr int kWide[] = {0, 8, 4, 4, 2, 2, 2};
#endif
constexpr int kRows = 6;
static_assert(kRows <= kTileRows);

/// Rows [row, row + P) of columns [n0, n1): full tiles, then ever narrower ones.
template <int P, int NB>
void multiply_columns(const GemmCall& call, Tile& tile, int64_t n0, int64_t n1) {
  for (;;) {
    const int64_t left = n1 - n0;
    if constexpr (NB > 1) {
      if (left <= (NB - 1) * kLanes) return multiply_columns<P, (NB > 8 ? NB - 4 : NB - 1)>(call, tile, n0, n1);
    }
    if (left <= 0) return;
    const int64_t columns = left < NB * kLanes ? left : NB * kLanes;
    tile.b = call.b + n0;
    tile.c = call.c + tile.row * call.ldc + n0;
    tile.column = n0;
    tile.last_columns = static_cast<int>(columns - (NB - 1) * kLanes);
    tile_kernel<NB, P, false, Prefetch::stream>(tile);
    n0 += columns;
  }
}

template <int P>
void multiply_rows(const GemmCall& call, int64_t row, int64_t rows, int64_t n0, int64_t n1) {
  if constexpr (P > 1) {
    if (rows < P) return multiply_rows<P - 1>(call, row, rows, n0, n1);
  }
  Tile tile;
  tile.a = call.a + row * call.lda;
  tile.lda = call.lda;
  tile.ldb = call.ldb;
  tile.ldc = call.ldc;
  tile.k = call.k;
  tile.accumulate = false;
  tile.epilogue = &call.epilogue;
  tile.row = row;
  tile.prefetch = nullptr;
  tile.prefetch_step = 0;
  multiply_columns<P, kWide[P]>(call, tile, n0, n1);
}

void activate_columns(const GemmCall& call, int64_t n0, int64_t n1) {
  if (needs_pass(call.epilogue.activation.kind))
    activate_tile(call.epilogue.activation, call.c + n0, call.ldc, call.m, n1 - n0);
}

void multiply(const GemmCall& call, int64_t n0, int64_t n1) {
  for (int64_t row = 0; row < call.m; row += kRows) {
    const int64_t rows = call.m - row < kRows ? call.m - row : kRows;
    multiply_rows<kRows>(call, row, rows, n0, n1);
  }
  activate_columns(call, n0, n1);
}

constexpr int power_above(int n) { return n <= 1 ? 1 : 2 * power_above((n + 1) / 2); }

/// out[p * R + r] = A[p, :] . B[r, :], for P rows of A and R rows of the transpose of B.
template <int P, int R>
ORT_CPU_INLINE void dot_products(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t k, float* out) {
  constexpr int kSums = power_above(P * R);
  static_assert(kSums <= kLanes);
  Vec sums[kSums];
#pragma GCC unroll 16
  for (int i = 0; i < kSums; ++i) sums[i] = Vec{};
  const auto add = [&](auto load_part) __attribute__((always_inline)) {
    Vec columns[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) columns[r] = load_part(b + r * ldb);
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
      const Vec row = load_part(a + p * lda);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) sums[p * R + r] = fma(row, columns[r], sums[p * R + r]);
    }
  };
  int64_t i = 0;
#pragma GCC unroll 1
  for (; i + kLanes <= k; i += kLanes) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) prefetch(reinterpret_cast<const char*>(b + r * ldb + i) + 512);
    add([i](const float* p) __attribute__((always_inline)) { return load(p + i); });
  }
  const int rest = static_cast<int>(k - i);
  if (rest > 0) add([i, rest](const float* p) __attribute__((always_inline)) { return load_some(p + i, rest); });
  store(out, sum_each(sums));
}

ORT_CPU_INLINE float finish_one(const GemmEpilogue& e, float x, int64_t row, int64_t column) {
  x *= e.alpha;
  if (e.bias != nullptr) x += e.beta * e.bias[column];
  if (e.row_bias != nullptr) x += e.beta * e.row_bias[row];
  if (e.residual != nullptr) x += e.beta * e.residual[row * e.residual_stride + column];
  return x;
}

template <int P, int R>
__attribute__((noinline)) void dot_tile(const GemmCall& call, int64_t row, int64_t column) {
  float out[kLanes];
  dot_products<P, R>(call.a + row * call.lda, call.lda, call.b + column * call.ldb, call.ldb, call.k, out);
  for (int p = 0; p < P; ++p)
    for (int r = 0; r < R; ++r)
      call.c[(row + p) * call.ldc + column + r] = finish_one(call.epilogue, out[p * R + r], row + p, column + r);
}

/// Rows [row, row + P) of columns [n0, n1): R columns at a time, then ever fewer.
template <int P, int R>
void dot_columns(const GemmCall& call, int64_t row, int64_t n0, int64_t n1) {
  for (; n0 + R <= n1; n0 += R) dot_tile<P, R>(call, row, n0);
  if constexpr (R > 1) {
    if (n0 < n1) dot_columns<P, R / 2>(call, row, n0, n1);
  }
}

/// Rows of A that share the columns, and the length from which fewer columns at a time are read.
constexpr int kDotRows = kLanes >= 16 ? 4 : 2;
constexpr int64_t kLongDots = 512;
/// Columns that stay in the cache while rows pass.
constexpr int64_t kDotBlock = 64;

template <int P>
void dot_rows(const GemmCall& call, int64_t row, int64_t rows, int64_t n0, int64_t n1) {
  for (; rows >= P; row += P, rows -= P) {
    if constexpr (P == 1) {
      if (call.k >= kLongDots) {
        dot_columns<P, kLanes / 2>(call, row, n0, n1);
        continue;
      }
    }
    dot_columns<P, kLanes / power_above(P)>(call, row, n0, n1);
  }
  if constexpr (P > 1) {
    if (rows > 0) dot_rows<P - 1>(call, row, rows, n0, n1);
  }
}

void multiply_transposed(const GemmCall& call, int64_t n0, int64_t n1) {
  const int64_t block = call.m > kDotRows ? kDotBlock : n1 - n0;
  for (int64_t column = n0; column < n1; column += block)
    dot_rows<kDotRows>(call, 0, call.m, column, column + block < n1 ? column + block : n1);
  if (call.epilogue.activation.kind != ActivationKind::none)
    activate_tile(call.epilogue.activation, call.c + n0, call.ldc, call.m, n1 - n0);
}

}  // namespace

ORT_CPU_EXPORT(GemvTable, gemv_table) = {multiply, multiply_transposed};
