#include "simd/winograd.h"

#include "simd/conv_activation.h"
#include "simd/vec.h"

namespace {

using ort_cpu::simd::WinogradTiles;

constexpr float kA = 0.625f, kB = 1.5f;
constexpr float kA2 = kA * kA, kB2 = kB * kB;

/// One dimension of B' d B: `from` points at M + 2 registers, the results lie `stride` apart.
template <int M>
ORT_CPU_INLINE void transform_input(const Vec* d, Vec* out, int stride) {
  if constexpr (M == 4) {
    const Vec even_a = fma(set1(-kB2), d[2], d[4]), odd_a = kA * fma(set1(-kB2), d[1], d[3]);
    const Vec even_b = fma(set1(-kA2), d[2], d[4]), odd_b = kB * fma(set1(-kA2), d[1], d[3]);
    out[0] = fma(set1(kA2 * kB2), d[0], fma(set1(-(kA2 + kB2)), d[2], d[4]));
    out[stride] = even_a + odd_a;
    out[2 * stride] = even_a - odd_a;
    out[3 * stride] = even_b + odd_b;
    out[4 * stride] = even_b - odd_b;
    out[5 * stride] = fma(set1(kA2 * kB2), d[1], fma(set1(-(kA2 + kB2)), d[3], d[5]));
  } else {
    out[0] = d[0] - d[2];
    out[stride] = d[1] + d[2];
    out[2 * stride] = d[2] - d[1];
    out[3 * stride] = d[3] - d[1];
  }
}

/// One dimension of A' m A, as `transform_input`.
template <int M>
ORT_CPU_INLINE void transform_output(const Vec* m, Vec* out, int stride) {
  if constexpr (M == 4) {
    const Vec sum_a = m[1] + m[2], difference_a = m[1] - m[2], sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    out[0] = m[0] + sum_a + sum_b;
    out[stride] = fma(set1(kA), difference_a, kB * difference_b);
    out[2 * stride] = fma(set1(kA2), sum_a, kB2 * sum_b);
    out[3 * stride] = fma(set1(kA2 * kA), difference_a, fma(set1(kB2 * kB), difference_b, m[5]));
  } else {
    out[0] = m[0] + m[1] + m[2];
    out[stride] = m[1] - m[2] + m[3];
  }
}

template <int M>
void input_tiles(const WinogradTiles& tiles, const float* plane, int64_t height, int64_t width, int64_t pad_top,
                 int64_t pad_left) {
  constexpr int kSide = M + 2;
  int64_t row = tiles.first / tiles.tiles_wide, column = tiles.first % tiles.tiles_wide;
  for (int64_t t = 0; t < tiles.n; ++t) {
    const int64_t y0 = row * M - pad_top, x0 = column * M - pad_left;
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + kSide <= height && x0 + kSide <= width;
    for (int lane = 0; lane < 16; lane += kLanes) {
      Vec half[kSide * kSide];
      if (inside) {
        const float* source = plane + (y0 * width + x0) * 16 + lane;
#pragma GCC unroll 6
        for (int x = 0; x < kSide; ++x) {
          Vec d[kSide];
#pragma GCC unroll 6
          for (int y = 0; y < kSide; ++y) d[y] = load(source + (y * width + x) * 16);
          transform_input<M>(d, half + x, kSide);
        }
      } else {
        for (int x = 0; x < kSide; ++x) {
          Vec d[kSide];
#pragma GCC unroll 6
          for (int y = 0; y < kSide; ++y) {
            const bool exists = y0 + y >= 0 && y0 + y < height && x0 + x >= 0 && x0 + x < width;
            d[y] = exists ? load(plane + ((y0 + y) * width + x0 + x) * 16 + lane) : Vec{};
          }
          transform_input<M>(d, half + x, kSide);
        }
      }
      float* out = tiles.coefficients + t * 16 + lane;
#pragma GCC unroll 6
      for (int y = 0; y < kSide; ++y) {
        Vec result[kSide];
        transform_input<M>(half + y * kSide, result, 1);
#pragma GCC unroll 6
        for (int x = 0; x < kSide; ++x) store(out + (y * kSide + x) * tiles.plane_stride, result[x]);
      }
    }
    if (++column == tiles.tiles_wide) column = 0, ++row;
  }
}

template <int M>
void output_tiles(const WinogradTiles& tiles, float* plane, int64_t height, int64_t width, const float* bias,
                  const float* residual, const ort_cpu::Activation& activation) {
  constexpr int kSide = M + 2;
  const bool clamps = is_clamp(activation);
  const bool passes = !clamps && activation.kind != ort_cpu::ActivationKind::none;
  const Clamp clamp(activation);
  int64_t row = tiles.first / tiles.tiles_wide, column = tiles.first % tiles.tiles_wide;
  for (int64_t t = 0; t < tiles.n; ++t) {
    const int64_t y0 = row * M, x0 = column * M;
    const int rows = height - y0 < M ? static_cast<int>(height - y0) : M;
    const int columns = width - x0 < M ? static_cast<int>(width - x0) : M;
    for (int lane = 0; lane < 16; lane += kLanes) {
      const float* source = tiles.coefficients + t * 16 + lane;
      const Vec start = load(bias + lane);
      Vec half[M * kSide];
#pragma GCC unroll 6
      for (int x = 0; x < kSide; ++x) {
        Vec m[kSide];
#pragma GCC unroll 6
        for (int y = 0; y < kSide; ++y) m[y] = load(source + (y * kSide + x) * tiles.plane_stride);
        transform_output<M>(m, half + x, kSide);
      }
#pragma GCC unroll 4
      for (int y = 0; y < M; ++y) {
        if (y >= rows) break;
        Vec result[M];
        transform_output<M>(half + y * kSide, result, 1);
        const int64_t at = ((y0 + y) * width + x0) * 16 + lane;
#pragma GCC unroll 4
        for (int x = 0; x < M; ++x) {
          if (x >= columns) break;
          Vec sum = result[x] + start;
          if (residual != nullptr) sum += load(residual + at + x * 16);
          store(plane + at + x * 16, clamps ? clamp(sum) : sum);
        }
      }
    }
    if (passes)
      for (int y = 0; y < rows; ++y) activate_run(plane + ((y0 + y) * width + x0) * 16, columns * 16, activation);
    if (++column == tiles.tiles_wide) column = 0, ++row;
  }
}

typedef double VecD __attribute__((vector_size(kLanes * 4)));
constexpr int kDoubles = kLanes / 2;

ORT_CPU_INLINE VecD load_doubles(const float* p) {
  VecD v;
#pragma GCC unroll 8
  for (int i = 0; i < kDoubles; ++i) v[i] = p[i];
  return v;
}

ORT_CPU_INLINE void store_floats(float* p, VecD v) {
#pragma GCC unroll 8
  for (int i = 0; i < kDoubles; ++i) p[i] = static_cast<float>(v[i]);
}

/// One dimension of G w: three values become M + 2.
template <int M>
ORT_CPU_INLINE void transform_filter(const VecD* w, VecD* out, int stride) {
  if constexpr (M == 4) {
    constexpr double a = kA, b = kB, a2 = a * a, b2 = b * b;
    constexpr double scale_0 = 1 / (a2 * b2), scale_a = 1 / (2 * a2 * (a2 - b2)), scale_b = 1 / (2 * b2 * (b2 - a2));
    const VecD outer_a = scale_a * (w[0] + a2 * w[2]), inner_a = (scale_a * a) * w[1];
    const VecD outer_b = scale_b * (w[0] + b2 * w[2]), inner_b = (scale_b * b) * w[1];
    out[0] = scale_0 * w[0];
    out[stride] = outer_a + inner_a;
    out[2 * stride] = outer_a - inner_a;
    out[3 * stride] = outer_b + inner_b;
    out[4 * stride] = outer_b - inner_b;
    out[5 * stride] = w[2];
  } else {
    out[0] = w[0];
    out[stride] = 0.5 * (w[0] + w[1] + w[2]);
    out[2 * stride] = 0.5 * (w[0] - w[1] + w[2]);
    out[3 * stride] = w[2];
  }
}

template <int M>
void filter_of(const float* w, int64_t n, float* coefficients, int64_t plane_stride) {
  constexpr int kSide = M + 2;
  for (int64_t i = 0; i < n; i += kDoubles) {
    VecD half[kSide * 3];
#pragma GCC unroll 3
    for (int x = 0; x < 3; ++x) {
      VecD column[3];
#pragma GCC unroll 3
      for (int y = 0; y < 3; ++y) column[y] = load_doubles(w + (y * 3 + x) * n + i);
      transform_filter<M>(column, half + x, 3);
    }
    for (int y = 0; y < kSide; ++y) {
      VecD result[kSide];
      transform_filter<M>(half + y * 3, result, 1);
#pragma GCC unroll 6
      for (int x = 0; x < kSide; ++x) store_floats(coefficients + (y * kSide + x) * plane_stride + i, result[x]);
    }
  }
}

void input(const WinogradTiles& tiles, const float* plane, int64_t height, int64_t width, int64_t pad_top,
           int64_t pad_left) {
  if (tiles.m == 4) return input_tiles<4>(tiles, plane, height, width, pad_top, pad_left);
  input_tiles<2>(tiles, plane, height, width, pad_top, pad_left);
}

void output(const WinogradTiles& tiles, float* plane, int64_t height, int64_t width, const float* bias,
            const float* residual, const ort_cpu::Activation& activation) {
  if (tiles.m == 4) return output_tiles<4>(tiles, plane, height, width, bias, residual, activation);
  output_tiles<2>(tiles, plane, height, width, bias, residual, activation);
}

void filter(int m, const float* w, int64_t n, float* coefficients, int64_t plane_stride) {
  if (m == 4) return filter_of<4>(w, n, coefficients, plane_stride);
  filter_of<2>(w, n, coefficients, plane_stride);
}

}  // namespace

ORT_CPU_EXPORT(WinogradTable, winograd_table) = {input, output, filter};
