// The inner loops of recurrent layers on float32.
#include "simd/recurrent.h"

#include "simd/math.h"

namespace {

using ort_cpu::simd::GruCell;
using ort_cpu::simd::GruReset;
using ort_cpu::simd::GruUpdate;
using ort_cpu::simd::LstmCell;

#if defined(__AVX512F__)
constexpr int kMostRows = 6, kMostAccumulators = 16;
#else
constexpr int kMostRows = 3, kMostAccumulators = 8;
#endif
/// How far ahead of the product a panel is fetched, where few rows leave it waiting for memory.
constexpr int64_t kPrefetchFloats = 256;

/// kRows rows of kVecs vectors of the output, `kWays` partial sums each.
template <int kRows, int kVecs, int kWays>
ORT_CPU_INLINE void product_tile(float* out, int64_t out_stride, const float* bias, const float* a, int64_t a_stride,
                                 int64_t k, const float* panel, int64_t width) {
  Vec acc[kWays][kRows][kVecs];
  for (int w = 0; w < kWays; ++w)
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVecs; ++v) acc[w][r][v] = w == 0 && bias != nullptr ? load(bias + v * kLanes) : Vec{};
  int64_t i = 0;
  for (; i + kWays <= k; i += kWays) {
    if (kWays > 1)
      for (int j = 0; j < kWays * kVecs * kLanes; j += 16) __builtin_prefetch(panel + i * width + kPrefetchFloats + j);
#pragma GCC unroll 4
    for (int w = 0; w < kWays; ++w) {
      Vec b[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) b[v] = load(panel + (i + w) * width + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Vec x = set1(a[r * a_stride + i + w]);
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) acc[w][r][v] = fma(x, b[v], acc[w][r][v]);
      }
    }
  }
  for (; i < k; ++i)
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVecs; ++v)
        acc[0][r][v] = fma(set1(a[r * a_stride + i]), load(panel + i * width + v * kLanes), acc[0][r][v]);
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVecs; ++v) {
      Vec total = acc[0][r][v];
      for (int w = 1; w < kWays; ++w) total += acc[w][r][v];
      store(out + r * out_stride + v * kLanes, total);
    }
}

template <int kRows>
void product_rows(float* out, int64_t out_stride, const float* bias, const float* a, int64_t a_stride, int64_t k,
                  const float* panel, int vecs) {
  constexpr int kWays = kRows * 8 <= kMostAccumulators ? 2 : 1;
  const int64_t width = static_cast<int64_t>(vecs) * kLanes;
  int v = 0;
  for (; v + 4 <= vecs; v += 4) {
    const int64_t at = static_cast<int64_t>(v) * kLanes;
    product_tile<kRows, 4, kWays>(out + at, out_stride, bias != nullptr ? bias + at : nullptr, a, a_stride, k,
                                  panel + at, width);
  }
  const int64_t at = static_cast<int64_t>(v) * kLanes;
  const float* rest_bias = bias != nullptr ? bias + at : nullptr;
  switch (vecs - v) {
    case 3: return product_tile<kRows, 3, kWays>(out + at, out_stride, rest_bias, a, a_stride, k, panel + at, width);
    case 2: return product_tile<kRows, 2, kWays>(out + at, out_stride, rest_bias, a, a_stride, k, panel + at, width);
    case 1: return product_tile<kRows, 1, kWays>(out + at, out_stride, rest_bias, a, a_stride, k, panel + at, width);
    default: return;
  }
}

void product(float* out, int64_t out_stride, const float* bias, const float* a, int64_t a_stride, int64_t m, int64_t k,
             const float* panel, int groups) {
  const int vecs = groups * kVecsPerBlock;
  const int64_t tiles = (m + kMostRows - 1) / kMostRows;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t first = m * tile / tiles, rows = m * (tile + 1) / tiles - first;
    float* to = out + first * out_stride;
    const float* from = a + first * a_stride;
    switch (rows) {
      case 1: product_rows<1>(to, out_stride, bias, from, a_stride, k, panel, vecs); break;
      case 2: product_rows<2>(to, out_stride, bias, from, a_stride, k, panel, vecs); break;
      case 3: product_rows<3>(to, out_stride, bias, from, a_stride, k, panel, vecs); break;
#if defined(__AVX512F__)
      case 4: product_rows<4>(to, out_stride, bias, from, a_stride, k, panel, vecs); break;
      case 5: product_rows<5>(to, out_stride, bias, from, a_stride, k, panel, vecs); break;
      case 6: product_rows<6>(to, out_stride, bias, from, a_stride, k, panel, vecs); break;
#endif
      default: break;
    }
  }
}

/// x within [-bound, bound]; NaN stays.
ORT_CPU_INLINE Vec clip(Vec x, Vec bound) { return min(bound, max(-bound, x)); }

void lstm(const LstmCell& cell) {
  const Vec bound = set1(cell.clip);
  for (int v = 0; v < 16; v += kLanes) {
    Vec gates[4];
    for (int g = 0; g < 4; ++g) gates[g] = load(cell.recurrent + g * 16 + v) + load(cell.projected + g * 16 + v);
    Vec c = load(cell.c + v);
    const bool peeps = cell.peepholes[0] != nullptr;
    if (peeps)
      gates[0] = fma(load(cell.peepholes[0] + v), c, gates[0]),
      gates[2] = fma(load(cell.peepholes[2] + v), c, gates[2]);
    const Vec i = sigmoid(clip(gates[0], bound));
    const Vec f = cell.input_forget ? 1.f - i : sigmoid(clip(gates[2], bound));
    c = fma(f, c, i * tanh(clip(gates[3], bound)));
    if (peeps) gates[1] = fma(load(cell.peepholes[1] + v), c, gates[1]);
    store(cell.c + v, c);
    store(cell.h + v, sigmoid(clip(gates[1], bound)) * tanh(c));
  }
}

void gru(const GruCell& cell) {
  const Vec bound = set1(cell.clip);
  for (int v = 0; v < 16; v += kLanes) {
    const Vec z = sigmoid(clip(load(cell.recurrent + v) + load(cell.projected + v), bound));
    const Vec r = sigmoid(clip(load(cell.recurrent + 16 + v) + load(cell.projected + 16 + v), bound));
    const Vec reset = load(cell.recurrent + 32 + v) + load(cell.recurrent_bias + v);
    const Vec h = tanh(clip(fma(r, reset, load(cell.projected + 32 + v)), bound));
    store(cell.h + v, fma(z, load(cell.h_before + v), (1.f - z) * h));
  }
}

void gru_reset(const GruReset& cell) {
  const Vec bound = set1(cell.clip);
  for (int v = 0; v < 16; v += kLanes) {
    const Vec z = sigmoid(clip(load(cell.recurrent + v) + load(cell.projected + v), bound));
    const Vec r = sigmoid(clip(load(cell.recurrent + 16 + v) + load(cell.projected + 16 + v), bound));
    store(cell.z + v, z);
    store(cell.reset_h + v, r * load(cell.h_before + v));
  }
}

void gru_update(const GruUpdate& cell) {
  const Vec bound = set1(cell.clip);
  for (int v = 0; v < 16; v += kLanes) {
    const Vec z = load(cell.z + v), h = tanh(clip(load(cell.recurrent + v) + load(cell.projected + v), bound));
    store(cell.h + v, fma(z, load(cell.h_before + v), (1.f - z) * h));
  }
}

void rnn(const float* recurrent, const float* projected, float* h, float bound) {
  for (int v = 0; v < 16; v += kLanes) store(h + v, tanh(clip(load(recurrent + v) + load(projected + v), set1(bound))));
}

}  // namespace

ORT_CPU_EXPORT(RecurrentTable, recurrent_table) = {product, lstm, gru, gru_reset, gru_update, rnn};
