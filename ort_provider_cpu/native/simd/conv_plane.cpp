#include "simd/conv_plane.h"

#include "simd/vec.h"

namespace {

using ort_cpu::simd::PlaneProduct;

#if defined(__AVX512F__)
constexpr int kMaxRows = 6, kMaxVectors = 4;
#elif defined(__AVX2__)
constexpr int kMaxRows = 4, kMaxVectors = 3;
#elif defined(__ARM_NEON)
constexpr int kMaxRows = 6, kMaxVectors = 4;
#else
constexpr int kMaxRows = 4, kMaxVectors = 2;
#endif

template <int Rows, int Vectors>
ORT_CPU_INLINE void tile(const PlaneProduct& a, int64_t q) {
  Vec acc[Rows][Vectors];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m) {
    const Vec bias = a.bias != nullptr ? set1(a.bias[m]) : Vec{};
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) acc[m][v] = bias;
  }
  const float* input = a.input + q;
  const float* w = a.weights;
#pragma GCC unroll 1
  for (int64_t k = 0; k < a.n_rows; ++k, w += a.weight_step) {
    const float* x = input + a.rows[k];
    Vec row[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) row[v] = load(x + v * kLanes);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m) {
      const Vec weight = set1(w[m * a.weight_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) acc[m][v] = fma(weight, row[v], acc[m][v]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) store(a.output + m * a.output_stride + q + v * kLanes, acc[m][v]);
}

template <int Rows>
void product_of_rows(const PlaneProduct& a) {
  int64_t q = 0;
  for (; q + (kMaxVectors - 1) * kLanes < a.columns; q += kMaxVectors * kLanes) tile<Rows, kMaxVectors>(a, q);
  if constexpr (kMaxVectors > 2)
    for (; q + kLanes < a.columns; q += 2 * kLanes) tile<Rows, 2>(a, q);
  for (; q < a.columns; q += kLanes) tile<Rows, 1>(a, q);
}

void product(const PlaneProduct& a) {
  switch (a.m) {
    case 1: return product_of_rows<1>(a);
    case 2: return product_of_rows<2>(a);
    case 3: return product_of_rows<3>(a);
    case 4: return product_of_rows<4>(a);
    case 5:
      if constexpr (kMaxRows >= 5) return product_of_rows<5>(a);
      return;
    case 6:
      if constexpr (kMaxRows >= 6) return product_of_rows<6>(a);
      return;
  }
}

}  // namespace

ORT_CPU_EXPORT(ConvPlaneTable, conv_plane_table) = {kMaxRows, kLanes, product};
