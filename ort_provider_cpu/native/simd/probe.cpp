#include "simd/probe.h"

#include "simd/vec.h"

namespace {

// Enough chains to hide the latency of two units with registers to spare at every level.
constexpr int kChains = kLanes == 16 ? 24 : 12;
constexpr int kStreams = 8;

double multiply_add(int64_t rounds) {
  Vec chains[kChains];
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) chains[i] = set1(static_cast<float>(i) * 1e-3f);
  const Vec factor = set1(0.9999f), term = set1(1e-6f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 32
    for (int i = 0; i < kChains; ++i) chains[i] = fma(chains[i], factor, term);
  }
  Vec total = {};
#pragma GCC unroll 32
  for (int i = 0; i < kChains; ++i) total += chains[i];
  volatile float sink = sum(total);
  (void)sink;
  return static_cast<double>(rounds) * kChains * kLanes * 2;
}

float read(const float* data, int64_t n) {
  Vec sums[kStreams] = {};
  int64_t i = 0;
  for (; i + kStreams * kLanes <= n; i += kStreams * kLanes) {
#pragma GCC unroll 8
    for (int s = 0; s < kStreams; ++s) {
      sums[s] += load(data + i + s * kLanes);
      prefetch(data + i + s * kLanes + 1024);
    }
  }
  Vec total = {};
  for (int s = 0; s < kStreams; ++s) total += sums[s];
  float result = sum(total);
  for (; i < n; ++i) result += data[i];
  return result;
}

}  // namespace

ORT_CPU_EXPORT(ProbeTable, probe_table) = {multiply_add, read};
