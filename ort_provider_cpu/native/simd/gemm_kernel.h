// The microkernel of matrix products: a tile of C, rows by vectors, held in registers.
//
// Only for files of this folder; everything is in an anonymous namespace.
#pragma once

#include "simd/gemm.h"
#include "simd/gemm_lanes.h"

namespace {

using ort_cpu::ActivationKind;
using ort_cpu::simd::GemmCall;
using ort_cpu::simd::GemmEpilogue;

#if defined(__AVX512F__) || defined(__ARM_NEON)
/// Vectors of columns of a panel, and the rows that fit into the registers beside 1 .. kPanelVecs of them.
constexpr int kPanelVecs = 4;
constexpr int kMostRows[] = {0, 14, 12, 8, 6};
#else
constexpr int kPanelVecs = 2;
constexpr int kMostRows[] = {0, 10, 6};
#endif
constexpr int kPanel = kPanelVecs * kLanes;
constexpr int kTileRows = kMostRows[kPanelVecs];
/// K is cut into equal parts of at most this, so that a panel's part stays in the second-level cache. Each further part
/// reads C again, so only shorter products may have C as their residual.
constexpr int64_t kDepth = 1024;
/// How far ahead of a stream of weights to prefetch.
constexpr int kStreamAhead = 4096;

/// How a microkernel prefetches: along its own panel, which comes from memory, or a little of another one at each step.
enum class Prefetch { stream, spread };

/// One tile: C[rows, columns] of a part of K.
struct Tile {
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  int64_t k;
  int last_columns;              // columns of the last vector, 1 .. kLanes
  bool accumulate;               // adds to what C has
  const GemmEpilogue* epilogue;  // null: C is a partial sum
  int64_t row, column;           // of the tile in C, for the epilogue
  const char* prefetch;
  int64_t prefetch_step;
};

/// Whether vector `j` of `NB` is treated as incomplete; masks are free under AVX-512.
template <int NB>
ORT_CPU_INLINE bool is_masked(int j, [[maybe_unused]] int last) {
#if defined(__AVX512F__)
  return j == NB - 1;
#else
  return j == NB - 1 && last != kLanes;
#endif
}

/// Vector `j` of the tile's `NB`, of which only the last may be incomplete.
template <int NB>
ORT_CPU_INLINE Vec load_vec(const float* p, int j, int last) {
  return is_masked<NB>(j, last) ? load_some(p + j * kLanes, last) : load(p + j * kLanes);
}
template <int NB>
ORT_CPU_INLINE void store_vec(float* p, Vec v, int j, int last) {
  if (is_masked<NB>(j, last)) {
    store_some(p + j * kLanes, v, last);
  } else {
    store(p + j * kLanes, v);
  }
}

/// One value of k: sums[p][j] += A[p, k] * B[k, j].
template <int NB, int P, bool kPacked>
ORT_CPU_INLINE void step(Vec (&sums)[P][NB], const float* a, int64_t lda, const float* b, int last) {
  if constexpr (kPacked || NB <= 4) {
    Vec columns[NB];
#pragma GCC unroll 16
    for (int j = 0; j < NB; ++j) columns[j] = kPacked ? load(b + j * kLanes) : load_vec<NB>(b, j, last);
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
      const Vec row = set1(a[p * lda]);
#pragma GCC unroll 16
      for (int j = 0; j < NB; ++j) sums[p][j] = fma(row, columns[j], sums[p][j]);
    }
  } else {
    Vec rows[P];
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) rows[p] = set1(a[p * lda]);
#pragma GCC unroll 16
    for (int j = 0; j < NB; ++j) {
      const Vec column = load_vec<NB>(b, j, last);
#pragma GCC unroll 16
      for (int p = 0; p < P; ++p) sums[p][j] = fma(rows[p], column, sums[p][j]);
    }
  }
}

/// Applies the epilogue but for activations that need more than bounds, and stores the tile.
template <int NB, int P>
ORT_CPU_INLINE void finish(Vec (&sums)[P][NB], const Tile& tile) {
  const int last = tile.last_columns;
  const GemmEpilogue& e = *tile.epilogue;
  const Vec alpha = set1(e.alpha), beta = set1(e.beta);
#pragma GCC unroll 16
  for (int j = 0; j < NB; ++j)
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) sums[p][j] = sums[p][j] * alpha;
  if (e.bias != nullptr) {
#pragma GCC unroll 16
    for (int j = 0; j < NB; ++j) {
      const Vec bias = load_vec<NB>(e.bias + tile.column, j, last);
#pragma GCC unroll 16
      for (int p = 0; p < P; ++p) sums[p][j] = fma(beta, bias, sums[p][j]);
    }
  }
  if (e.row_bias != nullptr) {
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
      const Vec bias = set1(e.row_bias[tile.row + p]);
#pragma GCC unroll 16
      for (int j = 0; j < NB; ++j) sums[p][j] = fma(beta, bias, sums[p][j]);
    }
  }
  if (e.residual != nullptr) {
    const float* residual = e.residual + tile.row * e.residual_stride + tile.column;
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
      for (int j = 0; j < NB; ++j)
        sums[p][j] = fma(beta, load_vec<NB>(residual + p * e.residual_stride, j, last), sums[p][j]);
  }
  if (e.activation.kind == ActivationKind::relu || e.activation.kind == ActivationKind::clip) {
    const bool clip = e.activation.kind == ActivationKind::clip;
    const Vec low = set1(clip ? e.activation.alpha : 0.0f), high = set1(clip ? e.activation.beta : __builtin_inff());
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
      for (int j = 0; j < NB; ++j) sums[p][j] = smaller(high, larger(low, sums[p][j]));
  }
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
    for (int j = 0; j < NB; ++j) store_vec<NB>(tile.c + p * tile.ldc, sums[p][j], j, last);
}

/// C[P, NB vectors] (+)= A[P, k] B[k, NB vectors]. A is row-major; B is a packed panel, or has rows `ldb` apart.
template <int NB, int P, bool kPacked, Prefetch kPrefetch>
__attribute__((noinline)) void tile_kernel(const Tile& tile) {
  // Few sums would wait for each other: several sets of them take turns.
  constexpr int kSets = P * NB >= 8 ? 1 : P * NB >= 4 ? 2 : 4;
  constexpr int kUnroll = 4;
  Vec sums[kSets][P][NB];
  const int last = tile.last_columns;
#pragma GCC unroll 4
  for (int s = 0; s < kSets; ++s)
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
      for (int j = 0; j < NB; ++j) sums[s][p][j] = Vec{};
  if (tile.accumulate) {
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
      for (int j = 0; j < NB; ++j) sums[0][p][j] = load_vec<NB>(tile.c + p * tile.ldc, j, last);
  }
  const float* a = tile.a;
  const float* b = tile.b;
  const int64_t lda = tile.lda, ldb = kPacked ? NB * kLanes : tile.ldb;
  const char* ahead = tile.prefetch;
  const int64_t ahead_step = tile.prefetch_step;
  int64_t k = tile.k;
#pragma GCC unroll 1
  for (; k >= kUnroll; k -= kUnroll) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
      if constexpr (kPrefetch == Prefetch::stream) {
        const char* next = reinterpret_cast<const char*>(b + u * ldb) + (kPacked ? kStreamAhead : 2 * 4 * ldb);
#pragma GCC unroll 16
        for (int j = 0; j < NB * kLanes; j += 16) prefetch(next + j * 4);
      }
      step<NB, P, kPacked>(sums[u % kSets], a + u, lda, b + u * ldb, last);
    }
    if constexpr (kPrefetch == Prefetch::spread) {
      prefetch(ahead);
      prefetch(ahead + ahead_step);
      prefetch(ahead + 2 * ahead_step);
      prefetch(ahead + 3 * ahead_step);
      ahead += 4 * ahead_step;
    }
    a += kUnroll;
    b += kUnroll * ldb;
    asm volatile("" : "+r"(a), "+r"(b));
  }
#pragma GCC unroll 1
  for (; k > 0; --k) {
    step<NB, P, kPacked>(sums[0], a, lda, b, last);
    ++a;
    b += ldb;
  }
#pragma GCC unroll 4
  for (int s = 1; s < kSets; ++s)
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
      for (int j = 0; j < NB; ++j) sums[0][p][j] = sums[0][p][j] + sums[s][p][j];
  if (tile.epilogue != nullptr) {
    finish<NB, P>(sums[0], tile);
    return;
  }
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 16
    for (int j = 0; j < NB; ++j) store_vec<NB>(tile.c + p * tile.ldc, sums[0][p][j], j, last);
}

using TileKernel = void (*)(const Tile&);

}  // namespace
