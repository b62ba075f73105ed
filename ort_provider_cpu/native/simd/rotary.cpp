#include "simd/rotary.h"

#include "simd/vec.h"

namespace {

void rotate_half(float* y, const float* x, const float* cos, const float* sin, int64_t half) {
  int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Vec a = load(x + i), b = load(x + half + i);
    store(y + i, fma(a, load(cos + i), -(b * load(sin + i))));
    store(y + half + i, fma(b, load(cos + half + i), a * load(sin + half + i)));
  }
  for (; i < half; ++i) {
    const float a = x[i], b = x[half + i];
    y[i] = a * cos[i] - b * sin[i];
    y[half + i] = b * cos[half + i] + a * sin[half + i];
  }
}

}  // namespace

ORT_CPU_EXPORT(RotaryTable, rotary_table) = {rotate_half};
